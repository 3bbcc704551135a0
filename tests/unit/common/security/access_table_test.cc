#include "common/security/access_table.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor_database.h>
#include <gtest/gtest.h>

#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "common/telemetry/http_server.h"
#include "muster/v1/cluster_service.pb.h"
#include "muster/v1/queue_service.pb.h"
#include "muster/v1/registry_service.pb.h"
#include "muster/v1/schedule_service.pb.h"
#include "muster/v1/task_service.pb.h"
#include "muster/v1/worker_service.pb.h"
#include "muster/v1/workflow_service.pb.h"

namespace muster::security {
namespace {

// Of every file of ours that is linked in, so that a new service is not forgotten.
std::set<std::string> OurMethods() {
  // One message of each file, so that the linker keeps it.
  const google::protobuf::Descriptor* const kept[] = {
      v1::GetSummaryRequest::descriptor(), v1::GetQueueRequest::descriptor(), v1::JoinRequest::descriptor(),
      v1::GetScheduleRequest::descriptor(), v1::SubmitRequest::descriptor(), v1::ExecuteRequest::descriptor(),
      v1::GetWorkflowRequest::descriptor()};
  EXPECT_NE(kept[0], nullptr);
  std::vector<std::string> files;
  google::protobuf::DescriptorPool::internal_generated_database()->FindAllFileNames(&files);
  std::set<std::string> methods;
  for (const std::string& name : files) {
    if (!absl::StartsWith(name, "muster/")) continue;
    const auto* const file = google::protobuf::DescriptorPool::generated_pool()->FindFileByName(name);
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        methods.insert(absl::StrCat("/", file->service(s)->full_name(), "/", file->service(s)->method(m)->name()));
      }
    }
  }
  return methods;
}

TEST(AccessTable, EveryMethodOfTheApiHasOneRow) {
  const std::set<std::string> methods = OurMethods();
  EXPECT_GT(methods.size(), 40u);
  for (const std::string& method : methods) EXPECT_TRUE(NeedOfMethod(method).has_value()) << method << " has no row";
}

TEST(AccessTable, NoRowIsForAMethodThatIsGoneAndNoneIsThereTwice) {
  const std::set<std::string> methods = OurMethods();
  std::set<std::string_view> seen;
  for (const AccessRow& row : MethodRows()) {
    EXPECT_TRUE(seen.insert(row.what).second) << row.what;
    const bool is_ours = absl::StartsWith(std::string(row.what), "/muster.");
    EXPECT_TRUE(!is_ours || methods.contains(std::string(row.what))) << row.what;
    EXPECT_NE(row.need, Need::kNothing) << row.what << ": no gRPC method is for those who do not say who they are";
  }
}

TEST(AccessTable, EveryHttpRouteHasOneRowAndWhatChangesSomethingIsNotForEveryone) {
  EXPECT_EQ(RouteRows().size(), std::size(telemetry::kHttpRoutes));
  for (const std::string_view route : telemetry::kHttpRoutes) {
    const std::optional<Need> need = NeedOfRoute(route);
    ASSERT_TRUE(need.has_value()) << route << " has no row";
    EXPECT_EQ(*need == Need::kNothing, route == "/metrics" || route == "/healthz" || route == "/readyz") << route;
  }
}

TEST(AccessTable, ALadderForPeopleAndTwoThatStandBesideIt) {
  for (const Role role : kRoles) {
    EXPECT_TRUE(Meets(role, Need::kIdentity));
    EXPECT_EQ(Meets(role, Need::kWorker), role == Role::kWorker);
    EXPECT_EQ(Meets(role, Need::kMaster), role == Role::kMaster);
    EXPECT_EQ(Meets(role, Need::kViewer), !IsDaemon(role));
    EXPECT_EQ(Meets(role, Need::kSubmitter), role == Role::kSubmitter || role == Role::kOperator || role == Role::kAdmin);
    EXPECT_EQ(Meets(role, Need::kOperator), role == Role::kOperator || role == Role::kAdmin);
    EXPECT_EQ(Meets(role, Need::kAdmin), role == Role::kAdmin);
  }
}

TEST(AccessTable, WhatHasNoRowIsForNobodyButTheLocalUser) {
  const Identity admin{Proof::kCertificate, Role::kAdmin, "anna", "prod"};
  for (const char* method : {"", "/", "/muster.v1.TaskService/submit", "/muster.v1.TaskService/Submit/", "muster.v1.TaskService/Submit",
                             "/grpc.channelz.v1.Channelz/GetServers", "/muster.v1.TaskService/New"}) {
    EXPECT_EQ(Authorize(method, &admin).code(), absl::StatusCode::kPermissionDenied) << method;
    EXPECT_EQ(Authorize(method, nullptr).code(), absl::StatusCode::kUnauthenticated) << method;
    EXPECT_TRUE(Authorize(method, std::make_unique<Identity>().get()).ok()) << method;
  }
}

TEST(AccessTable, ARefusalSaysWhatToAskFor) {
  const Identity viewer{Proof::kCertificate, Role::kViewer, "anna", "prod"};
  const absl::Status refused = Authorize("/muster.v1.ClusterService/Shutdown", &viewer);
  EXPECT_EQ(refused.message(), "viewer/anna may not do that; it takes the role admin");
  EXPECT_EQ(ReasonOf(refused), "PERMISSION_DENIED");
}

}  // namespace
}  // namespace muster::security
