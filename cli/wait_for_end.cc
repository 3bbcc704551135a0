#include "cli/wait_for_end.h"

#include <algorithm>
#include <array>

#include "absl/container/flat_hash_map.h"
#include "absl/time/clock.h"
#include "cli/backoff.h"
#include "cli/errors.h"
#include "cli/interrupts.h"
#include "cli/text.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

constexpr absl::Duration kPatience = absl::Minutes(10);
constexpr absl::Duration kFirstPatience = absl::Seconds(2);
constexpr absl::Duration kProgressInterval = absl::Milliseconds(100);

class EndCounter {
 public:
  explicit EndCounter(const WaitOptions& options) : options_(options) {}

  void Hear(const v1::Task& task) {
    v1::TaskState& known = states_[task.id()];
    if (IsTerminal(known)) return;
    if (known != v1::TASK_STATE_UNSPECIFIED) --counts_[known];
    const bool open_before = known != v1::TASK_STATE_UNSPECIFIED;
    known = task.state();
    ++counts_[known];
    if (IsTerminal(known)) {
      if (open_before) --open_;
      exit_code_ = std::max(exit_code_, task.exit_code());
      if (options_.ended) options_.ended(task);
    } else if (!open_before) {
      ++open_;
    }
  }
  bool all_ended() const { return open_ == 0; }
  EndOfTasks Result() const {
    EndOfTasks result{.exit_code = exit_code_, .task_count = static_cast<int64_t>(states_.size())};
    for (size_t state = 0; state < counts_.size(); ++state) {
      if (counts_[state] == 0) continue;
      v1::StateCount& count = result.counts.emplace_back();
      count.set_state(static_cast<v1::TaskState>(state));
      count.set_count(counts_[state]);
    }
    return result;
  }

 private:
  const WaitOptions& options_;
  absl::flat_hash_map<std::string, v1::TaskState> states_;
  std::array<int64_t, v1::TaskState_ARRAYSIZE> counts_{};
  int64_t open_ = 0;
  int exit_code_ = 0;
};

}  // namespace

absl::StatusOr<EndOfTasks> WaitForEnd(Client& client, const std::vector<std::string>& selectors, const WaitOptions& options,
                                      EndOfTasks* so_far) {
  v1::WatchRequest request;
  request.mutable_filter()->mutable_selectors()->Assign(selectors.begin(), selectors.end());
  request.mutable_filter()->set_include_finished(true);
  EndCounter counter(options);
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(1));
  bool ever_heard = false;
  absl::Time last_heard = absl::Now();
  absl::Time progress_at = absl::InfinitePast();
  while (true) {
    auto stream = client.Watch(request);
    bool complete = false;
    v1::WatchResponse response;
    StreamNews news;
    while ((news = stream->Next(&response, options.deadline)) != StreamNews::kEnd) {
      if (news == StreamNews::kInterrupt) return Interrupted(client.interrupts()->Take());
      if (news == StreamNews::kMessage) {
        for (const v1::Task& task : response.tasks()) counter.Hear(task);
        complete = complete || response.snapshot_complete();
        ever_heard = true;
        backoff.Reset();
        last_heard = absl::Now();
        if (complete && counter.all_ended()) return counter.Result();
        if (options.progress && last_heard >= progress_at) {
          options.progress(counter.Result());
          progress_at = last_heard + kProgressInterval;
        }
      }
      if (absl::Now() >= options.deadline) {
        if (so_far != nullptr) *so_far = counter.Result();
        return absl::DeadlineExceededError("not all have ended in time");
      }
    }
    const absl::Status status = stream->status();
    const bool broken = status.ok() || IsPassing(status) || status.code() == absl::StatusCode::kCancelled ||
                        status.code() == absl::StatusCode::kUnknown || status.code() == absl::StatusCode::kInternal;
    const absl::Duration patience = ever_heard ? kPatience : kFirstPatience;
    if (!broken || absl::Now() - last_heard > patience) return status.ok() ? absl::UnavailableError("the master ended the call") : status;
    MUSTER_RETURN_IF_ERROR(client.Pause(std::min(backoff.Next(status), std::max(absl::ZeroDuration(), options.deadline - absl::Now()))));
  }
}

}  // namespace muster::cli
