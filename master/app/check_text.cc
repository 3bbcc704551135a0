#include "master/app/check_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "master/store/set_aside.h"

namespace muster::master {
namespace {

constexpr size_t kTasksShown = 20;

using store::JsonText;

std::string TaskList(const std::set<TaskId>& tasks) {
  std::string list;
  size_t shown = 0;
  for (const TaskId task : tasks) {
    if (++shown > kTasksShown) return absl::StrCat(list, " and ", tasks.size() - kTasksShown, " more");
    absl::StrAppend(&list, list.empty() ? "" : " ", IdToText(task.value()));
  }
  return list;
}

// Damage that is not of one task may still hold some of them.
std::string Salvageable(const std::string& directory, const store::CheckReport& report) {
  if (report.tasks == 0) return "";
  const uint64_t damaged = std::min<uint64_t>(report.damaged_tasks.size(), report.tasks);
  return absl::StrCat("  can be salvaged: ", report.tasks - damaged, " of ", report.tasks, " tasks",
                      damaged == 0 ? "" : absl::StrCat("; damaged are ", TaskList(report.damaged_tasks)),
                      "; `muster-master salvage ", directory, " TO` makes a store of the rest\n");
}

}  // namespace

std::string CheckText(const std::string& directory, const store::CheckReport& report) {
  std::string text = absl::StrCat(directory, ": ", report.sound() ? "sound" : "damaged", "\n");
  for (const store::Finding& finding : report.findings) absl::StrAppend(&text, "  ", finding.Line(), "\n");
  if (report.stopped_early) absl::StrAppend(&text, "  and more: it stopped at ", report.findings.size(), " findings\n");
  if (!report.sound()) text += Salvageable(directory, report);
  for (const std::string& note : report.notes) absl::StrAppend(&text, "  note: ", note, "\n");
  absl::StrAppend(&text, "  commit ", report.last_commit.value(), ", epoch ", report.epoch, ", cluster ",
                  report.cluster_id.empty() ? "not known" : report.cluster_id, "\n  ", report.tasks, " tasks, ",
                  report.ended_tasks, " of them ended\n  rows:");
  for (const auto& [table, count] : report.rows) {
    if (count > 0) absl::StrAppend(&text, " ", table, " ", count);
  }
  return text + "\n";
}

std::string CheckJson(const std::string& directory, const store::CheckReport& report) {
  std::string findings;
  for (const store::Finding& it : report.findings) {
    absl::StrAppend(&findings, findings.empty() ? "" : ",", "{\"file\":", JsonText(it.file), ",\"table\":",
                    JsonText(it.table), ",\"row\":", JsonText(it.row), ",\"task\":",
                    JsonText(it.task ? IdToText(it.task.value()) : ""), ",\"what\":", JsonText(it.what), "}");
  }
  std::string notes;
  for (const std::string& note : report.notes) absl::StrAppend(&notes, notes.empty() ? "" : ",", JsonText(note));
  std::string rows;
  for (const auto& [table, count] : report.rows) {
    absl::StrAppend(&rows, rows.empty() ? "" : ",", JsonText(table), ":", count);
  }
  std::string damaged;
  for (const TaskId task : report.damaged_tasks) {
    absl::StrAppend(&damaged, damaged.empty() ? "" : ",", JsonText(IdToText(task.value())));
  }
  return absl::StrCat("{\"directory\":", JsonText(directory), ",\"sound\":", report.sound() ? "true" : "false",
                      ",\"findings\":[", findings, "],\"stopped_early\":", report.stopped_early ? "true" : "false",
                      ",\"damaged_tasks\":[", damaged, "],\"notes\":[", notes, "],\"beside_master\":",
                      report.beside_master ? "true" : "false", ",\"commit\":", report.last_commit.value(),
                      ",\"epoch\":", report.epoch, ",\"cluster_id\":", JsonText(report.cluster_id), ",\"tasks\":",
                      report.tasks, ",\"ended_tasks\":", report.ended_tasks, ",\"rows\":{", rows, "}}\n");
}

}  // namespace muster::master
