#include "common/domain/shell_line.h"

#include <algorithm>
#include <array>
#include <utility>

namespace muster {
namespace {

constexpr size_t kLongestKeyword = 8;
// After these, words are more than words.
constexpr std::array<std::string_view, 4> kNotFollowed = {"case", "[[", "eval", "let"};

bool IsOfName(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }
bool IsIn(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }

}  // namespace

void ShellLine::Read(std::string_view piece) {
  for (const char c : piece) {
    if (lost_) return;
    ReadOne(c);
  }
}

void ShellLine::ReadOne(char c) {
  if (comment_) {
    comment_ = c != '\n';
  } else if (quote_ == '\'') {
    if (c == '\'') quote_ = 0;
  } else if (in_name_) {
    if (c == '}') in_name_ = false;
    else if (!IsOfName(c)) lost_ = true;
  } else if (pending_ == 0 || !ReadPending(c)) {
    quote_ == '"' ? ReadInDoubleQuotes(c) : ReadPlain(c);
  }
}

bool ShellLine::ReadPending(char c) {
  switch (std::exchange(pending_, 0)) {
    case '\\':
      lost_ = c == '\n' && quote_ == 0;
      return true;
    case '$':
      if (c == '{') in_name_ = true;
      else if (c == '$') lost_ = true;  // "$$(": not every shell looks for its end alike
      else if (IsIn(c, "([") && quote_ == '"') lost_ = true;
      else if (c == '(') Open();
      else if (IsIn(c, "['\"") && quote_ == 0) lost_ = true;
      else return IsIn(c, "?!@*#-");
      return true;
    case '<':
      if (c == '(') Open();
      else if (c == '<') lost_ = true;
      else return false;
      return true;
    default:  // (
      lost_ = c == '(';
      return lost_;
  }
}

void ShellLine::ReadInDoubleQuotes(char c) {
  if (c == '"') quote_ = 0;
  else if (c == '`') lost_ = true;
  else if (c == '\\' || c == '$') pending_ = c;
}

void ShellLine::ReadPlain(char c) {
  if (IsIn(c, " \t\n;&|>")) return EndWord();
  if (c == '#' && !begun_) {
    comment_ = true;
  } else if (c == '<') {
    EndWord();
    pending_ = c;
  } else if (c == '(') {
    EndWord();
    Open();
  } else if (c == ')') {
    EndWord();
    lost_ = lost_ || --open_ < 0;
  } else if (c == '`') {
    lost_ = true;
  } else {
    // A subscript goes on over blanks, and is computed.
    lost_ = c == '[' && !word_.empty() && std::all_of(word_.begin(), word_.end(), IsOfName);
    begun_ = true;
    if (word_.size() < kLongestKeyword) word_ += c;
    if (IsIn(c, "'\"")) quote_ = c;
    if (IsIn(c, "\\$")) pending_ = c;
  }
}

void ShellLine::EndWord() {
  lost_ = std::find(kNotFollowed.begin(), kNotFollowed.end(), word_) != kNotFollowed.end();
  word_.clear();
  begun_ = false;
}

void ShellLine::Open() {
  ++open_;
  pending_ = '(';
  word_.clear();
  begun_ = false;
}

}  // namespace muster
