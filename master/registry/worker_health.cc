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
  if (in_service == records_.contains(worker)) return;
  if (in_service) {
    records_.emplace(worker, std::make_unique<Record>());
    return;
  }
  Clear(worker);
  records_.erase(worker);
  evidence_.NoteGone(worker);
  KeepToTheShare();
}

void WorkerHealth::Clear(WorkerId worker) {
  const auto found = records_.find(worker);
  if (found == records_.end()) return;
  MakeSound(worker, found->second.get());
  EmptyWindow(found->second.get());
}

void WorkerHealth::Restarted(WorkerId worker) {
  Clear(worker);
  evidence_.NoteGone(worker);
}

void WorkerHealth::Observe(const ObservedAttempt& attempt, absl::Time now) {
  evidence_.NoteEnded(attempt.fingerprint, attempt.worker, attempt.result);
  const auto found = records_.find(attempt.worker);
  if (found == records_.end() || !config_.enabled) return;
  Sample sample{attempt.fingerprint, attempt.result, attempt.run_time <= config_.instant, false};
  const Blame blame = BlameFor(attempt.worker, sample, now);
  sample.counted = blame == Blame::kWorker;
  Push(found->second.get(), sample);
  Judge(attempt.worker, found->second.get(), attempt.result == AttemptResult::kSucceeded, blame, now);
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
  if (record->OfTheFleet()) CountOut(*record);
  record->samples[record->next] = sample;
  record->next = (record->next + 1) % kWindow;
  record->count = std::min(record->count + 1, kWindow);
  if (record->OfTheFleet()) CountIn(*record);
}

void WorkerHealth::EmptyWindow(Record* record) {
  if (record->OfTheFleet()) CountOut(*record);
  record->count = 0;
  record->next = 0;
}

// --- Judging

void WorkerHealth::Judge(WorkerId worker, Record* record, bool succeeded, Blame blame, absl::Time now) {
  if (record->level == Standing::Level::kQuarantined) return JudgeQuarantined(worker, record, succeeded, blame, now);
  if (records_.size() < kFleetPerQuarantined || succeeded) return MakeSound(worker, record);
  if (IsOutlier(worker, *record, now)) {
    if ((quarantined_ + 1) * kFleetPerQuarantined <= records_.size()) {
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
  while (quarantined_ * kFleetPerQuarantined > records_.size()) {
    const auto soonest = std::min_element(records_.begin(), records_.end(), [](const auto& a, const auto& b) {
      const auto order = [](const Record& record) {
        return std::pair(record.level != Standing::Level::kQuarantined, record.may_try ? absl::InfinitePast() : record.try_at);
      };
      return order(*a.second) < order(*b.second);
    });
    Clear(soonest->first);
  }
}

void WorkerHealth::Expire(absl::Time now) {
  while (!dues_.empty() && dues_.begin()->first <= now) {
    const WorkerId worker = dues_.begin()->second;
    Record& record = *records_.at(worker);
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
  const auto found = records_.find(worker);
  if (found == records_.end() || found->second->level == Standing::Level::kSound) return {};
  const Record& record = *found->second;
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
  for (const auto& entry : records_) {
    const Record& record = *entry.second;
    attempts += record.OfTheFleet() ? record.count : 0;
    counted += record.OfTheFleet() ? record.CountedWhenTheyCame() : 0;
    if (record.level == Standing::Level::kQuarantined) ++quarantined;
    const bool waits = record.try_at != absl::InfiniteFuture();
    if (waits) ++dues;
    MUSTER_CHECK(!waits || dues_.contains({record.try_at, entry.first}));
    MUSTER_CHECK((record.level != Standing::Level::kSound) == (waits || record.may_try));
  }
  MUSTER_CHECK(attempts == attempts_ && counted == counted_ && quarantined == quarantined_ && dues == dues_.size());
  MUSTER_CHECK(quarantined_ * kFleetPerQuarantined <= records_.size());
}

}  // namespace muster::registry
