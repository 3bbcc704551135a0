#include "master/registry/worker_table.h"

#include <algorithm>

#include "common/base/check.h"
#include "master/registry/slots.h"
#include "master/registry/worker_condition.h"

namespace muster::registry {
namespace {

constexpr int kHeartbeatsUntilNameIsFree = 2;

// Why it takes less than it could.
const std::string& ReasonOf(const WorkerFacts& facts) {
  if (!facts.takes_nothing_because.empty()) return facts.takes_nothing_because;
  return facts.held_because.empty() ? facts.limited_because : facts.held_because;
}

}  // namespace

struct WorkerTable::Record {
  WorkerFacts facts;
  bool present = false;  // joined or expected; else only settings are kept under the name
  bool heard = false;    // joined in this run

  std::string address;
  std::string version;
  Incarnation incarnation;
  WorkerSigns signs;
  absl::Time join_time = absl::InfinitePast();
  absl::Time deadline = absl::InfiniteFuture();  // as it stands in deadlines_
  SessionNumber session;

  uint32_t set_weight = 0;
  int64_t ended_count = 0;
  int64_t failed_count = 0;

  void RefreshWeight() {
    facts.weight = set_weight != 0 ? set_weight : std::max<uint32_t>(1, facts.offer.capacity.slots);
  }
};

Reservation::~Reservation() {
  if (table_ != nullptr) table_->Release(worker_, amounts_);
}

WorkerTable::WorkerTable(WorkerTableConfig config) : config_(config) {}
WorkerTable::~WorkerTable() = default;

// --- Names

WorkerTable::Record& WorkerTable::At(WorkerId id) {
  MUSTER_CHECK(Contains(id));
  return *records_[id.value() - 1];
}

const WorkerTable::Record& WorkerTable::At(WorkerId id) const {
  MUSTER_CHECK(Contains(id));
  return *records_[id.value() - 1];
}

WorkerId WorkerTable::Intern(std::string_view name) {
  if (WorkerId known = Find(name)) return known;
  auto record = std::make_unique<Record>();
  record->facts.id = WorkerId(static_cast<uint32_t>(records_.size() + 1));
  record->facts.name = std::string(name);
  ids_.emplace(record->facts.name, record->facts.id);
  records_.push_back(std::move(record));
  return records_.back()->facts.id;
}

WorkerId WorkerTable::Find(std::string_view name) const {
  auto found = ids_.find(std::string(name));
  return found == ids_.end() ? WorkerId() : found->second;
}

bool WorkerTable::Contains(WorkerId id) const {
  return id && id.value() <= records_.size() && records_[id.value() - 1] != nullptr;
}

std::vector<WorkerId> WorkerTable::Ids() const {
  std::vector<WorkerId> ids;
  for (const auto& record : records_) {
    if (record != nullptr && record->present) ids.push_back(record->facts.id);
  }
  return ids;
}

bool WorkerTable::Forget(WorkerId id) {
  if (!Contains(id)) return false;
  Record& record = At(id);
  if (record.present && record.facts.state != WorkerState::kLost) return false;
  if (record.facts.used != ResourceAmounts{} || record.facts.prefetched > 0) return false;
  if (record.present) --live_;
  ids_.erase(record.facts.name);
  records_[id.value() - 1].reset();
  return true;
}

// --- What workers say

bool WorkerTable::HoldsName(const Record& holder, const JoinRequest& request, absl::Time now) const {
  if (!holder.heard || holder.incarnation == request.incarnation) return false;
  if (holder.address == request.address) return false;
  return now - holder.signs.heartbeat_time < kHeartbeatsUntilNameIsFree * config_.heartbeat;
}

JoinOutcome WorkerTable::Join(JoinRequest request, absl::Time now) {
  WorkerId id = Find(request.name);
  if (id && HoldsName(At(id), request, now)) {
    return NameTaken{.address = At(id).address, .heartbeat_age = now - At(id).signs.heartbeat_time};
  }
  if (!(id && At(id).present) && live_ >= config_.max_workers) return TableFull{config_.max_workers};
  id = Intern(request.name);
  Record& record = At(id);
  Joined joined{.id = id, .predecessor = Incarnation()};
  if (!record.present) ++live_;
  if (record.incarnation != request.incarnation) {
    joined.predecessor = record.incarnation;
    record.signs.session_open = false;
  }
  record.present = true;
  record.heard = true;
  record.incarnation = request.incarnation;
  record.address = std::move(request.address);
  record.version = std::move(request.version);
  record.signs.load = std::move(request.load);
  record.signs.wants_to_drain = request.draining;
  record.join_time = now;
  record.signs.heartbeat_time = now;
  SetOffer(record, std::move(request.offer));
  Derive(record, now);
  return joined;
}

HeartbeatOutcome WorkerTable::Heartbeat(std::string_view name, Incarnation incarnation, WorkerLoad load,
                                        std::optional<WorkerOffer> offer, bool draining, absl::Time now) {
  WorkerId id = Find(name);
  if (!id || !At(id).heard || At(id).incarnation != incarnation) return HeartbeatOutcome{.join_again = true};
  Record& record = At(id);
  uint64_t revision = record.facts.offer_revision;
  record.signs.load = std::move(load);
  record.signs.wants_to_drain = draining;
  record.signs.heartbeat_time = now;
  if (offer.has_value()) SetOffer(record, std::move(*offer));
  Derive(record, now);
  return HeartbeatOutcome{
      .join_again = false, .id = id, .offer_changed = record.facts.offer_revision != revision};
}

WorkerId WorkerTable::Expect(std::string_view name, Incarnation incarnation, absl::Time now) {
  WorkerId id = Intern(name);
  Record& record = At(id);
  if (!record.present) ++live_;
  record.present = true;
  record.incarnation = incarnation;
  record.signs.heartbeat_time = now;
  Derive(record, now);
  return id;
}

void WorkerTable::SetOffer(Record& record, WorkerOffer offer) {
  if (record.facts.offer_revision != 0 && record.facts.offer == offer) return;
  record.facts.offer = std::move(offer);
  ++record.facts.offer_revision;
  record.RefreshWeight();
  FillSlotsFromAhead(&record.facts);
}

// --- Sessions

void WorkerTable::SetSession(WorkerId id, SessionNumber number) {
  Record& record = At(id);
  record.session = number;
  record.signs.session_open = false;
  Derive(record, now_);
}

bool WorkerTable::OpenSession(WorkerId id, SessionNumber number, Incarnation incarnation) {
  if (!Contains(id)) return false;
  Record& record = At(id);
  if (!record.present || record.session != number || record.incarnation != incarnation) return false;
  record.signs.session_open = true;
  Derive(record, now_);
  return true;
}

bool WorkerTable::CloseSession(WorkerId id, SessionNumber number) {
  if (!Contains(id) || At(id).session != number) return false;
  Record& record = At(id);
  record.signs.session_open = false;
  Derive(record, now_);
  return true;
}

SessionNumber WorkerTable::session(WorkerId id) const { return At(id).session; }
bool WorkerTable::session_open(WorkerId id) const { return At(id).signs.session_open; }

// --- What people and policies say

void WorkerTable::SetWeight(WorkerId id, uint32_t weight) {
  Record& record = At(id);
  record.set_weight = weight;
  record.RefreshWeight();
}

uint32_t WorkerTable::set_weight(WorkerId id) const { return At(id).set_weight; }

void WorkerTable::SetDraining(WorkerId id, bool draining, std::string reason) {
  Record& record = At(id);
  record.signs.draining = draining;
  record.signs.draining_reason = std::move(reason);
  Derive(record, now_);
}

bool WorkerTable::draining_by_hand(WorkerId id) const { return At(id).signs.draining; }

void WorkerTable::SetQuarantined(WorkerId id, bool quarantined, std::string reason) {
  Record& record = At(id);
  record.signs.quarantined = quarantined;
  record.signs.quarantine_reason = std::move(reason);
  Derive(record, now_);
}

bool WorkerTable::quarantined_by_hand(WorkerId id) const { return At(id).signs.quarantined; }
const std::string& WorkerTable::quarantine_reason(WorkerId id) const { return At(id).signs.quarantine_reason; }

void WorkerTable::SetStanding(WorkerId id, Standing standing) {
  Record& record = At(id);
  record.signs.standing = std::move(standing);
  LimitSlots(record.signs.standing, &record.facts);
  Derive(record, now_);
}

void WorkerTable::HoldRoom(WorkerId id, std::string because) { At(id).facts.held_because = std::move(because); }

bool WorkerTable::InService(WorkerId id) const {
  const Record& record = At(id);
  const WorkerSigns& signs = record.signs;
  return record.present && record.facts.state != WorkerState::kLost && !signs.quarantined && !signs.draining &&
         !signs.wants_to_drain;
}

// --- Time and state

void WorkerTable::Derive(Record& record, absl::Time now) {
  now_ = std::max(now_, now);
  if (!record.present) return;
  WorkerCondition now_is = ConditionOf(record.signs, config_.heartbeat, config_.lost_after, now_);
  WorkerFacts& facts = record.facts;
  if (now_is.state != facts.state || now_is.takes_nothing_because != facts.takes_nothing_because ||
      now_is.limited_because != facts.limited_because || now_is.on_trial != facts.on_trial) {
    changes_.push_back({facts.id, facts.state, now_is.state,
                        now_is.takes_nothing_because.empty() ? now_is.limited_because : now_is.takes_nothing_because});
    facts.state = now_is.state;
    facts.takes_nothing_because = std::move(now_is.takes_nothing_because);
    facts.limited_because = std::move(now_is.limited_because);
    facts.on_trial = now_is.on_trial;
  }
  Reschedule(record, now_);
}

void WorkerTable::Reschedule(Record& record, absl::Time now) {
  absl::Time suspect = record.signs.heartbeat_time + kHeartbeatsUntilSuspect * config_.heartbeat;
  absl::Time lost = record.signs.heartbeat_time + config_.lost_after;
  absl::Time due = record.facts.state == WorkerState::kLost ? absl::InfiniteFuture()
                   : now < suspect                          ? std::min(suspect, lost)
                                                            : lost;
  if (due == record.deadline) return;
  if (record.deadline != absl::InfiniteFuture()) deadlines_.erase({record.deadline, record.facts.id});
  if (due != absl::InfiniteFuture()) deadlines_.insert({due, record.facts.id});
  record.deadline = due;
}

absl::Time WorkerTable::NextDue() const {
  return deadlines_.empty() ? absl::InfiniteFuture() : deadlines_.begin()->first;
}

void WorkerTable::Expire(absl::Time now) {
  now_ = std::max(now_, now);
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_) Derive(At(deadlines_.begin()->second), now_);
}

