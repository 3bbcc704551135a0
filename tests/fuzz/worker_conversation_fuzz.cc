// A worker under masters that say anything: sessions, assignments, stops, recalls, acknowledgements and drains in any
// order and with any names, while its own attempts start and end, the lease runs out and time passes.
//
// Claims: no invariant of the worker's core breaks; nothing runs twice at once; only what runs is stopped; a result is
// told only while it is kept; what waits starts when there is room.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "conversations.pb.h"
#include "tests/fuzz/message_input.h"
#include "worker/core/worker_core.h"
#include "worker/session/attempt_work.h"
#include "worker/session/order_reader.h"

namespace muster::fuzz {
namespace {

constexpr int kMostSteps = 60;

class Conversation {
 public:
  Conversation() : core_({.slots = 3, .max_held = 24}) {}

  void Play(ToWorker& input) {
    int steps = 0;
    for (ToWorker::Step& step : *input.mutable_steps()) {
      if (++steps > kMostSteps) break;
      Take(step);
    }
    EndEverything();
  }

 private:
  void Take(ToWorker::Step& step) {
    switch (step.what_case()) {
      case ToWorker::Step::kOrder: return Order(step.mutable_order());
      case ToWorker::Step::kEndStream: return Apply(worker::SessionEnded{worker::StreamId(step.end_stream())});
      case ToWorker::Step::kStarted:
        if (const AttemptKey* key = Running(step.started())) Apply(worker::ExecutionStarted{*key, now_});
        return;
      case ToWorker::Step::kExited:
        if (const AttemptKey* key = Running(step.exited())) Exit(*key);
        return;
      case ToWorker::Step::kLeaseMilliseconds:
        return Apply(worker::LeaseExtended{now_ + absl::Milliseconds(step.lease_milliseconds())});
      case ToWorker::Step::kPassMilliseconds: return Pass(absl::Milliseconds(step.pass_milliseconds()));
      case ToWorker::Step::kRefuseBecause: return Apply(worker::RefusalChanged{step.refuse_because()});
      case ToWorker::Step::kDirect: return Apply(worker::DirectRequested{step.direct(), nullptr});
      case ToWorker::Step::kDirectEnded: return Apply(worker::DirectEnded{step.direct_ended()});
      case ToWorker::Step::kLeave:
        return Apply(worker::DrainRequested{.deadline = now_ + absl::Milliseconds(step.leave()), .leaving = true});
      case ToWorker::Step::WHAT_NOT_SET: return;
    }
  }

  void Order(ToWorker::Order* order) {
    v1::SessionRequest& request = *order->mutable_message();
    for (const v1::TaskSpec& spec : order->specs()) request.add_specs(spec.SerializeAsString());
    worker::SessionMessage message{.stream = worker::StreamId(order->stream())};
    if (request.has_open()) message.events.emplace_back(worker::ReadOpening(request.open(), message.stream));
    const worker::OrderContext context{{"w1", "master:7070"}, absl::Seconds(25), now_};
    worker::ReadOrders(request, context, &message);
    for (worker::WorkerEvent& event : message.events) Apply(std::move(event));
    for (const worker::OutputOrder& output : message.output) MUSTER_CLAIM(output.offset >= 0, "");
  }

  const AttemptKey* Running(uint32_t number) const {
    return running_.empty() ? nullptr : &running_[number % running_.size()];
  }

  void Exit(AttemptKey key) {
    auto report = std::make_shared<AttemptReport>();
    report->key = key;
    report->end.reason = EndReason::kExited;
    report->started = true;
    report->end_time = now_;
    std::erase(running_, key);
    Apply(worker::ExecutionEnded{std::move(report)});
  }

  void Pass(absl::Duration time) {
    now_ += time;
    std::vector<worker::WorkerEffect> effects;
    core_.Tick(now_, &effects);
    Follow(effects);
  }

  void Apply(worker::WorkerEvent event) {
    std::vector<worker::WorkerEffect> effects;
    core_.Apply(std::move(event), now_, &effects);
    Follow(effects);
  }

  void Follow(const std::vector<worker::WorkerEffect>& effects) {
    core_.CheckInvariants();
    for (const worker::WorkerEffect& effect : effects) {
      if (const auto* start = std::get_if<worker::StartExecution>(&effect)) Start(*start);
      if (const auto* result = std::get_if<worker::SendResult>(&effect)) {
        MUSTER_CLAIM(result->report != nullptr && core_.PhaseOf(result->report->key) == worker::HeldPhase::kFinished,
                     "a result is told while it is kept");
      }
      if (const auto* stop = std::get_if<worker::StopExecution>(&effect)) {
        MUSTER_CLAIM(std::find(running_.begin(), running_.end(), stop->key) != running_.end(), "only what runs is stopped");
      }
    }
    MUSTER_CLAIM(core_.View().running >= running_.size(), absl::StrCat(running_.size(), " run"));
  }

  void Start(const worker::StartExecution& start) {
    MUSTER_CLAIM(worker::IsClusterKey(start.key), absl::StrCat(start.key.task.value()));
    MUSTER_CLAIM(std::find(running_.begin(), running_.end(), start.key) == running_.end(), "it runs already");
    const auto* work = static_cast<const worker::AttemptWork*>(start.work.get());
    MUSTER_CLAIM(work != nullptr && work->key == start.key, "");
    running_.push_back(start.key);
  }

  void EndEverything() {
    Pass(absl::Hours(1));
    while (!running_.empty()) Exit(running_.front());
    // Direct executions are the only others.
    MUSTER_CLAIM(core_.View().running == core_.View().used_slots, "nothing runs that the host does not run");
    MUSTER_CLAIM(core_.View().waiting == 0 || core_.View().running > 0, "what waits starts when there is room");
  }

  worker::WorkerCore core_;
  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  std::vector<AttemptKey> running_;
};

}  // namespace
}  // namespace muster::fuzz

using muster::fuzz::ToWorker;

MUSTER_MESSAGE_FUZZ(ToWorker, input) { muster::fuzz::Conversation().Play(input); }
