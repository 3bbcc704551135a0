#include "worker/plugins/noop/parameters.h"

#include <cctype>

namespace muster::noop {
namespace {

constexpr int64_t kMaxNumber = int64_t{1} << 40;

class Scanner {
 public:
  explicit Scanner(const std::string& text) : text_(text) {}

  bool Take(char wanted) {
    SkipSpace();
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  bool TakeKey(std::string* key) {
    if (!Take('"')) return false;
    const size_t end = text_.find('"', at_);
    if (end == std::string::npos) return false;
    *key = text_.substr(at_, end - at_);
    at_ = end + 1;
    return true;
  }
  // Digits, then nothing but zeros behind a point: protobuf's Struct prints 3 as 3 or 3.0.
  bool TakeNumber(int64_t* number) {
    SkipSpace();
    const size_t start = at_;
    int64_t value = 0;
    for (; at_ < text_.size() && isdigit(static_cast<unsigned char>(text_[at_])) != 0; ++at_) {
      value = value * 10 + (text_[at_] - '0');
      if (value > kMaxNumber) return false;
    }
    if (at_ == start) return false;
    if (at_ < text_.size() && text_[at_] == '.') {
      for (++at_; at_ < text_.size() && text_[at_] == '0'; ++at_) {
      }
    }
    *number = value;
    return true;
  }
  bool AtEnd() {
    SkipSpace();
    return at_ == text_.size();
  }

 private:
  void SkipSpace() {
    while (at_ < text_.size() && isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }

  const std::string& text_;
  size_t at_ = 0;
};

bool Assign(const std::string& key, int64_t number, Parameters* parameters, std::string* problem) {
  if (key == "exit_code" && number <= 255) {
    parameters->exit_code = static_cast<int32_t>(number);
  } else if (key == "sleep_ms") {
    parameters->sleep_ms = number;
  } else if (key == "output_bytes") {
    parameters->output_bytes = number;
  } else {
    *problem = key == "exit_code" ? "exit_code: 0 to 255"
                                  : "unknown \"" + key + "\"; there are exit_code, sleep_ms and output_bytes";
    return false;
  }
  return true;
}

}  // namespace

bool ParseParameters(const std::string& json, Parameters* parameters, std::string* problem) {
  Scanner scanner(json);
  if (scanner.AtEnd()) return true;
  *problem = "an object of whole numbers is wanted";
  if (!scanner.Take('{')) return false;
  if (scanner.Take('}')) return scanner.AtEnd();
  do {
    std::string key;
    int64_t number = 0;
    if (!scanner.TakeKey(&key) || !scanner.Take(':')) return false;
    if (!scanner.TakeNumber(&number)) {
      *problem = key + ": a whole number from 0 on is wanted";
      return false;
    }
    if (!Assign(key, number, parameters, problem)) return false;
  } while (scanner.Take(','));
  return scanner.Take('}') && scanner.AtEnd();
}

}  // namespace muster::noop
