#include "cli/workflow_file/source_check.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/utf8.h"

namespace muster::cli {
namespace {

constexpr char kTab[] = "a tab in the indentation; YAML is indented with spaces";

struct Meaning {
  const char* message;  // what the library's begins with
  const char* plain;
};
constexpr Meaning kMeanings[] = {
    {"illegal tab", kTab},
    {"end of map not found", "this belongs to nothing above it; indent it as its neighbours are"},
    {"end of sequence not found", "this belongs to nothing above it; indent it as its neighbours are"},
    {"end of map flow not found", "a '{' without its '}', or a ',' is missing; close it"},
    {"end of sequence flow not found", "a '[' without its ']', or a ',' is missing; close it"},
    {"illegal flow end", "a '}' or ']' that closes nothing; put the text in quotes or take it out"},
    {"illegal map value", "a ':' where none may stand; put the text in quotes"},
    {"illegal map key", "a '?' where none may stand; put the text in quotes"},
    {"illegal block entry", "a '-' where none may stand; begin the list on a line of its own"},
    {"unknown token", "a character that no plain text begins with; put the text in quotes"},
    {"illegal EOF in scalar", "a quote that is not closed; close it"},
    {"illegal document indicator", "a '---' or '...' within a text; indent it"},
    {"the referenced anchor is not defined", "an alias (*) to an anchor (&) that is nowhere above; write it out, or put the text in quotes"},
    {"alias not found", "a '*' with no name; put the text in quotes"},
    {"anchor not found", "a '&' with no name; put the text in quotes"},
    {"unknown escape character", "a backslash in double quotes that means nothing; use single quotes, or write two"},
};

size_t LineBegin(const std::string& source, uint32_t line) {
  size_t begin = 0;
  for (uint32_t i = 0; i < line; ++i) {
    const size_t end = source.find('\n', begin);
    if (end == std::string::npos) return end;
    begin = end + 1;
  }
  return begin;
}

}  // namespace

std::optional<SourceError> FindBadCharacter(const std::string& source) {
  const std::string sound = ToUtf8(source);
  SourceError wrong;
  size_t line_begin = 0;
  for (size_t i = 0; i < source.size(); ++i) {
    const auto byte = static_cast<unsigned char>(source[i]);
    wrong.column = static_cast<uint32_t>(i - line_begin);
    if (source[i] != sound[i]) {
      wrong.what = absl::StrFormat("the byte 0x%02x is not UTF-8; save the file as UTF-8", byte);
      return wrong;
    }
    if ((byte < ' ' && byte != '\n' && byte != '\r' && byte != '\t') || byte == 0x7f) {
      wrong.what = absl::StrFormat("a control character (0x%02x); take it out, or write \"\\x%02x\" in double quotes", byte, byte);
      return wrong;
    }
    if (byte != '\n') continue;
    ++wrong.line;
    line_begin = i + 1;
  }
  return std::nullopt;
}

uint32_t CharacterColumn(const std::string& source, uint32_t line, uint32_t byte_column) {
  const size_t begin = LineBegin(source, line);
  if (begin == std::string::npos) return byte_column;
  const size_t end = std::min(source.size(), begin + byte_column);
  return static_cast<uint32_t>(std::count_if(source.begin() + static_cast<long>(begin), source.begin() + static_cast<long>(end),
                                             [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

SourceError PlainWords(const std::string& source, uint32_t line, uint32_t column, std::string_view message) {
  const size_t begin = LineBegin(source, line);
  const size_t tab = begin == std::string::npos ? begin : source.find_first_not_of(' ', begin);
  if (tab != std::string::npos && source[tab] == '\t') return {line, static_cast<uint32_t>(tab - begin), kTab};
  const absl::string_view text(message.data(), message.size());
  for (const Meaning& meaning : kMeanings) {
    if (absl::StartsWith(text, meaning.message)) return {line, column, meaning.plain};
  }
  return {line, column, absl::StrCat("no YAML: ", ToLine(std::string(message), 200))};
}

}  // namespace muster::cli
