#include "common/base/output_pattern.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"

namespace muster {
namespace {

constexpr int64_t kMemoryToTry = int64_t{128} << 10;  // one that is too large is given up early
constexpr int64_t kMemoryToMatch = int64_t{2} << 20;
constexpr int kMostInstructions = 2000;
constexpr size_t kCostOfUnicodeClass = 200;

std::unique_ptr<RE2> Read(const std::string& pattern, int64_t memory) {
  RE2::Options options(RE2::Quiet);
  options.set_max_mem(memory);
  return std::make_unique<RE2>(pattern, options);
}

}  // namespace

absl::StatusOr<std::unique_ptr<OutputPattern>> OutputPattern::Compile(const std::string& pattern) {
  if (pattern.size() > kLongestPattern) {
    return absl::InvalidArgumentError(absl::StrCat("has more than ", kLongestPattern, " bytes"));
  }
  const std::unique_ptr<RE2> tried = Read(pattern, kMemoryToTry);
  const bool too_large = tried->ok() ? tried->ProgramSize() > kMostInstructions : tried->error_code() == RE2::ErrorPatternTooLarge;
  if (too_large) return absl::InvalidArgumentError("repeats too much; use + or * in place of large counts, and smaller classes");
  if (!tried->ok()) return absl::InvalidArgumentError(absl::StrCat("is no regular expression: ", tried->error()));
  return std::unique_ptr<OutputPattern>(new OutputPattern(Read(pattern, kMemoryToMatch)));
}

size_t OutputPattern::ReadingCost(std::string_view pattern) {
  size_t classes = 0;
  for (size_t at = pattern.find('\\'); at != std::string_view::npos && at + 1 < pattern.size(); at = pattern.find('\\', at + 2)) {
    if (pattern[at + 1] == 'p' || pattern[at + 1] == 'P') ++classes;
  }
  return pattern.size() + classes * kCostOfUnicodeClass;
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
