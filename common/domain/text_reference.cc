#include "common/domain/text_reference.h"

namespace muster {
namespace {

constexpr std::string_view kOpen = "{{";
constexpr std::string_view kClose = "}}";
constexpr size_t kLongestReference = 512;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsFirst(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || IsDigit(c) || c == '_'; }

// The name between the braces that `text` begins with, and how much of the text that is.
std::optional<std::string_view> NameAt(std::string_view text, size_t* length) {
  size_t at = kOpen.size();
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
  const size_t begin = at;
  bool is_number = true;
  for (; at < text.size() && at < kLongestReference; ++at) {
    const char c = text[at];
    if (!IsFirst(c) && (at == begin || (c != '.' && c != '-'))) break;
    is_number = is_number && IsDigit(c);
  }
  const std::string_view name = text.substr(begin, at - begin);
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
  if (name.empty() || is_number || text.substr(at, kClose.size()) != kClose) return std::nullopt;
  *length = at + kClose.size();
  return name;
}

}  // namespace

std::optional<TextReference> NextReference(std::string_view* text, std::string* before) {
  size_t from = 0;  // what stands before it is put away already
  size_t look = 0;
  while (true) {
    const size_t open = text->find(kOpen, look);
    if (open == std::string_view::npos) break;
    if (open > from && (*text)[open - 1] == '\\') {
      before->append(text->substr(from, open - 1 - from)).append(kOpen);
      from = look = open + kOpen.size();
      continue;
    }
    size_t length = 0;
    if (const auto name = NameAt(text->substr(open), &length)) {
      before->append(text->substr(from, open - from));
      text->remove_prefix(open + length);
      return TextReference{*name, open};
    }
    look = open + 1;  // "{{{ name }}}" has a brace around it
  }
  before->append(text->substr(from));
  *text = {};
  return std::nullopt;
}

bool HasReferenceMarks(std::string_view text) { return text.find(kOpen) != std::string_view::npos; }

}  // namespace muster
