// A store in memory: folds transactions and answers what LoadOpen would. It is transaction.h's meaning in code, so the
// core can be restarted in tests without a file, and the real store can be compared with it.
//
// It also checks what the core promises of its rows: one outcome per task, attempt numbers that rise, one end per
// attempt, reports of that very attempt, one row per request id, nothing about tasks that do not exist.
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/domain/ids.h"
#include "master/core/dependencies.h"
#include "master/core/recovered_state.h"

namespace muster::testing {

class MemoryStore {
 public:
  struct StoredTask {
    TaskId first_of_specification;
    std::vector<core::AttemptRow> attempts;
    std::vector<core::AttemptEndRow> attempt_ends;
    std::optional<core::UnknownRow> unknown;
    std::optional<core::CancelRow> cancel;
    std::optional<core::OutcomeRow> outcome;
    std::vector<core::NoteRow> notes;
  };

  // Empty when the rows are as promised; else what is wrong.
  std::string Commit(const core::Transaction& transaction);
  core::RecoveredState LoadOpen();
  // As a restore does.
  static constexpr AttemptNumber kCopiedAttempts{1024};
  void SkipIds(uint64_t count);

  const std::map<TaskId, StoredTask>& tasks() const { return tasks_; }
  const StoredTask* Find(TaskId id) const;
  // As the store answers core::FindEnds.
  std::vector<core::RangeEnds> FindEnds(const std::vector<core::AskedRange>& ranges) const;
  TaskRange RangeOf(TaskId id) const;      // its specification's, of one that is there
  const TaskSpec& SpecOf(TaskId id) const;  // of one that is there
  const std::vector<activity::Record>& activity() const { return activity_; }
  const std::vector<core::RequestRow>& requests() const { return requests_; }
  const core::RequestRow* FindRequest(const std::string& owner, const std::string& id) const;
  const core::QueueSettingRow* FindQueueSetting(const std::string& name) const;
  const core::ScheduleProgressRow* FindProgress(const std::string& schedule) const;
  void ForgetProgress(const std::string& schedule) { schedule_progress_.erase(schedule); }
  const std::map<TaskId, core::RecoveredWorkflow>& workflows() const { return workflows_; }
  const core::PlacementRow& placement() const { return placement_; }
  bool last_end_clean() const { return clean_end_; }

 private:
  std::string AddAttempt(const core::AttemptRow& row);
  std::string AddAttemptEnd(const core::AttemptEndRow& row);
  std::string AddOutcome(const core::OutcomeRow& row);
  std::string AddProgress(const core::ScheduleProgressRow& row);
  std::string AddSpecification(const core::SpecificationRow& row);

  std::string AddWorkflow(const core::WorkflowRow& row);
  std::string AddWorkflowPart(const core::WorkflowPartRow& row);
  std::string AddWorkflowState(const core::WorkflowStateRow& row);

  std::map<TaskId, core::RecoveredWorkflow> workflows_;  // open and ended
  std::map<TaskId, core::SpecificationRow> specifications_;  // by first id
  std::map<TaskId, StoredTask> tasks_;
  std::map<std::string, core::WorkerSettingRow> worker_settings_;
  std::map<std::string, core::QueueSettingRow> queue_settings_;
  std::map<std::string, core::ScheduleRow> schedules_;
  std::map<std::string, core::ScheduleProgressRow> schedule_progress_;
  core::PlacementRow placement_;
  std::map<uint64_t, LearnedRunTimes> run_times_;
  std::set<std::string> executors_;
  std::vector<core::RequestRow> requests_;
  std::map<std::pair<std::string, std::string>, size_t> request_index_;  // by owner and id
  std::vector<activity::Record> activity_;
  TaskId next_id_{1};
  std::vector<TaskRange> skipped_ids_;
  TaskId copied_below_;
  int64_t commits_ = 0;
  int64_t epoch_ = 0;
  bool clean_end_ = true;
};

}  // namespace muster::testing
