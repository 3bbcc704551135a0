// How far one reader is with one task: which of its states and which bytes of its output it has, and what comes next.
//
// Pure: changes, chunks, reports and what was fetched go in; events for the reader come out, in order:
//   a state  |  the bytes of attempt 1, each stream from its first byte on  |  then attempt 2's ...  |  the end, last
// Bytes come from the worker while an attempt runs, and from the report when it has ended: what the reader lacks is
// taken from the retained head and tail, and a hole between them is told as skipped bytes. A report that is not at
// hand (dropped to save memory, or from before the reader came) is fetched: WantsReport says which.
// States are conflated: the newest is sent; the end is always sent, after all output.
//
// Thread rule: the owner's lock. Ownership: a held report is shared, never copied. Offsets and sizes are bytes.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/domain/attempt.h"
#include "common/domain/ids.h"
#include "master/core/ports.h"
#include "master/request_handler/task_note.h"

namespace muster::handler {

// What a reader is told. Pieces point into the task or its report: used at once.
class AttachedEvents {
 public:
  virtual ~AttachedEvents() = default;
  virtual void State(const TaskNote& note) = 0;
  virtual void Output(AttemptKey key, core::OutputStreamKind stream, int64_t offset, std::string_view bytes,
                      int64_t skipped) = 0;
};

class AttachedTask {
 public:
  struct Live {
    WorkerId worker;
    AttemptKey key;
    bool lossless = false;
  };

  // `want` says which streams are read at all.
  AttachedTask(TaskId id, std::array<bool, 2> want) : id_(id), want_(want) {}

  TaskId id() const { return id_; }

  // --- What becomes known.
  // The reader has everything of attempts before `number`, and of this stream everything below `offset`.
  void Resume(AttemptNumber number, core::OutputStreamKind stream, int64_t offset);
  // Only this attempt and later ones are read. Before anything was sent.
  void StartAt(AttemptNumber number);
  // `turn` orders what comes from the feed and from snapshots; older news is dropped.
  void Snapshot(TaskNote note, uint64_t turn);
  // The snapshot did not find it open: how it ended must be fetched, unless a change has told it.
  void NotOpen();
  void Change(TaskNote note, AttemptReportPtr report, uint64_t turn);
  // What the store says of a task that is not open; `newest`: its last attempt.
  void Ended(TaskNote note, AttemptNumber newest);
  // What the store has for WantsReport's attempt; null: nothing was reported.
  void Fetched(AttemptNumber number, AttemptReportPtr report);
  // True: taken. False: not what comes next (another attempt, a hole that a new subscription will fill), or had.
  bool Chunk(AttemptNumber number, core::OutputStreamKind stream, int64_t offset, std::string_view bytes,
             int64_t skipped);
  // There was no room for a chunk: it must be asked for again.
  void Stall(core::OutputStreamKind stream) { stalled_[Index(stream)] = true; }
  // The subscription was made.
  void Subscribed() { subscribed_ = attempt_; }
  // Gives back the held report; it will be fetched when its turn comes.
  void DropReport();
  // The bytes below `offset` are not wanted.
  void SkipTo(core::OutputStreamKind stream, int64_t offset);

  // --- What comes next.
  bool HasEvents() const;
  // Sends events of about `most_bytes` of output at most.
  void Send(int64_t most_bytes, AttachedEvents* events);
  std::optional<AttemptNumber> WantsReport() const;
  bool WantsEnd() const { return wants_end_ && end_ == nullptr; }
  // To subscribe to now: it runs, it is its turn, and it is not yet subscribed.
  std::optional<Live> WantsLive() const;
  // A subscription that is of no use any more, once.
  std::optional<AttemptKey> TakeFinished();
  bool TakeStalled(core::OutputStreamKind stream) { return std::exchange(stalled_[Index(stream)], false); }
  bool stalled() const { return stalled_[0] || stalled_[1]; }
  bool done() const { return done_; }
  // Everything of the attempt that is being read has been sent.
  bool attempt_is_over() const { return AttemptIsOver(); }

  AttemptNumber attempt() const { return attempt_; }  // whose output is being read
  bool wants(core::OutputStreamKind stream) const { return want_[Index(stream)]; }
  bool ended() const { return end_ != nullptr; }
  const std::optional<Live>& place() const { return place_; }
  const AttemptReportPtr& report() const { return report_; }
  // The first byte that was not yet taken / not yet sent.
  int64_t taken(core::OutputStreamKind stream) const { return taken_[Index(stream)]; }
  int64_t sent(core::OutputStreamKind stream) const { return sent_[Index(stream)]; }
  int64_t held_bytes() const { return piece_bytes_ + report_bytes_; }

 private:
  struct Piece {
    core::OutputStreamKind stream;
    int64_t offset;
    std::string bytes;
    int64_t skipped;
  };

  static size_t Index(core::OutputStreamKind stream) { return stream == core::OutputStreamKind::kStdout ? 0 : 1; }
  bool wants_output() const { return want_[0] || want_[1]; }
  bool StateIsDue() const;
  bool AttemptIsOver() const { return fetched_ && report_ == nullptr && pieces_.empty(); }
  bool OutputIsOver() const { return !wants_output() || newest_ < attempt_ || (newest_ == attempt_ && AttemptIsOver()); }
  bool RetainedIsLeft(core::OutputStreamKind stream) const;
  void Learn(TaskNote note);
  void Hold(AttemptReportPtr report);
  void NextAttempt();
  int64_t SendPiece(AttachedEvents* events);
  int64_t SendRetained(int64_t most_bytes, AttachedEvents* events);
  const RetainedOutput& Retained(core::OutputStreamKind stream) const;

  const TaskId id_;
  const std::array<bool, 2> want_;
  std::array<bool, 2> stalled_{};
  bool wants_end_ = false;
  bool done_ = false;
  bool fetched_ = false;   // of attempt_, report_ is all that is still to come
  bool has_snapshot_ = false;
  uint64_t snapshot_turn_ = 0;
  uint64_t change_turn_ = 0;

  AttemptNumber attempt_{1};
  AttemptNumber newest_{};
  AttemptNumber subscribed_{};
  std::unique_ptr<TaskNote> state_;  // the newest, not yet sent
  std::unique_ptr<TaskNote> end_;
  std::optional<Live> place_;        // where its newest attempt runs

  std::array<int64_t, 2> taken_{};
  std::array<int64_t, 2> sent_{};
  std::list<Piece> pieces_;          // allocates nothing while empty: there may be 100,000 of us
  int64_t piece_bytes_ = 0;
  AttemptReportPtr report_;
  int64_t report_bytes_ = 0;
};

}  // namespace muster::handler
