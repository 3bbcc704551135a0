// Where in a line for /bin/sh a quoted word may be put in as a value.
//
// A value in single quotes is safe between words and within them, and nowhere else: within quotes of the line's own it would end
// them, or be read in double ones, and in a here-document it would be expanded.
// Thread rule: one thread; no more than quotes, comments, substitutions and here-documents is understood.
#pragma once

#include <string_view>
#include <vector>

namespace muster {

class ShellLine {
 public:
  // The next piece of the line.
  void Read(std::string_view piece);
  // Whether a quoted word may stand after what was read.
  bool TakesWord() const { return !has_document_ && (within_.empty() || within_.back() == '(' || within_.back() == '`'); }

 private:
  void ReadOne(char c);

  std::vector<char> within_;  // ' " ( ` that are open, and '#' for a comment
  char before_ = ' ';
  bool escaped_ = false;
  bool has_document_ = false;
};

}  // namespace muster
