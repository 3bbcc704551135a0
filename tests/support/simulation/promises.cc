#include "tests/support/simulation/promises.h"

#include <algorithm>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "tests/support/simulation/cluster_times.h"

namespace muster::simulation {
namespace {

// The loop may run a twentieth faster while it catches up, and clocks differ a little.
constexpr double kEarliestLoss = 0.945;
constexpr double kLatestLoss = 1.01;
constexpr absl::Duration kLossLooks = absl::Milliseconds(1300);
constexpr absl::Duration kExitTakes = absl::Milliseconds(50);

std::string Name(AttemptKey key) { return absl::StrCat("task ", key.task.value(), " attempt ", key.number.value()); }

std::string NameOf(EndReason reason) { return std::string(EndReasonName(reason)); }
std::string NameOf(TaskState state) { return std::string(TaskStateName(state)); }

std::string Name(TaskId task) { return absl::StrCat("task ", task.value()); }

int64_t CountedLosses(const testing::MemoryStore::StoredTask& task) {
  return std::count_if(task.attempt_ends.begin(), task.attempt_ends.end(),
                       [](const core::AttemptEndRow& end) { return end.used_worker_loss; });
}

bool HasEnded(const testing::MemoryStore::StoredTask& task, AttemptKey key) {
  return std::any_of(task.attempt_ends.begin(), task.attempt_ends.end(),
                     [key](const core::AttemptEndRow& end) { return end.key == key; });
}

int64_t CountedFailures(const testing::MemoryStore::StoredTask& task) {
  return std::count_if(task.attempt_ends.begin(), task.attempt_ends.end(),
                       [](const core::AttemptEndRow& end) { return end.used_attempt; });
}

int64_t LicencesOf(const TaskSpec& spec) {
  const auto& named = spec.requirements.resources.named;
  return named.empty() ? 0 : named.front().second;
}

}  // namespace

// --- What clients see

void Promises::Answered(const std::string& request_id, const core::SubmitAnswer& answer) {
  if (!answer.status.ok()) {
    scene_.Count(absl::StrCat("refused: ", ReasonOf(answer.status)));
    if (ReasonOf(answer.status).empty()) scene_.Wrong("a refusal without a reason");
    if (!RetryAfterOf(answer.status)) {
      scene_.Wrong(absl::StrCat("P7: a refusal without a delay: ", answer.status.ToString()));
    }
    return;
  }
  if (answer.repeated) scene_.Count("repeated call answered again");
  for (const TaskRange& range : answer.tasks) {
    if (store_.Find(range.first) == nullptr || store_.Find(TaskId(range.first.value() + range.count - 1)) == nullptr) {
      scene_.Wrong("P1: an OK came before its tasks were durable");
    }
  }
  const auto [first, is_new] = answers_.emplace(request_id, answer.tasks);
  if (!is_new && first->second != answer.tasks) {
    scene_.Wrong(absl::StrCat("P3: ", request_id, " was answered with other tasks than before"));
  }
}

bool Promises::AllEnded() const { return open_tasks_ == 0; }

// --- What the master does

void Promises::MasterStarts(const core::RecoveredState& state) {
  newest_session_.clear();
  for (const core::RecoveredTask& task : state.tasks) {
    const core::TaskHistory& past = task.history();
    const bool placed = !past.attempts.empty() && (past.attempt_ends.empty() ||
                                                   past.attempt_ends.back().key != past.attempts.back().key);
    if (placed) of_earlier_masters_.insert(past.attempts.back().key);
  }
}

void Promises::Committed(const core::Transaction& transaction) {
  for (const auto& row : transaction.specifications) open_tasks_ += row.count;
  for (const auto& row : transaction.attempt_ends) CheckClosing(row);
  for (const auto& row : transaction.outcomes) Ended(row);
}

void Promises::CheckClosing(const core::AttemptEndRow& row) {
  scene_.Count("attempt ended: " + NameOf(row.reason));
  const bool began = began_.contains(row.key);
  const bool blameless = row.reason == EndReason::kPreempted || row.reason == EndReason::kRejected ||
                         row.reason == EndReason::kLost || !began;
  if (row.used_attempt && blameless) {
    scene_.Wrong(absl::StrCat("P4: ", Name(row.key), " used up an attempt though it ", NameOf(row.reason)));
  }
  if (row.used_worker_loss && !WorkerDiedSince(row.key)) {
    scene_.Wrong(absl::StrCat("P4: ", Name(row.key), " counts as a loss though its worker's process lives"));
  }
}

bool Promises::WorkerDiedSince(AttemptKey key) const {
  const auto found = began_.find(key);
  if (found == began_.end()) return false;
  const auto deaths = deaths_.find(found->second.first);
  return deaths != deaths_.end() && deaths->second > found->second.second;
}

void Promises::Ended(const core::OutcomeRow& row) {
  --open_tasks_;
  scene_.Count(TaskStateName(row.state));
  const testing::MemoryStore::StoredTask& task = *store_.Find(row.task);
  const TaskSpec& spec = store_.SpecOf(row.task);
  CheckNeeds(row, spec, task.cancel.has_value());
  if (row.report && of_earlier_masters_.contains(row.report->key)) {
    scene_.Count("re-adopted, and ended as the same attempt");
  }
  if (row.report && row.report->started && !began_.contains(row.report->key)) {
    scene_.Wrong(absl::StrCat(Name(row.report->key), " decided its task, and never ran"));
  }
  if (row.state == TaskState::kSucceeded && !(row.report && Succeeded(row.report->end))) {
    scene_.Wrong(absl::StrCat(Name(row.task), " SUCCEEDED without a report that says so"));
  }
  const bool failed = row.state == TaskState::kFailed || (row.state == TaskState::kTimedOut && row.report);
  if (failed && row.reason == EndReason::kPreempted) {
    if (spec.on_worker_loss != OnWorkerLoss::kHold) {
      scene_.Wrong(absl::StrCat("P4: ", Name(row.task), " FAILED because it was preempted"));
    }
  } else if (failed && !task.cancel && CountedFailures(task) + 1 != spec.retry.max_attempts) {
    scene_.Wrong(absl::StrCat("P4: ", Name(row.task), " has ", CountedFailures(task) + 1, " failures of ",
                              spec.retry.max_attempts, " and is ", NameOf(row.state)));
  }
  if (row.state == TaskState::kPoisoned) {
    const auto deaths = std::count_if(task.attempts.begin(), task.attempts.end(),
                                      [this](const auto& attempt) { return WorkerDiedSince(attempt.key); });
    if (deaths < spec.max_worker_losses) {
      scene_.Wrong(absl::StrCat("P4: ", Name(row.task), " is POISONED by ", deaths, " deaths"));
    }
  }
  if (row.state == TaskState::kLost && spec.on_worker_loss != OnWorkerLoss::kHold) {
    scene_.Wrong(absl::StrCat("P4: ", Name(row.task), " is LOST and not under HOLD"));
  }
}

Promises::Needs Promises::NeedsOf(const TaskSpec& spec) const {
  const auto& all = spec.dependencies;
  bool met = true;
  for (size_t i = 0; i < all.size();) {
    bool open = false;
    bool failed = false;
    const DependencyCondition condition = all[i].condition;
    do {
      for (uint64_t task = 0; task < all[i].tasks.count; ++task) {
        const auto& outcome = store_.Find(TaskId(all[i].tasks.first.value() + task))->outcome;
        open |= !outcome;
        failed |= outcome && outcome->state != TaskState::kSucceeded;
      }
    } while (++i < all.size() && all[i].continues);
    if (condition == DependencyCondition::kSuccess && failed) return Needs::kImpossible;
    if (condition == DependencyCondition::kFailure && !open && !failed) return Needs::kImpossible;
    met &= !open;
  }
  return met ? Needs::kMet : Needs::kOpen;
}

// The ends of its turn are durable with its own.
void Promises::CheckNeeds(const core::OutcomeRow& row, const TaskSpec& spec, bool cancelled) {
  if (spec.dependencies.empty() || cancelled) return;
  const bool impossible = NeedsOf(spec) == Needs::kImpossible;
  if (impossible) scene_.Count("cancelled for what others did");
  if (impossible != (row.state == TaskState::kCancelled)) {
    scene_.Wrong(absl::StrCat("P10: ", Name(row.task), " ended ", NameOf(row.state), ", and what it depends on ",
                              impossible ? "never let it start" : "let it"));
  }
}

void Promises::Places(const core::Assign& assign, const core::ClusterCore& core) {
  const auto worker = core.FindWorker(assign.worker);
  // One in quarantine is tried with one attempt at a time.
  const bool is_probe = worker && worker->state == WorkerState::kQuarantined &&
                        worker->used.slots == assign.spec->requirements.resources.slots;
  if (is_probe) scene_.Count("tried in quarantine");
  if (!worker || (worker->state != WorkerState::kActive && !is_probe)) {
    scene_.Wrong(absl::StrCat("P6: ", Name(assign.key), " goes to a worker that is not ACTIVE"));
  }
}

void Promises::Releases(const core::Effect& effect) {
  if (const auto* assign = std::get_if<core::Assign>(&effect)) {
    ReleasesAssign(*assign);
  } else if (const auto* ack = std::get_if<core::Acknowledge>(&effect)) {
    NewestOnly(ack->worker, ack->session, "an acknowledgement");
    const auto* stored = store_.Find(ack->key.task);
    if (stored == nullptr || !(stored->outcome || HasEnded(*stored, ack->key))) {
      scene_.Wrong(absl::StrCat("P1: the result of ", Name(ack->key), " was acknowledged and is not durable"));
    }
  } else if (const auto* stop = std::get_if<core::Stop>(&effect)) {
    NewestOnly(stop->worker, stop->session, "a stop");
    if (stop->reason == EndReason::kLost) scene_.Count("superseded attempt stopped");
  } else if (const auto* recall = std::get_if<core::Recall>(&effect)) {
    NewestOnly(recall->worker, recall->session, "a recall");
    scene_.Count("recalled");
  } else if (const auto* drain = std::get_if<core::SendDrain>(&effect)) {
    NewestOnly(drain->worker, drain->session, "a drain");
  } else if (const auto* changed = std::get_if<core::TaskChanged>(&effect)) {
    Told(*changed);
  }
}

void Promises::ReleasesAssign(const core::Assign& assign) {
  scene_.Count(assign.prefetched ? "sent ahead" : "sent");
  NewestOnly(assign.worker, assign.session, "an assignment");
  if (!sent_.insert(assign.key).second) scene_.Wrong(absl::StrCat("P5: ", Name(assign.key), " was sent twice"));
  const auto* stored = store_.Find(assign.key.task);
  if (stored == nullptr || stored->attempts.empty() || stored->attempts.back().key != assign.key) {
    return scene_.Wrong(absl::StrCat("P5: ", Name(assign.key), " was sent and is not durable"));
  }
  if (NeedsOf(*assign.spec) != Needs::kMet) {
    scene_.Wrong(absl::StrCat("P10: ", Name(assign.key), " starts before what it depends on has ended as asked"));
  } else if (!assign.spec->dependencies.empty()) {
    scene_.Count("started after others");
  }
  if (stored->cancel) scene_.Wrong(absl::StrCat("cancelled ", Name(assign.key), " was dispatched"));
  StaysInLimits(assign);
  if (CountedLosses(*stored) >= 2) {
    scene_.Count("suspect dispatched");
    if (HasSuspectBeside(assign.key.task, stored->attempts.back())) {
      scene_.Wrong(absl::StrCat(Name(assign.key), ", which killed two workers, runs beside another such task"));
    }
  }
}

// By the rows, which are those of the whole turn.
void Promises::StaysInLimits(const core::Assign& assign) {
  const TaskSpec& spec = *assign.spec;
  uint64_t in_queue = 0;
  uint64_t with_key = 0;
  for (const auto& [id, other] : store_.tasks()) {
    if (other.outcome) continue;
    const TaskSpec& known = store_.SpecOf(id);
    const bool placed = !other.attempts.empty() && !HasEnded(other, other.attempts.back().key);
    in_queue += placed && known.queue == spec.queue ? 1 : 0;
    if (spec.limit == 0 || known.limit_key != spec.limit_key) continue;
    with_key += placed ? 1 : 0;
    if (spec.limit > 1 || id == assign.key.task) continue;
    if (!other.attempts.empty()) {
      scene_.Wrong(absl::StrCat("P7: ", Name(assign.key), " starts before the end of ", Name(id), ", which has its key"));
    } else if (id < assign.key.task && assign.key.number == AttemptNumber(1) && known.start_time == absl::InfinitePast() &&
               known.dependencies.empty()) {
      scene_.Wrong(absl::StrCat("P7: ", Name(assign.key), " starts before ", Name(id), ", which came before it"));
    }
  }
  const core::QueueSettingRow* const row = store_.FindQueueSetting(spec.queue);
  const uint64_t most = row != nullptr && row->by_hand ? row->by_hand->max_running : 0;
  if (most > 0 && in_queue > most) {
    scene_.Wrong(absl::StrCat("P7: with ", Name(assign.key), " queue ", spec.queue, " runs ", in_queue, " of ", most));
  }
  if (spec.limit > 0 && with_key > spec.limit) {
    scene_.Wrong(absl::StrCat("P7: with ", Name(assign.key), " ", with_key, " with key ", spec.limit_key, " run"));
  }
}

bool Promises::HasSuspectBeside(TaskId task, const core::AttemptRow& row) const {
  return std::any_of(store_.tasks().begin(), store_.tasks().end(), [&](const auto& entry) {
    const testing::MemoryStore::StoredTask& other = entry.second;
    if (entry.first == task || other.outcome || other.attempts.empty() || CountedLosses(other) < 2) return false;
    const core::AttemptRow& last = other.attempts.back();
    const bool over = !other.attempt_ends.empty() && other.attempt_ends.back().key == last.key;
    return !over && last.worker == row.worker && last.incarnation == row.incarnation;
  });
}

void Promises::DropsSession(const core::CloseSession& close) {
  SessionNumber& newest = newest_session_[close.worker];
  if (newest == close.session) newest = SessionNumber();
}

void Promises::NewestOnly(WorkerId worker, SessionNumber session, const char* what) {
  if (newest_session_[worker] != session) {
    scene_.Wrong(absl::StrCat("P5: ", what, " goes out on session ", session.value(), ", the newest is ",
                              newest_session_[worker].value()));
  }
}

void Promises::Told(const core::TaskChanged& changed) {
  if (!IsTerminal(changed.state)) return;
  const auto* stored = store_.Find(changed.task);
  if (stored == nullptr || !stored->outcome || stored->outcome->state != changed.state) {
    scene_.Wrong(absl::StrCat("P2: ", Name(changed.task), " was told to be ", NameOf(changed.state),
                              ", which is not its durable end"));
  }
}

void Promises::Lost(const std::string& worker, absl::Time last_heard, absl::Time calm_since) {
  const absl::Duration silent = scene_.now() - last_heard;
  if (silent < kLostAfter * kEarliestLoss) {
    scene_.Wrong(absl::StrCat("P6: ", worker, " is LOST after a silence of ", absl::FormatDuration(silent)));
  }
  if (calm_since <= last_heard && silent > kLostAfter * kLatestLoss + kLossLooks) {
    scene_.Wrong(absl::StrCat("P6: ", worker, " is LOST only after a silence of ", absl::FormatDuration(silent)));
  }
}

void Promises::Sends(const std::string& worker, absl::Time last_heard, absl::Time calm_since) {
  const absl::Duration silent = scene_.now() - last_heard;
  if (calm_since <= last_heard && silent > 3 * kHeartbeat * kLatestLoss + kExitTakes) {
    scene_.Wrong(absl::StrCat("P6: ", worker, " got work after a silence of ", absl::FormatDuration(silent)));
  }
}

// --- What workers do

void Promises::Uses(const std::string& worker, uint32_t used, uint32_t slots) {
  if (used > slots) scene_.Wrong(absl::StrCat("P7: ", worker, " uses ", used, " slots of ", slots));
}

void Promises::Begins(AttemptKey key, OnWorkerLoss mode, const std::string& worker) {
  scene_.Count("executions");
  if (scene_.traces()) scene_.Trace(absl::StrCat(Name(key), " begins on ", worker));
  if (!began_.emplace(key, std::make_pair(worker, deaths_[worker])).second) {
    scene_.Wrong(absl::StrCat("P5: ", Name(key), " ran twice"));
  }
  if (!sent_.contains(key)) scene_.Wrong(absl::StrCat("P5: ", Name(key), " runs and was never sent"));
  const auto& attempts = store_.Find(key.task)->attempts;
  const auto row =
      std::find_if(attempts.begin(), attempts.end(), [key](const auto& attempt) { return attempt.key == key; });
  if (row == attempts.end() || row->worker != worker) {
    scene_.Wrong(absl::StrCat("P5: ", Name(key), " runs on ", worker, ", which it was not given to"));
  }
  AttemptNumber& newest = newest_begun_[key.task];
  if (mode != OnWorkerLoss::kRerun && key.number < newest) {
    scene_.Wrong(absl::StrCat("P4: ", Name(key), " begins after attempt ", newest.value(), " began"));
  }
  newest = std::max(newest, key.number);
  const int times = ++times_[key.task];
  const int copies = ++running_[key.task];
  if (copies > 1) scene_.Count("copies at once");
  if (mode == OnWorkerLoss::kHold && times > 1) {
    scene_.Wrong(absl::StrCat("P4: ", Name(key.task), " under HOLD ran twice"));
  }
  if (mode == OnWorkerLoss::kRerunAfterFence && copies > 1) {
    scene_.Wrong(absl::StrCat("P4: ", Name(key), " under RERUN_AFTER_FENCE runs beside an earlier attempt"));
  }
  CheckLicences(key);
}

// By what really runs. One that was cancelled may go on where nobody hears of it.
void Promises::CheckLicences(AttemptKey key) {
  if (LicencesOf(store_.SpecOf(key.task)) == 0) return;
  int64_t taken = 0;
  for (const auto& [task, copies] : running_) {
    if (copies > 0 && !store_.Find(task)->cancel) taken += LicencesOf(store_.SpecOf(task));
  }
  scene_.Count(taken == kLicences ? "all licences taken" : "licence taken");
  if (taken <= kLicences) return;
  scene_.Wrong(absl::StrCat("P7: with ", Name(key), " ", taken, " licences are taken, and there are ", kLicences));
}

void Promises::Ends(AttemptKey key) {
  if (scene_.traces()) scene_.Trace(absl::StrCat(Name(key), " ends"));
  --running_[key.task];
}

void Promises::Obeys(const std::string& worker, Incarnation incarnation, Epoch epoch, SessionNumber session) {
  const std::pair<Epoch, SessionNumber> now(epoch, session);
  auto& newest = obeyed_[{worker, incarnation}];
  if (now <= newest) {
    scene_.Wrong(absl::StrCat("P5: ", worker, " obeys epoch ", epoch.value(), " session ", session.value(),
                              " after epoch ", newest.first.value(), " session ", newest.second.value()));
  }
  newest = now;
}

void Promises::Left(const std::string& worker, absl::Duration too_late) {
  if (too_late > kExitTakes) {
    scene_.Wrong(absl::StrCat("P6: ", worker, " left ", absl::FormatDuration(too_late), " after its drain's deadline"));
  }
}

}  // namespace muster::simulation
