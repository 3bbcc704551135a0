// Random masters, hosts, leases and signals against the worker's core, watched by a model that only knows what was
// promised: nothing starts twice, never more slots than there are, one end for each accepted attempt, no result
// forgotten before its acknowledgement. Replay one seed with MUSTER_SEED=n and --gtest_filter=WorkerCoreProperty.*
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "tests/support/sanitized.h"
#include "worker/core/worker_core.h"

namespace muster::worker {
namespace {

constexpr uint64_t kSeeds = kSanitized ? 150 : 1500;
constexpr int kSteps = 120;

enum class Fate { kWaiting, kRunning, kFinished };
struct Attempt {
  Fate fate = Fate::kWaiting;
  uint32_t slots = 1;
};

class Model {
 public:
  explicit Model(uint64_t seed)
      : random_(seed), config_{.slots = 1 + Draw(4), .max_held = 8 + Draw(16)}, core_(config_) {}

  void Run() {
    for (int step = 0; step < kSteps && !::testing::Test::HasFailure(); ++step) {
      now_ += absl::Milliseconds(Draw(400));
      Step();
      core_.CheckInvariants();
      CheckView();
    }
  }

 private:
  uint32_t Draw(uint32_t below) { return static_cast<uint32_t>(random_() % below); }
  AttemptKey AnyKey() { return {TaskId(1 + Draw(12)), AttemptNumber(1 + Draw(3))}; }
  // Mostly the present session, sometimes an older one.
  StreamId AnyStream() { return StreamId(streams_ == 0 || Draw(8) > 0 ? streams_ : 1 + Draw(streams_)); }

  void Step() {
    // What came due is done first, so that below the model and the core start from the same state.
    Collect([this](auto* effects) { core_.Tick(now_, effects); });
    switch (Draw(16)) {
      case 0: return OpenSession();
      case 1:
        if (Draw(4) == 0) return Apply(SessionEnded{AnyStream()});
        return;
      case 2: case 3: case 4: case 5: return Assign();
      case 6: case 7: case 8: return EndOne();
      case 9: return Apply(StopRequested{AnyStream(), AnyKey(), EndReason::kCancelled, absl::InfiniteDuration()});
      case 10: return Apply(RecallRequested{AnyStream(), AnyKey()});
      case 11: return AcknowledgeOne();
      case 12: return Apply(LeaseExtended{now_ + absl::Milliseconds(Draw(3000))});
      case 13: return Direct();
      case 14: return Rare();
      default: return Apply(WorkEnded{AnyKey(), now_});
    }
  }

  void Rare() {
    switch (Draw(10)) {
      case 0: return Apply(DrainRequested{AnyStream(), now_ + absl::Milliseconds(Draw(2000))});
      case 1: case 2: case 3: return Apply(ResumeRequested{AnyStream()});
      case 4: return Apply(RefusalChanged{Draw(2) == 0 ? "" : "disk low"});
      case 5: return Apply(DrainRequested{StreamId(), now_ + absl::Milliseconds(Draw(9000)), Draw(4) == 0});
      default: return;
    }
  }

  void OpenSession() {
    ++streams_;
    if (Draw(12) == 0) cluster_ = cluster_ == "a" ? "b" : "a", epoch_ = 100 + ++number_;
    Apply(SessionOpening{StreamId(streams_), cluster_, Epoch(epoch_ - (Draw(5) == 0 ? 1 : 0)),
                         SessionNumber(++number_)});
  }

  void Assign() {
    const AttemptKey key = AnyKey();
    const auto loss = Draw(3) == 0 ? OnWorkerLoss::kRerunAfterFence : OnWorkerLoss::kRerun;
    assigned_ = {key, {.slots = 1 + Draw(config_.slots + 1)}};
    const StreamId stream = AnyStream();
    // Given back while no session was open: the next Hello would have said so.
    if (const auto it = attempts_.find(key); it != attempts_.end() && !core_.PhaseOf(key)) attempts_.erase(it);
    accepting_ = core_.IsCurrent(stream) && !attempts_.contains(key);
    Apply(Assigned{.stream = stream, .key = key, .slots = assigned_.second.slots, .on_worker_loss = loss});
    accepting_ = false;
  }

