#include "master/registry/worker_health.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"

namespace muster::registry {
namespace {

constexpr size_t kInstantFailures = 3;
constexpr size_t kFailuresOfAnOutlier = WorkerHealth::kWindow / 2;
constexpr uint64_t kTimesTheFleet = 3;
constexpr size_t kFleetPerQuarantined = 3;
constexpr int kOutlivesInstant = 5;  // times
constexpr absl::Duration kFirstPause = absl::Milliseconds(50);
constexpr absl::Duration kLongestPause = absl::Seconds(1);

}  // namespace

struct WorkerHealth::Sample {
  uint64_t fingerprint = 0;
  AttemptResult result = AttemptResult::kSucceeded;
  bool instant = false;
  bool counted = false;  // as it was judged when it came
};

struct WorkerHealth::Record {
  std::array<Sample, kWindow> samples;
  size_t count = 0;  // of them
  size_t next = 0;   // the newest is the one before
  Standing::Level level = Standing::Level::kSound;
  bool may_try = false;
  absl::Duration pause;                        // before the next try
  absl::Time try_at = absl::InfiniteFuture();  // as it stands in dues_
  size_t failures = 0;                         // that led to it, for the reason

  bool OfTheFleet() const { return level != Standing::Level::kQuarantined; }
  uint64_t CountedWhenTheyCame() const {
    return static_cast<uint64_t>(std::count_if(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(count),
                                               [](const Sample& sample) { return sample.counted; }));
  }
};

WorkerHealth::WorkerHealth(HealthConfig config) : config_(config), evidence_(config.instant * kOutlivesInstant) {}
WorkerHealth::~WorkerHealth() = default;

void WorkerHealth::SetInService(WorkerId worker, bool in_service) {
  if (in_service == (Find(worker) != nullptr)) return;
  if (in_service) {
    if (worker.value() >= records_.size()) records_.resize(worker.value() + 1);
    records_[worker.value()] = std::make_unique<Record>();
    ++in_service_;
    return;
  }
  Clear(worker);
  records_[worker.value()].reset();
  --in_service_;
  evidence_.NoteGone(worker);
  KeepToTheShare();
}

void WorkerHealth::Clear(WorkerId worker) {
  Record* const record = Find(worker);
  if (record == nullptr) return;
  MakeSound(worker, record);
  EmptyWindow(record);
}

void WorkerHealth::Restarted(WorkerId worker) {
  Clear(worker);
  evidence_.NoteGone(worker);
}

void WorkerHealth::Observe(const ObservedAttempt& attempt, absl::Time now) {
  evidence_.NoteEnded(attempt.fingerprint, attempt.worker, attempt.result);
  Record* const record = Find(attempt.worker);
  if (record == nullptr || !config_.enabled) return;
  Sample sample{attempt.fingerprint, attempt.result, attempt.run_time <= config_.instant, false};
  const Blame blame = BlameFor(attempt.worker, sample, now);
  sample.counted = blame == Blame::kWorker;
  Push(record, sample);
  Judge(attempt.worker, record, attempt.result == AttemptResult::kSucceeded, blame, now);
}

void WorkerHealth::CountIn(const Record& record) {
  attempts_ += record.count;
  counted_ += record.CountedWhenTheyCame();
}

void WorkerHealth::CountOut(const Record& record) {
  attempts_ -= record.count;
  counted_ -= record.CountedWhenTheyCame();
}

void WorkerHealth::Push(Record* record, const Sample& sample) {
  Sample& oldest = record->samples[record->next];
  const bool full = record->count == kWindow;
  if (record->OfTheFleet()) {
    attempts_ += full ? 0 : 1;
    counted_ += sample.counted ? 1 : 0;
    counted_ -= full && oldest.counted ? 1 : 0;
  }
  oldest = sample;
  record->next = (record->next + 1) % kWindow;
  record->count = std::min(record->count + 1, kWindow);
}

void WorkerHealth::EmptyWindow(Record* record) {
  if (record->OfTheFleet()) CountOut(*record);
  record->count = 0;
  record->next = 0;
}

// --- Judging

void WorkerHealth::Judge(WorkerId worker, Record* record, bool succeeded, Blame blame, absl::Time now) {
  if (record->level == Standing::Level::kQuarantined) return JudgeQuarantined(worker, record, succeeded, blame, now);
  if (in_service_ < kFleetPerQuarantined || succeeded) return MakeSound(worker, record);
  if (IsOutlier(worker, *record, now)) {
    if ((quarantined_ + 1) * kFleetPerQuarantined <= in_service_) {
      record->failures = CountedFailures(worker, *record, now);
      return Lower(worker, record, Standing::Level::kQuarantined, config_.first_probe, now);
    }
    ++counts_.withheld;
  }
  if (record->level == Standing::Level::kOneAtATime) {
    if (blame == Blame::kCommand) return MakeSound(worker, record);
    return FailedTry(worker, record, kLongestPause, true, now);
  }
  if (FailsAtOnce(worker, *record, now)) Lower(worker, record, Standing::Level::kOneAtATime, kFirstPause, now);
}

void WorkerHealth::JudgeQuarantined(WorkerId worker, Record* record, bool succeeded, Blame blame, absl::Time now) {
  if (!record->may_try) return;  // what was under way before says nothing new
  if (succeeded || (blame != Blame::kWorker && !IsOutlier(worker, *record, now))) return Clear(worker);
  FailedTry(worker, record, config_.longest_probe, blame == Blame::kWorker, now);
}

void WorkerHealth::FailedTry(WorkerId worker, Record* record, absl::Duration longest, bool longer, absl::Time now) {
  if (!record->may_try) return;
  if (longer) record->pause = std::min(record->pause * 2, std::max(longest, record->pause));
  Rest(worker, record, now + record->pause);
}

void WorkerHealth::Lower(WorkerId worker, Record* record, Standing::Level level, absl::Duration pause, absl::Time now) {
  const bool quarantine = level == Standing::Level::kQuarantined;
  ++(quarantine ? counts_.quarantined : counts_.limited);
  if (quarantine) {
    ++quarantined_;
    CountOut(*record);
  }
  record->level = level;
  record->pause = pause;
  Rest(worker, record, now + pause);
}

void WorkerHealth::MakeSound(WorkerId worker, Record* record) {
  if (record->level == Standing::Level::kSound) return;
  if (record->level == Standing::Level::kQuarantined) {
    --quarantined_;
    CountIn(*record);
  }
  record->level = Standing::Level::kSound;
  Rest(worker, record, absl::InfiniteFuture());
}

void WorkerHealth::Rest(WorkerId worker, Record* record, absl::Time until) {
  dues_.erase({record->try_at, worker});
  record->may_try = false;
  record->try_at = until;
  if (until != absl::InfiniteFuture()) dues_.insert({until, worker});
  changed_.insert(worker);
}

void WorkerHealth::KeepToTheShare() {
  const auto order = [](const std::unique_ptr<Record>& record) {
    if (record == nullptr || record->level != Standing::Level::kQuarantined) return absl::InfiniteFuture();
    return record->may_try ? absl::InfinitePast() : record->try_at;
  };
  while (quarantined_ * kFleetPerQuarantined > in_service_) {
    const auto soonest =
        std::min_element(records_.begin(), records_.end(), [&](const auto& a, const auto& b) { return order(a) < order(b); });
    Clear(WorkerId(static_cast<uint32_t>(soonest - records_.begin())));
  }
}

void WorkerHealth::Expire(absl::Time now) {
  while (!dues_.empty() && dues_.begin()->first <= now) {
    const WorkerId worker = dues_.begin()->second;
    Record& record = *Find(worker);
    const bool quarantined = record.level == Standing::Level::kQuarantined;
    if (!quarantined && !FailsAtOnce(worker, record, now)) {
      MakeSound(worker, &record);  // the command has turned out at fault meanwhile
      continue;
    }
    if (quarantined) ++counts_.probes;
    Rest(worker, &record, absl::InfiniteFuture());
    record.may_try = true;
  }
}

// --- What it knows

Blame WorkerHealth::BlameFor(WorkerId worker, const Sample& sample, absl::Time now) const {
  if (sample.result == AttemptResult::kSucceeded) return Blame::kCommand;
  return evidence_.Whose(sample.fingerprint, worker, sample.result, now);
}

bool WorkerHealth::FailsAtOnce(WorkerId worker, const Record& record, absl::Time now) const {
  if (record.count < kInstantFailures) return false;
  for (size_t back = 1; back <= kInstantFailures; ++back) {
    const Sample& sample = record.samples[(record.next + kWindow - back) % kWindow];
    if (!sample.instant || BlameFor(worker, sample, now) == Blame::kCommand) return false;
  }
  return true;
}

size_t WorkerHealth::CountedFailures(WorkerId worker, const Record& record, absl::Time now) const {
  return static_cast<size_t>(
      std::count_if(record.samples.begin(), record.samples.begin() + static_cast<std::ptrdiff_t>(record.count),
                    [&](const Sample& sample) { return BlameFor(worker, sample, now) == Blame::kWorker; }));
}

bool WorkerHealth::IsOutlier(WorkerId worker, const Record& record, absl::Time now) const {
  if (record.count < kWindow) return false;
  const size_t failures = CountedFailures(worker, record, now);
  if (failures < kFailuresOfAnOutlier) return false;
  const uint64_t others = attempts_ - (record.OfTheFleet() ? record.count : 0);
  const uint64_t others_counted = counted_ - (record.OfTheFleet() ? record.CountedWhenTheyCame() : 0);
  // failures / kWindow >= 3 * others_counted / others, without dividing.
  return failures * others >= kTimesTheFleet * others_counted * kWindow;
}

std::vector<WorkerId> WorkerHealth::TakeChanged() {
  std::vector<WorkerId> workers(changed_.begin(), changed_.end());
  changed_.clear();
  return workers;
}

Standing WorkerHealth::standing(WorkerId worker) const {
  const Record* const found = Find(worker);
  if (found == nullptr || found->level == Standing::Level::kSound) return {};
  const Record& record = *found;
  Standing standing{record.level, record.may_try, ""};
  if (record.level == Standing::Level::kOneAtATime) {
    standing.reason = absl::StrCat("one attempt at a time until one succeeds: its last ", kInstantFailures,
                                   " failed at once, and not elsewhere");
    return standing;
  }
  standing.reason = absl::StrCat(
      record.failures, " of its ", kWindow, " last attempts failed at what works elsewhere; ",
      record.may_try ? "one attempt is tried now"
                     : absl::StrCat("one attempt is tried after ", absl::FormatDuration(record.pause)));
  return standing;
}

void WorkerHealth::CheckInvariants() const {
  uint64_t attempts = 0, counted = 0;
  size_t quarantined = 0, dues = 0;
  size_t in_service = 0;
  for (size_t id = 0; id < records_.size(); ++id) {
    if (records_[id] == nullptr) continue;
    ++in_service;
    const Record& record = *records_[id];
    attempts += record.OfTheFleet() ? record.count : 0;
    counted += record.OfTheFleet() ? record.CountedWhenTheyCame() : 0;
    if (record.level == Standing::Level::kQuarantined) ++quarantined;
    const bool waits = record.try_at != absl::InfiniteFuture();
    if (waits) ++dues;
    MUSTER_CHECK(!waits || dues_.contains({record.try_at, WorkerId(static_cast<uint32_t>(id))}));
    MUSTER_CHECK((record.level != Standing::Level::kSound) == (waits || record.may_try));
  }
  MUSTER_CHECK(attempts == attempts_ && counted == counted_ && quarantined == quarantined_ && dues == dues_.size());
  MUSTER_CHECK(in_service == in_service_ && quarantined_ * kFleetPerQuarantined <= in_service_);
}

}  // namespace muster::registry
