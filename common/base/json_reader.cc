#include "common/base/json_reader.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/utf8.h"

namespace muster {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

void AppendUtf8(uint32_t code, std::string* text) {
  const auto add = [text](uint32_t byte) { text->push_back(static_cast<char>(byte)); };
  if (code < 0x80) return add(code);
  if (code < 0x800) return add(0xC0 | code >> 6), add(0x80 | (code & 0x3F));
  if (code < 0x10000) return add(0xE0 | code >> 12), add(0x80 | (code >> 6 & 0x3F)), add(0x80 | (code & 0x3F));
  add(0xF0 | code >> 18), add(0x80 | (code >> 12 & 0x3F)), add(0x80 | (code >> 6 & 0x3F)), add(0x80 | (code & 0x3F));
}

}  // namespace

JsonReader::JsonReader(std::string name, std::string_view text) : name_(std::move(name)), text_(text) {
  if (!IsUtf8(text)) status_ = absl::InvalidArgumentError(absl::StrCat(name_, ": is not UTF-8"));
}

size_t JsonReader::place() {
  while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  return at_;
}

void JsonReader::Refuse(size_t place, std::string_view what) {
  if (!status_.ok()) return;
  const std::string_view before = text_.substr(0, place);
  const size_t line_begin = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  status_ = absl::InvalidArgumentError(absl::StrCat(name_, ":", std::count(before.begin(), before.end(), '\n') + 1, ":",
                                                    place - line_begin + 1, ": ", std::string(what)));
}

// 0 at the end, and after an error.
char JsonReader::Peek() { return status_.ok() && place() < text_.size() ? text_[at_] : '\0'; }

bool JsonReader::Take(char c) {
  if (Peek() != c || at_ >= text_.size()) return false;
  ++at_;
  return true;
}

void JsonReader::Enter(char begin, char end, std::string_view what) {
  if (frames_.size() >= kMostDepth) return Refuse(at_, absl::StrCat("nested more than ", kMostDepth, " deep"));
  if (!Take(begin)) return Refuse(place(), absl::StrCat("expected ", std::string(what)));
  frames_.push_back({end, false});
}

bool JsonReader::NextOf(char end) {
  if (!status_.ok() || frames_.empty() || frames_.back().end != end) return false;
  if (Take(end)) {
    frames_.pop_back();
    return false;
  }
  if (std::exchange(frames_.back().begun, true) && !Take(',')) {
    Refuse(place(), absl::StrCat("expected ',' or '", std::string(1, end), "'"));
    return false;
  }
  return true;
}

bool JsonReader::NextKey(std::string* key) {
  if (!NextOf('}')) return false;
  if (Peek() != '"') Refuse(place(), "expected a key in double quotes");
  ReadString(key);
  if (!Take(':')) Refuse(place(), "expected ':' after a key");
  return status_.ok();
}

bool JsonReader::NextItem() { return NextOf(']'); }

void JsonReader::ReadString(std::string* text) {
  text->clear();
  const size_t begin = place();
  if (!Take('"')) return Refuse(begin, "expected a text in double quotes");
  while (at_ < text_.size() && text_[at_] != '"') {
    if (static_cast<unsigned char>(text_[at_]) < 0x20) return Refuse(at_, "a text with a control character; write it as \\u00..");
    if (text_[at_] != '\\') {
      text->push_back(text_[at_++]);
    } else if (!ReadEscape(text)) {
      return;
    }
  }
  if (at_ >= text_.size()) return Refuse(begin, "a text that does not end");
  ++at_;
}

bool JsonReader::ReadEscape(std::string* text) {
  constexpr std::string_view kLetters = "\"\\/bfnrt", kMeant = "\"\\/\b\f\n\r\t";
  const size_t begin = at_;
  const char letter = ++at_ < text_.size() ? text_[at_++] : '\0';
  if (const size_t found = kLetters.find(letter); found != std::string_view::npos) {
    text->push_back(kMeant[found]);
    return true;
  }
  uint32_t code = 0, low = 0;
  bool good = letter == 'u' && ReadUnit(&code) && (code < 0xDC00 || code > 0xDFFF);
  if (good && code >= 0xD800 && code <= 0xDBFF) {
    good = text_.substr(at_, 2) == "\\u" && (at_ += 2, ReadUnit(&low)) && low >= 0xDC00 && low <= 0xDFFF;
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  if (!good) {
    Refuse(begin, "no escape of JSON");
    return false;
  }
  AppendUtf8(code, text);
  return true;
}

bool JsonReader::ReadUnit(uint32_t* unit) {
  const std::string_view digits = text_.substr(std::min(at_, text_.size()), 4);
  *unit = 0;
  for (const char c : digits) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return false;
    *unit = *unit * 16 + static_cast<uint32_t>(IsDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  at_ += digits.size();
  return digits.size() == 4;
}

void JsonReader::SkipDigits() {
  if (at_ >= text_.size() || !IsDigit(text_[at_])) return Refuse(at_, "expected a digit");
  while (at_ < text_.size() && IsDigit(text_[at_])) ++at_;
}

void JsonReader::ReadNumber(double* number) {
  const size_t begin = place();
  const auto next_is = [this](std::string_view any) {
    return status_.ok() && at_ < text_.size() && any.find(text_[at_]) != std::string_view::npos;
  };
  if (!next_is("-0123456789")) return Refuse(begin, "expected a number");
  if (next_is("-")) ++at_;
  const size_t first = at_;
  SkipDigits();
  if (status_.ok() && text_[first] == '0' && at_ - first > 1) return Refuse(begin, "a number that begins with 0");
  if (next_is(".")) ++at_, SkipDigits();
  if (next_is("eE")) {
    ++at_;
    if (next_is("+-")) ++at_;
    SkipDigits();
  }
  const std::string_view digits = text_.substr(begin, at_ - begin);
  if (!absl::SimpleAtod(absl::string_view(digits.data(), digits.size()), number) || !std::isfinite(*number)) {
    Refuse(begin, "a number that is too large");
  }
}

bool JsonReader::SkipNull() {
  if (Peek() != 'n') return false;
  SkipWord();
  return status_.ok();
}

void JsonReader::SkipWord() {
  for (const std::string_view word : {"true", "false", "null"}) {
    if (text_.substr(place(), word.size()) == word) {
      at_ += word.size();
      return;
    }
  }
  Refuse(place(), at_ < text_.size() ? "expected a value" : "expected a value, and the file ends");
}

void JsonReader::ReadText(std::string* text) {
  if (Peek() == '"') return ReadString(text);
  const size_t begin = place();
  Skip();
  *text = status_.ok() ? std::string(text_.substr(begin, at_ - begin)) : "";
}

void JsonReader::Skip() {
  std::string text;
  double number;
  switch (Peek()) {
    case '{':
      for (EnterObject(); NextKey(&text);) Skip();
      return;
    case '[':
      for (EnterArray(); NextItem();) Skip();
      return;
    case '"': return ReadString(&text);
    default:
      if (Peek() == '-' || IsDigit(Peek())) return ReadNumber(&number);
      SkipWord();
  }
}

void JsonReader::Finish() {
  if (status_.ok() && place() < text_.size()) Refuse(at_, "something follows the end of the JSON");
}

}  // namespace muster