  void EndOne() {
    std::vector<AttemptKey> running(orphans_.begin(), orphans_.end());
    for (const auto& [key, attempt] : attempts_) {
      if (attempt.fate == Fate::kRunning) running.push_back(key);
    }
    if (running.empty()) return;
    auto report = std::make_shared<AttemptReport>();
    report->key = running[Draw(static_cast<uint32_t>(running.size()))];
    report->end.reason = EndReason::kExited;
    report->started = true;
    if (!orphans_.contains(report->key)) attempts_[report->key].fate = Fate::kFinished;
    Apply(ExecutionEnded{report});
  }

  void AcknowledgeOne() {
    const AttemptKey key = AnyKey();
    const StreamId stream = AnyStream();
    const auto it = attempts_.find(key);
    if (core_.IsCurrent(stream) && it != attempts_.end() && it->second.fate == Fate::kFinished) attempts_.erase(it);
    Apply(ResultAcknowledged{stream, key});
  }

  void Direct() {
    if (!directs_.empty() && Draw(2) == 0) {
      const uint64_t direct = *directs_.begin();
      directs_.erase(directs_.begin());
      return Apply(DirectEnded{direct});
    }
    Apply(DirectRequested{.direct = ++next_direct_});
  }

  void Apply(WorkerEvent event) {
    Collect([this, &event](auto* effects) { core_.Apply(std::move(event), now_, effects); });
  }

  template <typename Act>
  void Collect(Act act) {
    std::vector<WorkerEffect> effects;
    act(&effects);
    const bool let_go = std::any_of(effects.begin(), effects.end(),
                                    [](const auto& e) { return std::holds_alternative<ClusterChanged>(e); });
    if (let_go) LetGo();
    if (accepting_) {
      const bool refused = std::any_of(effects.begin(), effects.end(),
                                       [](const auto& e) { return std::holds_alternative<SendRefusal>(e); });
      if (!refused) attempts_.emplace(assigned_);
      accepting_ = false;
    }
    for (const WorkerEffect& effect : effects) {
      std::visit([this](const auto& known) { On(known); }, effect);
    }
  }

  void LetGo() {
    for (const auto& [key, attempt] : attempts_) {
      if (attempt.fate == Fate::kRunning) orphans_.insert(key);
    }
    attempts_.clear();
  }

  void On(const StartValidation& effect) {
    ASSERT_TRUE(attempts_.contains(effect.key));
    ASSERT_EQ(attempts_[effect.key].fate, Fate::kRunning) << "validated though it does not run";
  }

  void On(const SendValidating& effect) { ASSERT_EQ(core_.PhaseOf(effect.key), HeldPhase::kValidating); }
  void On(const StartDirectValidation&) {}

