#include "master/request_handler/failure_text.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"

namespace muster::handler {
namespace {

constexpr size_t kMostCharacters = 200;
constexpr size_t kShortestHex = 8;  // without 0x

using absl::ascii_isalnum;
using absl::ascii_isdigit;
using absl::ascii_isxdigit;

// How many characters of `text` the pattern matches: 'd' a digit, 'x' a hexadecimal one, else itself. 0: it does not.
size_t Match(std::string_view text, std::string_view pattern) {
  if (text.size() < pattern.size()) return 0;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool fits = pattern[i] == 'd' ? ascii_isdigit(c) : pattern[i] == 'x' ? ascii_isxdigit(c) : text[i] == pattern[i];
    if (!fits) return 0;
  }
  return pattern.size();
}

template <typename Fits>
size_t CountWhile(std::string_view text, Fits fits) {
  return static_cast<size_t>(
      std::find_if_not(text.begin(), text.end(), [&](char c) { return fits(static_cast<unsigned char>(c)); }) - text.begin());
}

size_t ClockAt(std::string_view text) {
  size_t length = Match(text, "dd:dd:dd");
  if (length == 0) return 0;
  if (length < text.size() && (text[length] == '.' || text[length] == ',')) {
    const size_t digits = CountWhile(text.substr(length + 1), ascii_isdigit);
    if (digits > 0) length += 1 + digits;
  }
  if (length < text.size() && text[length] == 'Z') ++length;
  const std::string_view zone = text.substr(length);
  if (!zone.empty() && (zone[0] == '+' || zone[0] == '-')) {
    length += std::max(Match(zone.substr(1), "dd:dd"), Match(zone.substr(1), "dddd")) > 0
                  ? 1 + std::max(Match(zone.substr(1), "dd:dd"), Match(zone.substr(1), "dddd"))
                  : 0;
  }
  return length;
}

size_t TimeAt(std::string_view text) {
  const size_t date = std::max(Match(text, "dddd-dd-dd"), Match(text, "dddd/dd/dd"));
  if (date == 0) return ClockAt(text);
  if (date < text.size() && (text[date] == 'T' || text[date] == ' ')) {
    if (const size_t clock = ClockAt(text.substr(date + 1)); clock > 0) return date + 1 + clock;
  }
  return date;
}

size_t PathAt(std::string_view text) {
  if (text.size() < 2 || text[0] != '/') return 0;
  size_t length = CountWhile(text, [](unsigned char c) {
    return ascii_isalnum(c) || std::string_view("/._-~+@%").find(static_cast<char>(c)) != std::string_view::npos;
  });
  while (length > 1 && text[length - 1] == '.') --length;  // the end of the sentence
  return length > 1 ? length : 0;
}

bool IsHex(std::string_view word) {
  if (word.size() > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X')) {
    return CountWhile(word.substr(2), ascii_isxdigit) == word.size() - 2;
  }
  return word.size() >= kShortestHex && CountWhile(word, ascii_isxdigit) == word.size();
}

// As muster and others write ids: digits and capital letters, both.
bool IsId(std::string_view word) {
  return CountWhile(word, [](unsigned char c) { return ascii_isdigit(c) || absl::ascii_isupper(c); }) == word.size();
}

std::string Word(std::string_view word) {
  if (CountWhile(word, ascii_isdigit) == word.size()) return "<n>";
  if (std::none_of(word.begin(), word.end(), [](char c) { return ascii_isdigit(static_cast<unsigned char>(c)); })) {
    return std::string(word);
  }
  if (IsHex(word)) return "<hex>";
  if (IsId(word)) return "<id>";
  std::string out;
  while (!word.empty()) {
    const size_t digits = CountWhile(word, ascii_isdigit);
    if (digits > 0) out += "<n>";
    word.remove_prefix(digits);
    const size_t letters = CountWhile(word, [](unsigned char c) { return !ascii_isdigit(c); });
    out += word.substr(0, letters);
    word.remove_prefix(letters);
  }
  return out;
}

// What stands at the beginning of `text`, taken off it and put on `out`.
void TakeOne(std::string_view* text, std::string* out) {
  const auto replace = [&](size_t length, const std::string& by) {
    *out += by;
    text->remove_prefix(length);
  };
  if (const size_t length = TimeAt(*text)) return replace(length, "<time>");
  if (const size_t length = Match(*text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")) return replace(length, "<id>");
  if (const size_t length = PathAt(*text)) return replace(length, "<path>");
  if (const size_t length = CountWhile(*text, ascii_isalnum)) return replace(length, Word(text->substr(0, length)));
  replace(1, std::string(1, text->front()));
}

// "\033[31m" and the like.
size_t ColourAt(std::string_view text) {
  if (text.size() < 2 || text[0] != '\033' || text[1] != '[') return 0;
  const size_t inner = CountWhile(text.substr(2), [](unsigned char c) { return ascii_isdigit(c) || c == ';'; });
  return std::min(text.size(), 2 + inner + 1);
}

std::string Printable(std::string_view text) {
  std::string out;
  while (!text.empty() && out.size() < kMostCharacters) {
    if (const size_t colour = ColourAt(text)) {
      text.remove_prefix(colour);
      continue;
    }
    const char c = text.front() == '\t' ? ' ' : text.front();
    if (absl::ascii_isprint(static_cast<unsigned char>(c))) out.push_back(c);
    text.remove_prefix(1);
  }
  return std::string(absl::StripAsciiWhitespace(absl::string_view(out.data(), out.size())));
}

}  // namespace

std::string LastLine(std::string_view text) {
  while (!text.empty()) {
    const size_t end = text.find_last_of("\r\n");
    const std::string_view line = end == std::string_view::npos ? text : text.substr(end + 1);
    std::string printable = Printable(line);
    if (!printable.empty()) return printable;
    if (end == std::string_view::npos) break;
    text = text.substr(0, end);
  }
  return "";
}

std::string NormaliseFailure(std::string_view line) {
  std::string out;
  while (!line.empty() && out.size() < kMostCharacters) TakeOne(&line, &out);
  return out;
}

}  // namespace muster::handler
