#include "master/dispatcher/report_reader.h"

#include <gtest/gtest.h>

#include "muster/v1/worker_service.pb.h"

namespace muster::dispatcher {
namespace {

void SetKey(uint64_t task, uint32_t attempt, v1::AttemptKey* key) {
  key->set_task(task);
  key->set_attempt(attempt);
}

v1::Hello HelloOf(uint64_t incarnation) {
  v1::Hello hello;
  hello.set_incarnation(incarnation);
  return hello;
}

TEST(ReadHelloTest, HeldAttemptsAreTold) {
  v1::Hello hello = HelloOf(7);
  v1::HeldAttempt* held = hello.add_held();
  SetKey(3, 2, held->mutable_key());
  held->set_phase(v1::HeldAttempt::PHASE_RUNNING);
  const auto opened = ReadHello(hello, WorkerId(1), SessionNumber(9));
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(opened->incarnation, Incarnation(7));
  ASSERT_EQ(opened->held.size(), 1u);
  EXPECT_EQ(opened->held[0].phase, core::HeldAttempt::Phase::kRunning);
}

TEST(ReadHelloTest, ARefusalSaysWhy) {
  v1::Hello hello = HelloOf(7);
  hello.set_refused_because("a newer session is open");
  const auto opened = ReadHello(hello, WorkerId(1), SessionNumber(9));
  EXPECT_NE(opened.status().message().find("a newer session"), absl::string_view::npos);
}

TEST(ReadHelloTest, AHelloThatCannotBeTrustedProvesNothing) {
  EXPECT_FALSE(ReadHello(HelloOf(0), WorkerId(1), SessionNumber(9)).ok());
  v1::Hello impossible = HelloOf(7);
  impossible.add_held()->set_phase(v1::HeldAttempt::PHASE_RUNNING);
  EXPECT_FALSE(ReadHello(impossible, WorkerId(1), SessionNumber(9)).ok());
  v1::Hello phaseless = HelloOf(7);
  SetKey(1, 1, phaseless.add_held()->mutable_key());
  EXPECT_FALSE(ReadHello(phaseless, WorkerId(1), SessionNumber(9)).ok());
}

TEST(ReadReportsTest, AValidationIsRead) {
  v1::SessionResponse message;
  SetKey(5, 2, message.add_validating()->mutable_key());
  SetKey(0, 2, message.add_validating()->mutable_key());
  const Reports reports = ReadReports(&message, WorkerId(1), SessionNumber(2));
  ASSERT_EQ(reports.event.validating.size(), 1u);
  EXPECT_EQ(reports.event.validating[0].key, (AttemptKey{TaskId(5), AttemptNumber(2)}));
  EXPECT_EQ(reports.malformed, 1u);

  v1::Hello hello = HelloOf(7);
  v1::HeldAttempt* held = hello.add_held();
  SetKey(5, 2, held->mutable_key());
  held->set_phase(v1::HeldAttempt::PHASE_VALIDATING);
  EXPECT_EQ(ReadHello(hello, WorkerId(1), SessionNumber(9))->held[0].phase, core::HeldAttempt::Phase::kValidating);
}

TEST(ReadReportsTest, WhatNamesNoPossibleAttemptIsDroppedAndCounted) {
  v1::SessionResponse message;
  SetKey(0, 1, message.add_started()->mutable_key());
  SetKey(1, 70'000, message.add_started()->mutable_key());
  SetKey(1, 1, message.add_results()->mutable_key());  // no reason
  SetKey(5, 0, message.add_given_back());
  SetKey(0, 0, message.add_refused()->mutable_key());
  const Reports reports = ReadReports(&message, WorkerId(1), SessionNumber(2));
  EXPECT_TRUE(reports.Empty());
  EXPECT_EQ(reports.malformed, 5u);
}

TEST(ReadReportsTest, EverythingElseIsTold) {
  v1::SessionResponse message;
  SetKey(1, 1, message.add_started()->mutable_key());
  v1::AttemptResult* result = message.add_results();
  SetKey(1, 1, result->mutable_key());
  result->mutable_end()->set_reason(v1::END_REASON_EXITED);
  result->mutable_end()->set_exit_code(7);
  result->mutable_stdout()->set_head("out");
  SetKey(2, 1, message.add_given_back());
  SetKey(3, 1, message.add_refused()->mutable_key());
  message.mutable_refused(0)->set_reason(std::string(5000, 'x'));
  const Reports reports = ReadReports(&message, WorkerId(4), SessionNumber(2));
  EXPECT_EQ(reports.malformed, 0u);
  EXPECT_EQ(reports.event.worker, WorkerId(4));
  ASSERT_EQ(reports.event.results.size(), 1u);
  EXPECT_EQ(reports.event.results[0]->end.exit_code, 7);
  EXPECT_EQ(reports.event.results[0]->stdout_output.head, "out");
  EXPECT_EQ(reports.event.given_back.size(), 1u);
  EXPECT_LE(reports.event.refused[0].reason.size(), 1024u);
}

v1::AttemptResult* AddResult(v1::SessionResponse* message, v1::EndReason reason) {
  v1::AttemptResult* result = message->add_results();
  SetKey(static_cast<uint64_t>(message->results_size()), 1, result->mutable_key());
  result->mutable_end()->set_reason(reason);
  return result;
}

void AddOutput(const std::string& name, const std::string& value, v1::AttemptResult* result) {
  v1::NamedValue* output = result->add_outputs();
  output->set_name(name);
  output->set_value(value);
}

TEST(ReadReportsTest, OutputsAreRead) {
  v1::SessionResponse message;
  v1::AttemptResult* result = AddResult(&message, v1::END_REASON_EXITED);
  AddOutput("version", "1.4", result);
  AddOutput("digest", "", result);
  const Reports reports = ReadReports(&message, WorkerId(1), SessionNumber(2));
  EXPECT_EQ(reports.malformed, 0u);
  EXPECT_EQ(reports.event.results.at(0)->outputs, (NamedValues{{"version", "1.4"}, {"digest", ""}}));
}

TEST(ReadReportsTest, OutputsThatCannotBeAreDroppedAndTheResultIsKept) {
  v1::SessionResponse message;
  v1::AttemptResult* result = AddResult(&message, v1::END_REASON_EXITED);
  AddOutput("version", "1.4", result);
  AddOutput("version", "again", result);
  AddOutput("not a name", "1", result);
  AddOutput("", "1", result);
  AddOutput(std::string(200, 'n'), "1", result);
  AddOutput("long", std::string(5000, 'x'), result);
  AddOutput("lines", "a\nb", result);
  AddOutput("nul", std::string("a\0b", 3), result);
  AddOutput("bytes", "\xff", result);
  AddOutput("last", "kept", result);
  const Reports reports = ReadReports(&message, WorkerId(1), SessionNumber(2));
  EXPECT_EQ(reports.malformed, 8u);
  EXPECT_EQ(reports.event.results.at(0)->outputs, (NamedValues{{"version", "1.4"}, {"last", "kept"}}));
}

TEST(ReadReportsTest, NoMoreOutputsThanATaskMayHaveAndNoneOfWhatHasNotExited) {
  v1::SessionResponse message;
  v1::AttemptResult* many = AddResult(&message, v1::END_REASON_EXITED);
  for (int i = 0; i < 100; ++i) AddOutput("n" + std::to_string(i), "v", many);
  AddOutput("version", "1.4", AddResult(&message, v1::END_REASON_VALIDATION_FAILED));
  const Reports reports = ReadReports(&message, WorkerId(1), SessionNumber(2));
  EXPECT_EQ(reports.event.results.at(0)->outputs.size(), kMostOutputs);
  EXPECT_TRUE(reports.event.results.at(1)->outputs.empty());
  EXPECT_EQ(reports.malformed, 37u);
}

}  // namespace
}  // namespace muster::dispatcher