  void On(const StartExecution& effect) {
    ASSERT_TRUE(attempts_.contains(effect.key)) << "started without being accepted";
    ASSERT_EQ(attempts_[effect.key].fate, Fate::kWaiting) << "started twice";
    ASSERT_FALSE(orphans_.contains(effect.key)) << "two of one name at once";
    attempts_[effect.key].fate = Fate::kRunning;
  }
  void On(const StopExecution& effect) {
    const auto it = attempts_.find(effect.key);
    ASSERT_TRUE(orphans_.contains(effect.key) || (it != attempts_.end() && it->second.fate == Fate::kRunning));
  }
  void On(const SendGivenBack& effect) {
    const auto it = attempts_.find(effect.key);
    ASSERT_TRUE(it != attempts_.end() && it->second.fate == Fate::kWaiting) << "given back after its start";
    attempts_.erase(it);
  }
  void On(const SendResult& effect) {
    ASSERT_TRUE(core_.IsCurrent(effect.stream));
    const auto it = attempts_.find(effect.report->key);
    ASSERT_TRUE(it != attempts_.end()) << "a result of something not held";
    // Stopped before it started: the core alone makes this one.
    if (it->second.fate == Fate::kWaiting) {
      ASSERT_FALSE(effect.report->started);
      it->second.fate = Fate::kFinished;
    }
    ASSERT_EQ(it->second.fate, Fate::kFinished);
  }
  void On(const SendHello& effect) {
    // What was given back without a session is simply not there any more.
    std::set<AttemptKey> told;
    for (const auto& [key, phase] : effect.held) {
      ASSERT_TRUE(told.insert(key).second);
      ASSERT_TRUE(attempts_.contains(key));
      if (attempts_[key].fate == Fate::kRunning) {
        ASSERT_TRUE(phase == HeldPhase::kRunning || phase == HeldPhase::kValidating);
      }
      if (attempts_[key].fate == Fate::kFinished) { ASSERT_EQ(phase, HeldPhase::kFinished); }
    }
    for (auto it = attempts_.begin(); it != attempts_.end();) {
      if (told.contains(it->first)) {
        ++it;
        continue;
      }
      ASSERT_EQ(it->second.fate, Fate::kWaiting) << "forgotten: a result, or something that runs";
      it = attempts_.erase(it);
    }
  }
  void On(const Orphaned& effect) { ASSERT_EQ(orphans_.erase(effect.report->key), 1u); }
  void On(const StartDirect& effect) { directs_.insert(effect.direct); }
  void On(const StopDirect& effect) { ASSERT_TRUE(directs_.contains(effect.direct)); }
  void On(const DrainFinished&) { ASSERT_FALSE(std::exchange(drained_, true)); }
  void On(const SendStarted&) {}
  void On(const SendRefusal&) {}
  void On(const RefuseDirect&) {}
  void On(const RejectSession&) {}
  void On(const ClusterChanged&) {}

  void CheckView() {
    const WorkerCoreView view = core_.View();
    ASSERT_LE(view.used_slots, config_.slots);
    uint32_t running = 0;
    uint32_t finished = 0;
    uint32_t slots = static_cast<uint32_t>(directs_.size());
    for (auto it = attempts_.begin(); it != attempts_.end(); ++it) {
      ASSERT_TRUE(it->second.fate == Fate::kWaiting || core_.PhaseOf(it->first).has_value()) << "forgotten";
      if (it->second.fate == Fate::kRunning) ++running, slots += it->second.slots;
      if (it->second.fate == Fate::kFinished) ++finished;
    }
    ASSERT_EQ(view.running, running + orphans_.size() + directs_.size());
    ASSERT_GE(view.unacknowledged, finished);
    if (orphans_.empty()) { ASSERT_EQ(view.used_slots, slots); }
    ASSERT_GE(core_.NextDue(), absl::UnixEpoch());
  }

  std::mt19937_64 random_;
  const WorkerCoreConfig config_;
  WorkerCore core_;
  absl::Time now_ = absl::UnixEpoch();
  uint64_t streams_ = 0;
  uint64_t number_ = 0;
  int64_t epoch_ = 1;
  std::string cluster_ = "a";
  std::map<AttemptKey, Attempt> attempts_;
  std::set<AttemptKey> orphans_;
  std::set<uint64_t> directs_;
  uint64_t next_direct_ = 0;
  std::pair<AttemptKey, Attempt> assigned_;
  bool accepting_ = false;
  bool drained_ = false;
};

TEST(WorkerCoreProperty, KeepsItsPromisesUnderRandomSchedules) {
  if (const char* seed = std::getenv("MUSTER_SEED")) {
    Model(std::strtoull(seed, nullptr, 10)).Run();
    return;
  }
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Model(seed).Run();
    ASSERT_FALSE(HasFailure()) << "replay: MUSTER_SEED=" << seed
                               << " unit_worker_core_test --gtest_filter=WorkerCoreProperty.*";
  }
}

}  // namespace
}  // namespace muster::worker
