// `{{ name }}` in the texts of a workflow: a parameter, a value of a matrix or an output of another task.
//
// A name is of [A-Za-z0-9_.-], begins with a letter, a digit or '_', and is no number: what else stands in two braces stays
// as it is. `\{{` is two braces that begin no reference.
// Thread rule: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace muster {

struct TextReference {
  std::string_view name;  // of the text that was taken apart
  size_t at = 0;          // of its first brace, in what was left of the text
};

// The next one, and what stands before it, put to `before` as it is meant (`\{{` as `{{`); takes both off the text. None: all
// of the text is put there.
std::optional<TextReference> NextReference(std::string_view* text, std::string* before);

bool HasReferenceMarks(std::string_view text);  // "{{": whether there is anything to take apart

}  // namespace muster
