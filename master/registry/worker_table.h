// The workers that are there: who they are, whether they live, what they offer and what of it is taken.
//
// The core applies joins, heartbeats, sessions and the wishes of people to it, asks it which deadlines have passed, and
// tells the balancer of every worker that changed (facts()). A worker's state is always derived from the same few
// signs (worker_condition.h), and what attempts take of it is counted in one place (slots.h).
//
// Pure: `now` comes from the caller and never goes back. Thread rule: one thread. Errors: what a worker says is
// answered with an outcome; an id that was never given out is a broken invariant.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "common/domain/worker.h"
#include "common/domain/worker_facts.h"
#include "master/registry/reservation.h"
#include "master/registry/standing.h"

namespace muster::registry {

struct WorkerTableConfig {
  absl::Duration heartbeat = absl::Seconds(2);
  absl::Duration lost_after = absl::Seconds(30);
  uint32_t max_workers = 20'000;
};

struct JoinRequest {
  std::string name;
  Incarnation incarnation;
  std::string address;
  std::string version;
  WorkerOffer offer;
  WorkerLoad load;
  bool draining = false;  // the worker's own wish
};

// --- How a join ended.
struct Joined {
  WorkerId id;
  Incarnation predecessor;  // 0: none; else another process had the name, and its attempts end with it
};
struct NameTaken {
  std::string address;  // of the worker that has the name
  absl::Duration heartbeat_age;
};
struct TableFull {
  uint32_t max_workers;
};
using JoinOutcome = std::variant<Joined, NameTaken, TableFull>;

struct HeartbeatOutcome {
  bool join_again = false;  // not known under this name and incarnation; nothing happened
  WorkerId id;
  bool offer_changed = false;
};

struct StateChange {
  WorkerId id;
  WorkerState from;
  WorkerState to;
  std::string reason;
};

class WorkerTable {
 public:
  explicit WorkerTable(WorkerTableConfig config);
  ~WorkerTable();
  WorkerTable(const WorkerTable&) = delete;
  WorkerTable& operator=(const WorkerTable&) = delete;

  // --- Names. Ids are 1, 2, 3, ...; they are never reused within a run.
  // Makes a record that has not joined (state kNone) when the name is new, so that settings can be kept for it.
  WorkerId Intern(std::string_view name);
  WorkerId Find(std::string_view name) const;  // 0: no such worker
  bool Contains(WorkerId id) const;
  std::vector<WorkerId> Ids() const;           // that joined or are expected, ascending
  // Drops a LOST or never joined worker that holds nothing. False: it is not such a worker.
  bool Forget(WorkerId id);

  // --- What workers say.
  // Another incarnation under the name is let in when the holder is gone as far as anyone can tell: no heartbeat for
  // 2 intervals, or it advertised the same address, which a process that still listens there would not have given up.
  // A joined worker has no session yet, so it is SUSPECT.
  JoinOutcome Join(JoinRequest request, absl::Time now);
  HeartbeatOutcome Heartbeat(std::string_view name, Incarnation incarnation, WorkerLoad load,
                             std::optional<WorkerOffer> offer, bool draining, absl::Time now);
  // A worker that held attempts when the master ended: SUSPECT, and LOST when nothing is heard until lost_after.
  WorkerId Expect(std::string_view name, Incarnation incarnation, absl::Time now);

  // --- Sessions.
  void SetSession(WorkerId id, SessionNumber number);  // it was asked for; not open yet
  bool OpenSession(WorkerId id, SessionNumber number, Incarnation incarnation);  // false: stale, nothing happened
  bool CloseSession(WorkerId id, SessionNumber number);                          // false: stale
  SessionNumber session(WorkerId id) const;
  bool session_open(WorkerId id) const;

  // --- What people and policies say. These outlive incarnations.
  void SetWeight(WorkerId id, uint32_t weight);  // 0: as many as slots
  uint32_t set_weight(WorkerId id) const;        // as set; 0: default
  void SetDraining(WorkerId id, bool draining, std::string reason);
  bool draining_by_hand(WorkerId id) const;
  void SetQuarantined(WorkerId id, bool quarantined, std::string reason);  // by hand
  bool quarantined_by_hand(WorkerId id) const;
  const std::string& quarantine_reason(WorkerId id) const;
  // As its failures have it. Below kSound it takes nothing, or one attempt more than it has now.
  void SetStanding(WorkerId id, Standing standing);
  // Its room is held for one task: it takes nothing new. Empty: it is anybody's again.
  void HoldRoom(WorkerId id, std::string because);
  // It is there, and neither on its way out nor put aside by hand.
  bool InService(WorkerId id) const;

  // --- Time.
  absl::Time NextDue() const;     // InfiniteFuture: no deadline
  void Expire(absl::Time now);    // costs what changes, not what is there
  // Every change of state (or, with from == to, of the reason alone) since the last call, in order.
  std::vector<StateChange> TakeChanges();

  // --- Capacity.
  std::optional<Reservation> Reserve(WorkerId id, const ResourceAmounts& amounts);
  // One slot ahead of a free one. Empty: a slot is free (Reserve it), or `limit` are sent ahead already.
  std::optional<Reservation> ReserveAhead(WorkerId id, uint32_t limit);
  // An attempt that the worker holds anyway (Hello after a restart): counted even where there is no room.
  void Adopt(WorkerId id, const ResourceAmounts& amounts);
  // What a committed or adopted attempt held.
  void Release(WorkerId id, const ResourceAmounts& amounts);
  void CountEnd(WorkerId id, bool failed);

  // --- Reads.
  const WorkerFacts& facts(WorkerId id) const;  // the reference stays good until Forget
  const std::string& name(WorkerId id) const { return facts(id).name; }
  WorkerState state(WorkerId id) const { return facts(id).state; }
  const std::string& address(WorkerId id) const;
  Incarnation incarnation(WorkerId id) const;
  absl::Time heartbeat_time(WorkerId id) const;
  WorkerView View(WorkerId id) const;

  void CheckInvariants() const;

 private:
  struct Record;

  Record& At(WorkerId id);
  const Record& At(WorkerId id) const;
  void Derive(Record& record, absl::Time now);
  void Reschedule(Record& record, absl::Time now);
  void SetOffer(Record& record, WorkerOffer offer);
  bool HoldsName(const Record& holder, const JoinRequest& request, absl::Time now) const;

  const WorkerTableConfig config_;
  std::vector<std::unique_ptr<Record>> records_;  // by id - 1; null: forgotten
  absl::flat_hash_map<std::string, WorkerId> ids_;
  absl::btree_set<std::pair<absl::Time, WorkerId>> deadlines_;
  std::vector<StateChange> changes_;
  absl::Time now_ = absl::InfinitePast();  // the latest time that was told
  uint32_t live_ = 0;                      // joined or expected

  friend class Reservation;
};

}  // namespace muster::registry
