#include "master/request_handler/refusal_log.h"

#include <vector>

#include "common/base/refusal.h"
#include "master/request_handler/timer.h"

namespace muster::handler {

struct RefusalLog::State : std::enable_shared_from_this<RefusalLog::State> {
  core::EventSink* const events;
  absl::Mutex mutex;
  absl::flat_hash_map<std::pair<std::string, std::string>, int64_t> counts ABSL_GUARDED_BY(mutex);
  bool closed ABSL_GUARDED_BY(mutex) = false;
  Timer timer ABSL_GUARDED_BY(mutex);

  explicit State(core::EventSink* sink) : events(sink) {}

  void Post() {
    absl::MutexLock lock(&mutex);
    if (closed) return;
    for (auto it = counts.begin(); it != counts.end();) {
      // A full mailbox refuses this too: then it is said later, with what has come by then.
      if (!events->Post(core::NoteRefusals{.cause = it->first.first, .by = it->first.second, .count = it->second})) break;
      counts.erase(it++);
    }
    if (!counts.empty()) PostLater();
  }

  void PostLater() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    timer.Start(absl::Seconds(1), [self = shared_from_this()] { self->Post(); });
  }
};

RefusalLog::RefusalLog(core::EventSink* events, telemetry::Metrics* metrics)
    : metrics_(metrics), state_(std::make_shared<State>(events)) {}

RefusalLog::~RefusalLog() {
  Flush();
  absl::MutexLock lock(&state_->mutex);
  state_->closed = true;
  state_->timer.Cancel();
}

void RefusalLog::Count(const absl::Status& refusal, std::string_view by) {
  std::string cause = ReasonOf(refusal);
  if (cause.empty()) cause = absl::StatusCodeToString(refusal.code());
  CountInMetrics(cause);
  absl::MutexLock lock(&state_->mutex);
  const bool first = state_->counts.empty();
  std::pair<std::string, std::string> key(std::move(cause), by);
  if (state_->counts.size() >= kMostKeys && !state_->counts.contains(key)) key = {key.first, "others"};
  ++state_->counts[std::move(key)];
  if (first && !state_->closed) state_->PostLater();
}

void RefusalLog::CountInMetrics(const std::string& cause) {
  if (metrics_ == nullptr) return;
  absl::MutexLock lock(&mutex_);
  const std::string& name = by_cause_.size() < kMostCauses || by_cause_.contains(cause) ? cause : "OTHER";
  telemetry::Counter*& counter = by_cause_[name];
  if (counter == nullptr) {
    counter = &metrics_->AddCounter("muster_requests_refused_total", "Calls that were refused, by the reason told.",
                                    {{"cause", name}});
  }
  counter->Increment();
}

void RefusalLog::Flush() { state_->Post(); }

}  // namespace muster::handler
