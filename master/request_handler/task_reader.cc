#include "master/request_handler/task_reader.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"
#include "master/request_handler/ask_loop.h"
#include "master/request_handler/no_such_task.h"

namespace muster::handler {
namespace {

constexpr int kTries = 4;
constexpr size_t kMostStates = 16;

struct OpenCounts {
  uint64_t by_state[kMostStates] = {};
  uint64_t total = 0;
  CommitNumber commit;
};

// The open counts are older than the ended ones: tasks that ended in between are taken out of where they most likely
// were, so that each is counted once.
void TakeOut(uint64_t surplus, OpenCounts* open) {
  for (const TaskState state : {TaskState::kRunning, TaskState::kDispatched, TaskState::kValidating, TaskState::kUnknown,
                                TaskState::kPending, TaskState::kQueued}) {
    uint64_t& count = open->by_state[static_cast<size_t>(state)];
    const uint64_t taken = std::min(count, surplus);
    count -= taken;
    surplus -= taken;
  }
}

}  // namespace

absl::StatusOr<OpenNotes> TaskReader::AskOpen(std::vector<TaskId> ids) {
  return AskLoop<OpenNotes>(
      context_->deps.inspector, context_->deps.limits.inspect_wait,
      [ids = std::move(ids), store = context_->deps.store, feed = &context_->feed](const core::ClusterCore& core) {
        OpenNotes open;
        for (const TaskId id : ids) {
          if (const auto view = core.FindTask(id)) open.notes.push_back(NoteOf(*view));
        }
        open.commit = store->last_commit();
        open.turn = feed->turn();
        return open;
      });
}

absl::StatusOr<v1::Task> TaskReader::ReadTask(TaskId id) {
  SpecCache specs;
  v1::Task task;
  for (int attempt = 1;; ++attempt) {
    MUSTER_ASSIGN_OR_RETURN(OpenNotes open, AskOpen({id}));
    MUSTER_ASSIGN_OR_RETURN(const std::optional<store::StoredTask> stored, context_->deps.store->FindTask(id));
    if (!stored) return NoSuchTask(*context_->deps.store, id);
    if (stored->outcome) {
      const TaskNote note = NoteOf(*stored);
      ViewNote(note, Detail::kFull, &specs, &task);
      ViewAttempts(*stored, note, &task);
      return task;
    }
    if (!open.notes.empty() && (stored->commit <= open.commit || attempt == kTries)) {
      TaskNote& note = open.notes.front();
      note.commit = stored->commit.value();
      ViewNote(note, Detail::kFull, &specs, &task);
      ViewAttempts(*stored, note, &task);
      return task;
    }
    if (attempt == kTries) return absl::InternalError("a task is neither open nor ended");
  }
}

absl::StatusOr<v1::Batch> TaskReader::ReadBatch(TaskId id) {
  MUSTER_ASSIGN_OR_RETURN(const std::vector<TaskRange> ranges, context_->deps.store->BatchRanges(id));
  OpenCounts open;
  std::optional<store::StoredBatch> batch;
  uint64_t ended = 0;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    MUSTER_ASSIGN_OR_RETURN(
        open, AskLoop<OpenCounts>(context_->deps.inspector, context_->deps.limits.inspect_wait,
                                  [ranges, store = context_->deps.store](const core::ClusterCore& core) {
                                    OpenCounts counts;
                                    for (const TaskRange& range : ranges) {
                                      counts.total += core.CountOpenIn(range, counts.by_state);
                                    }
                                    counts.commit = store->last_commit();
                                    return counts;
                                  }));
    MUSTER_ASSIGN_OR_RETURN(batch, context_->deps.store->FindBatch(id));
    if (!batch) return NoSuchTask(*context_->deps.store, id);
    ended = 0;
    for (const auto& [state, count] : batch->ended) ended += count;
    if (open.total + ended == batch->task_count) break;
  }
  if (open.total + ended > batch->task_count) TakeOut(open.total + ended - batch->task_count, &open);

  v1::Batch view;
  view.set_id(IdToText(id.value()));
  view.set_task_count(static_cast<int64_t>(batch->task_count));
  const auto add = [&view](TaskState state, uint64_t count) {
    if (count == 0) return;
    v1::StateCount* to = view.add_counts();
    to->set_state(convert::ToProto(state));
    to->set_count(static_cast<int64_t>(count));
  };
  for (size_t state = 0; state < kMostStates; ++state) add(static_cast<TaskState>(state), open.by_state[state]);
  for (const auto& [state, count] : batch->ended) add(state, count);
  view.set_exit_code(batch->exit_code);
  if (!batch->parts.empty()) {
    const core::SpecificationRow& part = batch->parts.front();
    SpecCache specs;
    *view.mutable_template_() = specs.Get(part.spec);
    view.set_owner(part.spec->owner);
    convert::ToProto(part.created, view.mutable_create_time());
  }
  return view;
}

}  // namespace muster::handler
