#include "cli/activity_trace.h"

#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/convert/convert.h"
#include "google/protobuf/util/json_util.h"
#include "muster/v1/cluster.pb.h"

namespace muster::cli {
namespace {

struct SeenTask {
  absl::Time accepted;
  absl::Time first_start = absl::InfiniteFuture();
  absl::Time start = absl::InfiniteFuture();  // of the attempt that runs
  absl::Duration run_time;
  bool ended = false;
  uint32_t kind = 0;
};

class TraceOfActivity {
 public:
  absl::Status Take(const v1::ActivityRecord& record) {
    const absl::Time at = convert::FromProto(record.time());
    switch (record.event_case()) {
      case v1::ActivityRecord::kTaskAccepted: return Accept(record.task_accepted(), at);
      case v1::ActivityRecord::kAttemptStarted: Start(record.attempt_started().task_id(), at); break;
      case v1::ActivityRecord::kAttemptEnded: End(record.attempt_ended().task_id(), at, false); break;
      case v1::ActivityRecord::kTaskEnded: End(record.task_ended().task_id(), at, true); break;
      case v1::ActivityRecord::kWorkerJoined: slots_[record.worker_joined().worker()] = record.worker_joined().slots(); break;
      default: break;
    }
    return absl::OkStatus();
  }

  simulate::Trace Finish() {
    absl::Duration waited;
    for (const auto& [id, task] : tasks_) {
      if (!task.ended || task.first_start == absl::InfiniteFuture()) {
        ++trace_.left_out;
        continue;
      }
      waited += task.first_start - task.accepted;
      trace_.jobs.push_back({task.accepted - absl::UnixEpoch(), task.run_time, 1, task.kind});
    }
    if (!trace_.jobs.empty()) trace_.mean_wait = waited / static_cast<int64_t>(trace_.jobs.size());
    for (const auto& [name, slots] : slots_) {
      if (slots > 0) trace_.fleet.push_back(slots);
    }
    simulate::Order(&trace_);
    return std::move(trace_);
  }

 private:
  static constexpr int64_t kMostTasks = 50'000'000;

  absl::Status Accept(const v1::TaskAccepted& accepted, absl::Time at) {
    const auto first = TextToId(accepted.task_id());
    if (!first || accepted.count() < 1 || accepted.count() > kMostTasks) {
      return absl::InvalidArgumentError("an acceptance without its tasks");
    }
    const uint32_t kind = KindOf(accepted);
    for (uint64_t i = 0; i < static_cast<uint64_t>(accepted.count()); ++i) {
      tasks_[*first + i] = {.accepted = at, .kind = kind};
    }
    return absl::OkStatus();
  }

  void Start(const std::string& id, absl::Time at) {
    SeenTask* const task = Find(id);
    if (task == nullptr) return;
    task->first_start = std::min(task->first_start, at);
    task->start = at;
  }

  void End(const std::string& id, absl::Time at, bool for_good) {
    SeenTask* const task = Find(id);
    if (task == nullptr) return;
    if (at > task->start) task->run_time += at - task->start;
    task->start = absl::InfiniteFuture();
    task->ended |= for_good;
  }

  SeenTask* Find(const std::string& text) {
    const auto id = TextToId(text);
    const auto found = id ? tasks_.find(*id) : tasks_.end();
    return found == tasks_.end() ? nullptr : &found->second;
  }

  uint32_t KindOf(const v1::TaskAccepted& accepted) {
    const auto [place, is_new] =
        kinds_.try_emplace({accepted.queue(), accepted.owner()}, static_cast<uint32_t>(trace_.kinds.size()));
    if (is_new) trace_.kinds.push_back({accepted.queue(), accepted.owner()});
    return place->second;
  }

  simulate::Trace trace_;
  std::map<uint64_t, SeenTask> tasks_;
  std::map<std::pair<std::string, std::string>, uint32_t> kinds_;
  std::map<std::string, uint32_t> slots_;  // of each worker, as it joined last
};

}  // namespace

absl::StatusOr<simulate::Trace> ReadActivityTrace(std::string_view text) {
  TraceOfActivity trace;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;  // of a younger version
  uint64_t number = 0;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    ++number;
    if (line.empty()) continue;
    v1::ActivityRecord record;
    if (!google::protobuf::util::JsonStringToMessage({line.data(), line.size()}, &record, options).ok()) {
      return absl::InvalidArgumentError(absl::StrCat("line ", number, " is no record of `muster log -o jsonl`"));
    }
    if (!record.has_time()) return absl::InvalidArgumentError(absl::StrCat("line ", number, " has no time; `muster log -o jsonl` prints it"));
    const absl::Status taken = trace.Take(record);
    if (!taken.ok()) return absl::InvalidArgumentError(absl::StrCat("line ", number, ": ", taken.message()));
  }
  return trace.Finish();
}

}  // namespace muster::cli
