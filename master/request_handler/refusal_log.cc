#include "master/request_handler/refusal_log.h"

#include <vector>

#include "common/base/refusal.h"
#include "master/request_handler/timer.h"

namespace muster::handler {

struct RefusalLog::State {
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
  }
};

RefusalLog::RefusalLog(core::EventSink* events, telemetry::Metrics* metrics)
    : total_(metrics == nullptr
                 ? nullptr
                 : &metrics->AddCounter("muster_requests_refused_total", "Calls refused at the master's edge.")),
      state_(std::make_shared<State>(events)) {}

RefusalLog::~RefusalLog() {
  Flush();
  absl::MutexLock lock(&state_->mutex);
  state_->closed = true;
  state_->timer.Cancel();
}

void RefusalLog::Count(const absl::Status& refusal, std::string_view by) {
  if (total_ != nullptr) total_->Increment();
  std::string cause = ReasonOf(refusal);
  if (cause.empty()) cause = absl::StatusCodeToString(refusal.code());
  absl::MutexLock lock(&state_->mutex);
  const bool first = state_->counts.empty();
  std::pair<std::string, std::string> key(std::move(cause), by);
  if (state_->counts.size() >= kMostKeys && !state_->counts.contains(key)) key = {key.first, "others"};
  ++state_->counts[std::move(key)];
  if (first && !state_->closed) {
    state_->timer.Start(absl::Seconds(1), [state = state_] { state->Post(); });
  }
}

void RefusalLog::Flush() { state_->Post(); }

}  // namespace muster::handler
