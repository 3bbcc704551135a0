#include "common/domain/shell_line.h"

namespace muster {

namespace {

// What a word, and so a comment, may begin after.
bool EndsWord(char c) { return std::string_view(" \t\n;&|()").find(c) != std::string_view::npos; }

}  // namespace

void ShellLine::Read(std::string_view piece) {
  for (const char c : piece) {
    ReadOne(c);
    before_ = c;
  }
}

void ShellLine::ReadOne(char c) {
  const char in = within_.empty() ? '\0' : within_.back();
  if (in == '\'' || in == '#') {
    if (c == (in == '#' ? '\n' : in)) within_.pop_back();
    return;
  }
  if (escaped_) {
    escaped_ = false;
    return;
  }
  if (c == '\\') {
    escaped_ = true;
  } else if (c == '"' || c == '`') {
    in == c ? within_.pop_back() : within_.push_back(c);
  } else if (in == '"') {
    if (c == '(' && before_ == '$') within_.push_back(c);
  } else if (c == '\'' || c == '(') {
    within_.push_back(c);
  } else if (c == ')') {
    if (in == '(') within_.pop_back();
  } else if (c == '#' && EndsWord(before_)) {
    within_.push_back(c);
  } else if (c == '<' && before_ == '<') {
    has_document_ = true;
  }
}

}  // namespace muster
