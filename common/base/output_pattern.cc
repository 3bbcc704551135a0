#include "common/base/output_pattern.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"

namespace muster {
namespace {

constexpr int64_t kMostPatternMemory = int64_t{2} << 20;

}  // namespace

absl::StatusOr<std::unique_ptr<OutputPattern>> OutputPattern::Compile(const std::string& pattern) {
  if (pattern.size() > kLongestPattern) {
    return absl::InvalidArgumentError(absl::StrCat("has more than ", kLongestPattern, " bytes"));
  }
  RE2::Options options(RE2::Quiet);
  options.set_max_mem(kMostPatternMemory);
  auto expression = std::make_unique<RE2>(pattern, options);
  if (expression->ok()) return std::unique_ptr<OutputPattern>(new OutputPattern(std::move(expression)));
  return absl::InvalidArgumentError(absl::StrCat("is no regular expression: ", expression->error()));
}

OutputPattern::OutputPattern(std::unique_ptr<re2::RE2> expression) : expression_(std::move(expression)) {}
OutputPattern::~OutputPattern() = default;

void OutputPattern::Feed(size_t stream, std::string_view bytes) {
  MUSTER_CHECK(stream < kStreams);
  std::string& begun = begun_[stream];
  while (!found_ && !bytes.empty()) {
    const size_t end = bytes.find('\n');
    const size_t length = std::min({end, bytes.size(), kLongestLine - begun.size()});
    const bool ends = length == end || begun.size() + length == kLongestLine;
    if (ends && begun.empty()) {
      Look(bytes.substr(0, length));
    } else {
      begun.append(bytes.substr(0, length));
      if (ends) Look(std::exchange(begun, {}));
    }
    bytes.remove_prefix(length == end ? length + 1 : length);
  }
}

void OutputPattern::Close() {
  for (std::string& begun : begun_) {
    if (!begun.empty()) Look(std::exchange(begun, {}));
  }
}

void OutputPattern::Look(std::string_view line) {
  found_ = found_ || RE2::PartialMatch(re2::StringPiece(line.data(), line.size()), *expression_);
}

}  // namespace muster
