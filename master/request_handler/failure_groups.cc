#include "master/request_handler/failure_groups.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "master/request_handler/failure_text.h"

namespace muster::handler {
namespace {

constexpr const char* kTooManyCauses = "further causes, too many to tell apart";

std::string CauseName(EndReason reason, int32_t code, const std::string& text) {
  QuickHash hash;
  hash.Update(EndReasonName(reason));
  hash.Update(std::to_string(code));
  hash.Update(text);
  return absl::StrCat(absl::Hex(static_cast<uint32_t>(hash.value() ^ (hash.value() >> 32)), absl::kZeroPad8));
}

void NoteOnce(TaskId task, size_t most, std::vector<TaskId>* tasks) {
  if (tasks->size() < most && std::find(tasks->begin(), tasks->end(), task) == tasks->end()) tasks->push_back(task);
}

}  // namespace

void FailureGroups::Add(const store::FailedAttempt& failure) {
  std::string example = LastLine(failure.stderr_tail);
  if (example.empty()) example = failure.message;
  Key key{failure.reason, failure.code, NormaliseFailure(example)};
  if (groups_.size() >= kMaxGroups && !groups_.contains(key)) key = {EndReason::kNone, 0, kTooManyCauses};
  FailureGroup& group = groups_[key];
  if (group.count == 0) {
    std::tie(group.reason, group.code, group.text) = key;
    group.cause = CauseName(group.reason, group.code, group.text);
  }
  if (failure.ended >= group.last) group.example = std::move(example);
  ++group.count;
  ++group.workers[failure.worker];
  group.first = std::min(group.first, failure.ended);
  group.last = std::max(group.last, failure.ended);
  NoteOnce(failure.key.task, kExamples, &group.examples);
  if (!failure.last) return;
  ++group.to_retry_count;  // a task ends once
  if (group.to_retry.size() < kMaxToRetry) group.to_retry.push_back(failure.key.task);
}

std::vector<FailureGroup> FailureGroups::Take() {
  std::vector<FailureGroup> all;
  for (auto& entry : std::exchange(groups_, {})) all.push_back(std::move(entry.second));
  std::stable_sort(all.begin(), all.end(),
                   [](const FailureGroup& a, const FailureGroup& b) { return a.count > b.count; });
  return all;
}

}  // namespace muster::handler
