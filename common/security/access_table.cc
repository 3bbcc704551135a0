#include "common/security/access_table.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"

namespace muster::security {
namespace {

constexpr AccessRow kMethods[] = {
    {"/muster.v1.TaskService/Submit", Need::kSubmitter},
    {"/muster.v1.TaskService/SubmitBatch", Need::kSubmitter},
    {"/muster.v1.TaskService/Get", Need::kViewer},
    {"/muster.v1.TaskService/List", Need::kViewer},
    {"/muster.v1.TaskService/Watch", Need::kViewer},
    {"/muster.v1.TaskService/Attach", Need::kSubmitter},  // who reads there can hold the command up
    {"/muster.v1.TaskService/Logs", Need::kViewer},
    {"/muster.v1.TaskService/Cancel", Need::kSubmitter},
    {"/muster.v1.TaskService/Retry", Need::kSubmitter},
    {"/muster.v1.TaskService/Explain", Need::kViewer},

    {"/muster.v1.WorkflowService/Run", Need::kSubmitter},
    {"/muster.v1.WorkflowService/Add", Need::kSubmitter},
    {"/muster.v1.WorkflowService/Plan", Need::kViewer},
    {"/muster.v1.WorkflowService/Get", Need::kViewer},
    {"/muster.v1.WorkflowService/List", Need::kViewer},
    {"/muster.v1.WorkflowService/Cancel", Need::kSubmitter},
    {"/muster.v1.WorkflowService/Retry", Need::kSubmitter},

    {"/muster.v1.QueueService/ListQueues", Need::kViewer},
    {"/muster.v1.QueueService/GetQueue", Need::kViewer},
    {"/muster.v1.QueueService/UpdateQueue", Need::kOperator},
    {"/muster.v1.QueueService/PauseQueue", Need::kOperator},
    {"/muster.v1.QueueService/ResumeQueue", Need::kOperator},

    // A schedule has a name that is everyone's and runs when its owner is long gone.
    {"/muster.v1.ScheduleService/AddSchedule", Need::kOperator},
    {"/muster.v1.ScheduleService/GetSchedule", Need::kViewer},
    {"/muster.v1.ScheduleService/ListSchedules", Need::kViewer},
    {"/muster.v1.ScheduleService/RemoveSchedule", Need::kOperator},
    {"/muster.v1.ScheduleService/PauseSchedule", Need::kOperator},
    {"/muster.v1.ScheduleService/ResumeSchedule", Need::kOperator},
    {"/muster.v1.ScheduleService/RunSchedule", Need::kOperator},
    {"/muster.v1.ScheduleService/SendEvent", Need::kSubmitter},

    {"/muster.v1.ClusterService/GetSummary", Need::kViewer},
    {"/muster.v1.ClusterService/ListWorkers", Need::kViewer},
    {"/muster.v1.ClusterService/GetWorker", Need::kViewer},
    {"/muster.v1.ClusterService/UpdateWorker", Need::kOperator},
    {"/muster.v1.ClusterService/DrainWorker", Need::kOperator},
    {"/muster.v1.ClusterService/QuarantineWorker", Need::kOperator},
    {"/muster.v1.ClusterService/ResumeWorker", Need::kOperator},
    {"/muster.v1.ClusterService/ReadActivity", Need::kViewer},
    {"/muster.v1.ClusterService/ListFailures", Need::kViewer},
    {"/muster.v1.ClusterService/ListRunTimes", Need::kViewer},
    {"/muster.v1.ClusterService/GetPlacement", Need::kViewer},
    {"/muster.v1.ClusterService/UpdatePlacement", Need::kOperator},
    {"/muster.v1.ClusterService/PurgeTasks", Need::kAdmin},
    {"/muster.v1.ClusterService/Shutdown", Need::kAdmin},

    {"/muster.v1.RegistryService/Join", Need::kWorker},
    {"/muster.v1.RegistryService/Heartbeat", Need::kWorker},
    {"/muster.v1.WorkerService/Session", Need::kMaster},
    {"/muster.v1.WorkerService/Execute", Need::kAdmin},

    {"/grpc.health.v1.Health/Check", Need::kIdentity},
    {"/grpc.health.v1.Health/Watch", Need::kIdentity},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Need::kIdentity},
};

constexpr AccessRow kRoutes[] = {
    {"/metrics", Need::kNothing},
    {"/healthz", Need::kNothing},
    {"/readyz", Need::kNothing},
    {"/drain", Need::kOperator},
    {"/v1/events/", Need::kSubmitter},
};

std::optional<Need> Find(std::span<const AccessRow> rows, std::string_view what) {
  const auto found = std::find_if(rows.begin(), rows.end(), [what](const AccessRow& row) { return row.what == what; });
  return found == rows.end() ? std::nullopt : std::optional<Need>(found->need);
}

std::string_view NeedText(Need need) {
  switch (need) {
    case Need::kNothing:
    case Need::kIdentity:
      return "";
    case Need::kViewer:
      return "viewer";
    case Need::kSubmitter:
      return "submitter";
    case Need::kOperator:
      return "operator";
    case Need::kAdmin:
      return "admin";
    case Need::kWorker:
      return "worker";
    case Need::kMaster:
      return "master";
  }
  return "";
}

}  // namespace

std::span<const AccessRow> MethodRows() { return kMethods; }
std::span<const AccessRow> RouteRows() { return kRoutes; }

std::optional<Need> NeedOfMethod(std::string_view method) { return Find(kMethods, method); }
std::optional<Need> NeedOfRoute(std::string_view route) { return Find(kRoutes, route); }

bool Meets(Role role, Need need) {
  switch (need) {
    case Need::kNothing:
    case Need::kIdentity:
      return true;
    case Need::kViewer:
      return !IsDaemon(role);
    case Need::kSubmitter:
      return !IsDaemon(role) && role >= Role::kSubmitter;
    case Need::kOperator:
      return !IsDaemon(role) && role >= Role::kOperator;
    case Need::kAdmin:
      return role == Role::kAdmin;
    case Need::kWorker:
      return role == Role::kWorker;
    case Need::kMaster:
      return role == Role::kMaster;
  }
  return false;
}

absl::Status Authorize(std::string_view method, const Identity* identity) {
  if (identity == nullptr) {
    return Refuse(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED",
                  "who calls? show a certificate of this cluster; `muster pki issue` makes one");
  }
  if (identity->is_local()) return absl::OkStatus();
  const std::optional<Need> need = NeedOfMethod(method);
  if (need.has_value() && Meets(identity->role, *need)) return absl::OkStatus();
  const std::string_view role = need.has_value() ? NeedText(*need) : "";
  return Refuse(absl::StatusCode::kPermissionDenied, "PERMISSION_DENIED",
                role.empty() ? absl::StrCat(identity->Text(), " may not do that")
                             : absl::StrCat(identity->Text(), " may not do that; it takes the role ",
                                            absl::string_view(role.data(), role.size())));
}

}  // namespace muster::security
