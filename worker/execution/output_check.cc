#include "worker/execution/output_check.h"

#include <time.h>

#include "absl/strings/str_cat.h"

namespace muster::execution {
namespace {

constexpr absl::Duration kFree = absl::Seconds(1);
constexpr double kLeastBytesPerSecond = 8e6;

absl::Duration ProcessorTime() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return absl::DurationFromTimespec(now);
}

}  // namespace

OutputCheck::OutputCheck(const std::string& pattern) : text_(pattern) {
  if (auto compiled = OutputPattern::Compile(pattern); compiled.ok()) pattern_ = *std::move(compiled);
}

void OutputCheck::Feed(size_t stream, std::string_view bytes) {
  // A piece at a time, so that one that is slow is found out early.
  while (!bytes.empty() && pattern_ != nullptr && !pattern_->found() && !TooSlow()) {
    const std::string_view piece = bytes.substr(0, OutputPattern::kLongestLine);
    const absl::Duration before = ProcessorTime();
    pattern_->Feed(stream, piece);
    spent_ += ProcessorTime() - before;
    bytes_ += static_cast<double>(piece.size());
    bytes.remove_prefix(piece.size());
  }
}

std::string OutputCheck::Close() {
  if (pattern_ != nullptr && !pattern_->found() && TooSlow()) {
    return absl::StrCat("its pattern takes too long: ", absl::FormatDuration(absl::Trunc(spent_, absl::Milliseconds(100))), " for ",
                        static_cast<int64_t>(bytes_), " bytes of output; simplify ", text_);
  }
  if (pattern_ != nullptr) pattern_->Close();
  if (pattern_ != nullptr && pattern_->found()) return "";
  return absl::StrCat("no line of its output matches ", text_);
}

bool OutputCheck::TooSlow() const { return spent_ > kFree && bytes_ < kLeastBytesPerSecond * absl::ToDoubleSeconds(spent_); }

}  // namespace muster::execution
