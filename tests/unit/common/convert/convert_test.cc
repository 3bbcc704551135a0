#include "common/convert/convert.h"

#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace muster::convert {
namespace {

template <typename Message>
std::string Json(const Message& message) {
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json);
  return status.ok() ? json : "refused: " + status.ToString();
}

TEST(Convert, AWorkerThatIsOnlyExpectedAfterARestartIsStillJson) {
  WorkerView view{.name = "w1", .state = WorkerState::kSuspect};
  view.join_time = absl::InfinitePast();
  view.heartbeat_time = absl::InfinitePast();
  v1::Worker worker;
  ToProto(view, &worker);
  EXPECT_EQ(Json(worker).find("refused"), std::string::npos) << Json(worker);
  EXPECT_FALSE(worker.has_join_time());
}

TEST(Convert, ATimeBeyondTheCalendarStaysAMessage) {
  for (const absl::Time time : {absl::InfinitePast(), absl::InfiniteFuture()}) {
    google::protobuf::Timestamp message;
    ToProto(time, &message);
    EXPECT_EQ(Json(message).find("refused"), std::string::npos) << Json(message);
  }
}

TEST(Convert, ADurationBeyondTheMessagesIsStillJson) {
  for (const absl::Duration duration : {absl::InfiniteDuration(), -absl::InfiniteDuration(), absl::Hours(24 * 365 * 20'000)}) {
    google::protobuf::Duration message;
    ToProto(duration, &message);
    EXPECT_EQ(Json(message).find("refused"), std::string::npos) << Json(message);
  }
}

TEST(Convert, WhatIsNoNumberOfCoresIsNone) {
  v1::WorkerOffer offer;
  for (const double cores : {std::nan(""), -1.0}) {
    offer.set_cpu(cores);
    EXPECT_EQ(FromProto(offer).capacity.cpu_millis, 0) << cores;
  }
  offer.set_cpu(std::numeric_limits<double>::infinity());
  EXPECT_GT(FromProto(offer).capacity.cpu_millis, 0);
}

// Run times are learned by fingerprint, and parameters are a map.
TEST(Convert, ATaskWithParametersKeepsItsFingerprintWhenItIsReadAgain) {
  v1::TaskSpec spec;
  spec.set_executor("noop");
  for (int i = 0; i < 50; ++i) {
    (*spec.mutable_parameters()->mutable_fields())["key " + std::to_string(i)].set_number_value(i);
  }
  const std::string stored = spec.SerializeAsString();
  for (int i = 0; i < 10; ++i) {
    v1::TaskSpec again;
    ASSERT_TRUE(again.ParseFromString(stored));
    EXPECT_EQ(MakeTaskSpec(again, stored)->fingerprint, MakeTaskSpec(spec, stored)->fingerprint);
  }
}

TEST(Convert, ACommandThatIsValidatedByAnotherOneIsAKindOfItsOwn) {
  v1::TaskSpec spec;
  spec.mutable_command()->add_argv("export");
  const uint64_t alone = MakeTaskSpec(spec, "")->fingerprint;
  spec.mutable_validation()->set_command("test -s out");
  const uint64_t validated = MakeTaskSpec(spec, "")->fingerprint;
  EXPECT_NE(validated, alone) << "it takes a slot for as long as both take";
  spec.mutable_validation()->add_accepted_exit_codes(24);
  EXPECT_EQ(MakeTaskSpec(spec, "")->fingerprint, validated);
}

TEST(Convert, TimesAndDurationsComeBack) {
  const absl::Time time = absl::FromUnixNanos(1'700'000'000'123'456'789);
  google::protobuf::Timestamp timestamp;
  ToProto(time, &timestamp);
  EXPECT_EQ(FromProto(timestamp), time);
  google::protobuf::Duration duration;
  ToProto(absl::Milliseconds(-1500), &duration);
  EXPECT_EQ(FromProto(duration), absl::Milliseconds(-1500));
}

TEST(Convert, AnUnsetSpecificationGetsItsDefaults) {
  v1::TaskSpec message;
  message.mutable_command()->add_argv("true");
  const TaskSpecPtr spec = MakeTaskSpec(message, "payload");
  EXPECT_EQ(spec->queue, "default");
  EXPECT_EQ(spec->requirements.executor, "command");
  EXPECT_EQ(spec->requirements.resources.slots, 1u);
  EXPECT_TRUE(spec->requirements.OneSlotOnly());
  EXPECT_EQ(spec->retry.max_attempts, 1u);
  EXPECT_EQ(spec->run_timeout, absl::InfiniteDuration());
  EXPECT_EQ(spec->payload, "payload");
}

TEST(Convert, NeedsAreSortedAndOnce) {
  v1::TaskSpec message;
  for (const char* need : {"zone=b", "gpu", "zone=b", "gpu="}) message.mutable_requirements()->add_needs(need);
  const TaskSpecPtr spec = MakeTaskSpec(message, "");
  const auto& needs = spec->requirements.needs;
  ASSERT_EQ(needs.size(), 3u);
  EXPECT_EQ(needs[0].name, "gpu");
  EXPECT_FALSE(needs[0].has_value);
  EXPECT_TRUE(needs[1].has_value);
}

TEST(Convert, WhatIsAvoidedIsKeptApartFromWhatIsNeeded) {
  v1::TaskSpec message;
  message.mutable_requirements()->add_needs("gpu");
  for (const char* avoided : {"zone=b", "spot", "spot"}) message.mutable_requirements()->add_avoids(avoided);
  const TaskSpecPtr spec = MakeTaskSpec(message, "");
  ASSERT_EQ(spec->requirements.excludes.size(), 2u);
  EXPECT_EQ(spec->requirements.excludes[0].name, "spot");
  EXPECT_EQ(spec->requirements.excludes[1].value, "b");
  EXPECT_EQ(spec->requirements.needs.size(), 1u);
  message.mutable_requirements()->clear_avoids();
  EXPECT_NE(MakeTaskSpec(message, "")->requirements, spec->requirements) << "another class";
}

TEST(Convert, AValidatedTaskNeedsAWorkerThatKnowsOfIt) {
  v1::TaskSpec message;
  message.mutable_requirements()->add_needs("zone=a");
  message.mutable_validation();
  EXPECT_EQ(MakeTaskSpec(message, "")->requirements.needs.size(), 1u) << "it asks for nothing";
  message.mutable_validation()->add_accepted_exit_codes(3);
  const TaskSpecPtr spec = MakeTaskSpec(message, "");
  ASSERT_EQ(spec->requirements.needs.size(), 2u);
  EXPECT_EQ(spec->requirements.needs[0].name, "validation");
  EXPECT_EQ(spec->accepted_exit_codes, std::vector<int32_t>{3});
}

TEST(Convert, ATierOfIsolationIsNeededAndPlainIsEveryones) {
  v1::TaskSpec message;
  message.set_isolation(v1::ISOLATION_PLAIN);
  EXPECT_TRUE(MakeTaskSpec(message, "")->requirements.needs.empty());
  message.mutable_requirements()->add_needs("zone=a");
  for (const auto& [tier, name] : {std::pair(v1::ISOLATION_LIMITED, "isolation.limited"), std::pair(v1::ISOLATION_STRICT, "isolation.strict")}) {
    message.set_isolation(tier);
    const TaskSpecPtr spec = MakeTaskSpec(message, "");
    ASSERT_EQ(spec->requirements.needs.size(), 2u);
    EXPECT_EQ(spec->requirements.needs[0].name, name);
    EXPECT_TRUE(spec->requirements.OneSlotOnly()) << "it may be sent ahead as before";
  }
}

TEST(Convert, AnArrangementIsOfTheClassAndOneOfTheFutureIsNone) {
  v1::TaskSpec message;
  const TaskSpecPtr plain = MakeTaskSpec(message, "");
  message.mutable_requirements()->set_arrangement(v1::ARRANGEMENT_PACK);
  const TaskSpecPtr packed = MakeTaskSpec(message, "");
  EXPECT_EQ(packed->requirements.arrangement, Arrangement::kPack);
  EXPECT_NE(packed->requirements, plain->requirements);
  EXPECT_FALSE(packed->requirements.OneSlotOnly()) << "it is not sent ahead to just any worker";
  message.mutable_requirements()->set_arrangement(static_cast<v1::Arrangement>(77));
  EXPECT_EQ(MakeTaskSpec(message, "")->requirements, plain->requirements);
}

TEST(Convert, DiskIsAskedForAndOffered) {
  v1::TaskSpec message;
  message.mutable_requirements()->set_disk_bytes(1000);
  const TaskSpecPtr spec = MakeTaskSpec(message, "");
  EXPECT_EQ(spec->requirements.resources.disk_bytes, 1000);
  EXPECT_FALSE(spec->requirements.OneSlotOnly());
  WorkerOffer offer;
  offer.capacity.disk_bytes = 5000;
  offer.origins = {CapacityOrigin::kConfigured, CapacityOrigin::kCgroup, CapacityOrigin::kUnknown, CapacityOrigin::kMachine};
  v1::WorkerOffer told;
  ToProto(offer, &told);
  EXPECT_EQ(FromProto(told), offer);
  told.mutable_origins()->set_slots(static_cast<v1::CapacityOrigin>(77));
  EXPECT_EQ(FromProto(told).origins.slots, CapacityOrigin::kUnknown) << "of a later worker";
}

TEST(Convert, AWorkerShowsWhatIsTakenOfIt) {
  WorkerView view;
  view.used = {.slots = 2, .cpu_millis = 1500, .memory_bytes = 7, .disk_bytes = 8, .named = {{"gpu", 1}}};
  v1::Worker shown;
  ToProto(view, &shown);
  EXPECT_EQ(shown.used_slots(), 2u);
  EXPECT_EQ(shown.used().slots(), 2u);
  EXPECT_EQ(shown.used().cpu(), 1.5);
  EXPECT_EQ(shown.used().memory_bytes(), 7);
  EXPECT_EQ(shown.used().disk_bytes(), 8);
  EXPECT_EQ(shown.used().resources(0).amount(), 1);
}

TEST(Convert, AReportComesBackWithItsOutput) {
  AttemptReport report;
  report.key = {TaskId(7), AttemptNumber(2)};
  report.end = {.reason = EndReason::kSignaled, .signal = 9, .message = "why"};
  report.stdout_output = {.head = "head", .tail = "tail", .tail_offset = 96, .total_bytes = 100, .sha256 = "x"};
  report.started = true;
  report.start_time = absl::FromUnixSeconds(5);
  report.end_time = absl::FromUnixSeconds(6);
  report.outputs = {{"version", "1.4"}, {"digest", ""}};
  v1::AttemptResult message;
  ToProto(report, &message);
  const AttemptReportPtr back = FromProto(&message);
  EXPECT_EQ(back->key, report.key);
  EXPECT_EQ(back->end.signal, 9);
  EXPECT_EQ(back->stdout_output.tail_offset, 96);
  EXPECT_EQ(back->stdout_output.omitted_bytes(), 92);
  EXPECT_EQ(back->stderr_output.total_bytes, 0);
  EXPECT_EQ(back->start_time, report.start_time);
  EXPECT_EQ(back->outputs, report.outputs);
}

TEST(Convert, AnEndReasonOfTheFutureIsNoneAndNotTrusted) {
  v1::AttemptEnd message;
  message.set_reason(static_cast<v1::EndReason>(77));
  EXPECT_EQ(FromProto(message).reason, EndReason::kNone);
}

}  // namespace
}  // namespace muster::convert
