// One thing as a page for a person.
// Thread rule: one thread.
#pragma once

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace muster::cli {

// Lines of "Name:   value"; a line without a name goes on with the one before.
class Page {
 public:
  void Line(const std::string& name, const std::string& value) {
    if (!value.empty()) absl::StrAppend(&text_, absl::StrFormat("%-14s %s\n", name.empty() ? "" : absl::StrCat(name, ":"), value));
  }
  void Raw(const std::string& text) { text_ += text; }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace muster::cli
