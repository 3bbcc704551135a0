#include "master/request_handler/names.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "master/request_handler/limits.h"

namespace muster::handler {
namespace {

constexpr size_t kLongestKey = 128;
constexpr size_t kLongestValue = 256;
constexpr size_t kLongestOwner = 256;
constexpr size_t kLongestFileName = 255;

bool IsWordCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-';
}
bool IsPrintable(char c) { return c > ' ' && c < '\x7f'; }
bool IsControl(char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }

}  // namespace

bool IsName(std::string_view text, size_t longest) {
  return !text.empty() && text.size() <= longest && std::all_of(text.begin(), text.end(), IsWordCharacter);
}

bool IsOwner(std::string_view text) {
  return !text.empty() && text.size() <= kLongestOwner && std::all_of(text.begin(), text.end(), IsPrintable);
}

bool IsLabelKey(std::string_view text) {
  return !text.empty() && text.size() <= kLongestKey &&
         std::all_of(text.begin(), text.end(), [](char c) { return IsWordCharacter(c) || c == '/'; });
}

bool IsNeed(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) return IsLabelKey(text);
  const std::string_view value = text.substr(equals + 1);
  return IsLabelKey(text.substr(0, equals)) && value.size() <= kLongestValue &&
         std::none_of(value.begin(), value.end(), IsControl);
}

bool IsEnvironmentName(std::string_view text) {
  return !text.empty() && std::none_of(text.begin(), text.end(), [](char c) { return c == '=' || c == ' ' || IsControl(c); });
}

bool IsFileName(std::string_view text) {
  return !text.empty() && text.size() <= kLongestFileName && text != "." && text != ".." &&
         std::none_of(text.begin(), text.end(), [](char c) { return c == '/' || IsControl(c); });
}

absl::Status CheckReason(std::string_view reason) {
  if (reason.size() <= kLongestReason) return absl::OkStatus();
  return RefuseField("BAD_VALUE", "reason", absl::StrCat("has ", reason.size(), " bytes; at most ", kLongestReason));
}

}  // namespace muster::handler
