// One thing as a page for a person. What others wrote can neither order the terminal nor begin a line of its own.
// Thread rule: one thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "cli/text.h"

namespace muster::cli {

// Lines of "Name:   value"; a line without a name goes on with the one before, and so does a value of several lines.
class Page {
 public:
  void Line(const std::string& name, const std::string& value) {
    if (value.empty()) return;
    std::string title = name.empty() ? "" : absl::StrCat(name, ":");
    for (const std::string& line : std::vector<std::string>(absl::StrSplit(absl::StripSuffix(value, "\n"), '\n'))) {
      absl::StrAppend(&text_, absl::StrFormat("%-14s %s\n", title, OneLine(line, kAnyWidth)));
      title.clear();
    }
  }
  // A line of its own, as it is.
  void Whole(const std::string& line) { absl::StrAppend(&text_, OneLine(line, kAnyWidth), "\n"); }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace muster::cli
