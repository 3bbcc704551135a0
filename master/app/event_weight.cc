#include "master/app/event_weight.h"

#include <variant>

#include "common/domain/scheduled_work.h"

namespace muster::master {
namespace {

constexpr int64_t kEventBytes = 256;  // the event itself and its small strings
constexpr int64_t kItemBytes = 64;

int64_t RowsBytes(const ArgumentRowsPtr& rows) {
  int64_t bytes = 0;
  if (rows == nullptr) return bytes;
  for (const auto& row : *rows) {
    for (const std::string& value : row) bytes += kItemBytes + static_cast<int64_t>(value.size());
  }
  return bytes;
}

int64_t ExtraBytes(const core::SubmitTasks& submit) {
  int64_t bytes = RowsBytes(submit.batch_rows);
  if (submit.batch_spec != nullptr) bytes += static_cast<int64_t>(submit.batch_spec->payload.size());
  for (const core::NewTask& task : submit.tasks) {
    bytes += kItemBytes + (task.spec == nullptr ? 0 : static_cast<int64_t>(task.spec->payload.size()));
  }
  return bytes;
}

int64_t ExtraBytes(const core::CancelTasks& cancel) {
  return kItemBytes * static_cast<int64_t>(cancel.tasks.size());
}

int64_t OutputBytes(const RetainedOutput& output) {
  return static_cast<int64_t>(output.head.size() + output.tail.size());
}

int64_t ExtraBytes(const core::WorkerReports& reports) {
  auto bytes = kItemBytes * static_cast<int64_t>(reports.started.size() + reports.given_back.size() +
                                                 reports.refused.size());
  for (const AttemptReportPtr& result : reports.results) {
    bytes += kEventBytes + OutputBytes(result->stdout_output) + OutputBytes(result->stderr_output) +
             static_cast<int64_t>(BytesOf(result->outputs));
  }
  return bytes;
}

int64_t ExtraBytes(const core::SessionOpened& opened) {
  return kItemBytes * static_cast<int64_t>(opened.held.size());
}

int64_t ExtraBytes(const core::PauseQueue& pause) { return static_cast<int64_t>(pause.reason.size()); }

int64_t ExtraBytes(const core::ChangeSchedule& change) {
  if (const auto* pause = std::get_if<core::PauseSchedule>(&change.what)) return static_cast<int64_t>(pause->reason.size());
  const auto* add = std::get_if<core::AddSchedule>(&change.what);
  return add == nullptr ? 0 : static_cast<int64_t>(add->spec.work->bytes());
}

int64_t ExtraBytes(const core::FireEvent& event) {
  int64_t bytes = 0;
  for (const core::EventRun& run : event.runs) {
    bytes += kEventBytes;
    if (const auto* task = std::get_if<TaskSpecPtr>(&run.what)) {
      bytes += *task == nullptr ? 0 : static_cast<int64_t>((*task)->payload.size());
      continue;
    }
    for (const core::NewNode& node : std::get<core::SubmitWorkflow>(run.what).nodes) {
      bytes += kItemBytes + static_cast<int64_t>(node.spec->payload.size()) + RowsBytes(node.rows);
    }
  }
  return bytes;
}

template <typename Other>
int64_t ExtraBytes(const Other&) {
  return 0;
}

}  // namespace

int64_t WeightBytes(const core::Event& event) {
  return kEventBytes + std::visit([](const auto& e) { return ExtraBytes(e); }, event);
}

}  // namespace muster::master
