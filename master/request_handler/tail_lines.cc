#include "master/request_handler/tail_lines.h"

namespace muster::handler {

void TailLines::Add(int64_t offset, std::string_view bytes) {
  if (offset != end_) bytes_.clear();  // bytes are missing: what came before is not the line's beginning
  end_ = offset + static_cast<int64_t>(bytes.size());
  bytes_.append(bytes);
  if (bytes_.size() > 2 * kMostBytes) bytes_.erase(0, bytes_.size() - kMostBytes);
}

std::string_view TailLines::Last(int64_t lines) const {
  std::string_view text = bytes_;
  if (text.size() > kMostBytes) text.remove_prefix(text.size() - kMostBytes);
  size_t begin = text.size();
  if (begin > 0 && text.back() == '\n') --begin;
  for (int64_t line = 0; line < lines; ++line) {
    if (begin == 0) return text;
    const size_t newline = text.rfind('\n', begin - 1);
    if (newline == std::string_view::npos) return text;
    begin = newline;
  }
  return text.substr(begin + 1);
}

}  // namespace muster::handler