std::vector<StateChange> WorkerTable::TakeChanges() { return std::exchange(changes_, {}); }

// --- Capacity

std::optional<Reservation> WorkerTable::Reserve(WorkerId id, const ResourceAmounts& amounts) {
  if (!TakeRoom(amounts, &At(id).facts)) return std::nullopt;
  return Reservation(this, id, amounts);
}

std::optional<Reservation> WorkerTable::ReserveAhead(WorkerId id, uint32_t limit) {
  if (!TakeRoomAhead(limit, &At(id).facts)) return std::nullopt;
  return Reservation(this, id, ResourceAmounts{.slots = 1});
}

void WorkerTable::Adopt(WorkerId id, const ResourceAmounts& amounts) { AdoptRoom(amounts, &At(id).facts); }

void WorkerTable::Release(WorkerId id, const ResourceAmounts& amounts) { ReturnRoom(amounts, &At(id).facts); }

void WorkerTable::CountEnd(WorkerId id, bool failed) {
  Record& record = At(id);
  ++record.ended_count;
  if (failed) ++record.failed_count;
}

// --- Reads

const WorkerFacts& WorkerTable::facts(WorkerId id) const { return At(id).facts; }
const std::string& WorkerTable::address(WorkerId id) const { return At(id).address; }
Incarnation WorkerTable::incarnation(WorkerId id) const { return At(id).incarnation; }
absl::Time WorkerTable::heartbeat_time(WorkerId id) const { return At(id).signs.heartbeat_time; }

WorkerView WorkerTable::View(WorkerId id) const {
  const Record& record = At(id);
  return WorkerView{.id = id,
                    .name = record.facts.name,
                    .address = record.address,
                    .version = record.version,
                    .incarnation = record.incarnation,
                    .state = record.facts.state,
                    .reason = ReasonOf(record.facts),
                    .offer = record.facts.offer,
                    .load = record.signs.load,
                    .weight = record.facts.weight,
                    .used = record.facts.used,
                    .prefetched = record.facts.prefetched,
                    .join_time = record.join_time,
                    .heartbeat_time = record.signs.heartbeat_time,
                    .ended_count = record.ended_count,
                    .failed_count = record.failed_count};
}

void WorkerTable::CheckInvariants() const {
  uint32_t live = 0;
  size_t scheduled = 0;
  for (const auto& record : records_) {
    if (record == nullptr) continue;
    const WorkerFacts& facts = record->facts;
    MUSTER_CHECK(Find(facts.name) == facts.id);
    MUSTER_CHECK(record->present == (facts.state != WorkerState::kNone));
    MUSTER_CHECK(facts.prefetched == 0 || facts.FreeSlots() == 0);
    MUSTER_CHECK(facts.used.cpu_millis >= 0 && facts.used.memory_bytes >= 0 && facts.used.disk_bytes >= 0);
    for (const auto& entry : facts.used.named) MUSTER_CHECK(entry.second > 0);
    MUSTER_CHECK(facts.weight > 0);
    MUSTER_CHECK(facts.state != WorkerState::kActive || record->signs.session_open);
    MUSTER_CHECK(!facts.on_trial || (facts.state == WorkerState::kQuarantined && record->signs.session_open));
    MUSTER_CHECK(facts.Limited() == (record->signs.standing.level != Standing::Level::kSound));
    if (record->present) ++live;
    if (record->deadline == absl::InfiniteFuture()) continue;
    ++scheduled;
    MUSTER_CHECK(deadlines_.contains({record->deadline, facts.id}));
  }
  MUSTER_CHECK(live == live_);
  MUSTER_CHECK(scheduled == deadlines_.size());
}

}  // namespace muster::registry
