#include "cli/output.h"

#include <cstdio>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/activity_text.h"
#include "cli/command_line.h"
#include "cli/completion_script.h"
#include "cli/map_run.h"
#include "cli/processes.h"
#include "cli/session.h"
#include "cli/task_table.h"
#include "cli/worker_table.h"
#include "muster/v1/cluster.pb.h"

namespace muster::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Printed(const std::function<void()>& print) {
  testing::internal::CaptureStdout();
  print();
  std::fflush(stdout);
  return testing::internal::GetCapturedStdout();
}

v1::Worker Named(const std::string& name) {
  v1::Worker worker;
  worker.set_name(name);
  return worker;
}

TEST(Output, ListsAreAnObjectWithTheListInIt) {
  const auto list = [](Format format, int count) {
    return Printed([&] {
      ListWriter writer(format, "workers");
      for (int i = 0; i < count; ++i) writer.Add(Named("w" + std::to_string(i)));
      writer.Finish();
    });
  };
  EXPECT_EQ(list(Format::kJson, 0), "{\"workers\":[]}\n");
  EXPECT_THAT(list(Format::kJson, 2), testing::AllOf(testing::StartsWith("{\"workers\":["), HasSubstr("\"name\":\"w1\""), testing::EndsWith("]}\n")));
  EXPECT_EQ(list(Format::kYaml, 0), "workers: []\n");
  EXPECT_THAT(list(Format::kYaml, 2), testing::AllOf(HasSubstr("workers:\n- name: w0\n"), HasSubstr("\n- name: w1\n")));
  EXPECT_EQ(list(Format::kJsonl, 0), "");
}

TEST(Output, JsonHasSnakeCaseNamesAndItsDefaults) {
  v1::Task task;
  task.set_state(v1::TASK_STATE_SUCCEEDED);
  task.mutable_create_time()->set_seconds(1700000000);
  const std::string json = ToJson(task, false);
  EXPECT_THAT(json, HasSubstr("\"exit_code\":0"));
  EXPECT_THAT(json, HasSubstr("\"state\":\"TASK_STATE_SUCCEEDED\""));
  EXPECT_THAT(json, HasSubstr("\"create_time\":\"2023-11-14T22:13:20Z\""));
}

TEST(Table, ColumnsAreAsWideAsTheirWidestCell) {
  Table table({"ID", "NAME", "X"});
  table.Add({"1", "ä", "y"});
  table.Add({"22", "longer", ""});
  EXPECT_EQ(table.Text(), "ID  NAME    X\n1   ä       y\n22  longer\n");
}

TEST(TaskTable, ARowTellsHowItIsAndWhatItRuns) {
  v1::Task task;
  task.set_id("3F");
  task.set_state(v1::TASK_STATE_FAILED);
  task.set_exit_code(7);
  task.mutable_create_time()->set_seconds(1000);
  task.mutable_spec()->mutable_command()->add_argv("sh");
  task.mutable_spec()->mutable_command()->add_argv("-c");
  task.mutable_spec()->mutable_command()->add_argv("exit 7");
  v1::Attempt* attempt = task.add_attempts();
  attempt->set_worker("w1");
  attempt->mutable_start_time()->set_seconds(1001);
  attempt->mutable_end_time()->set_seconds(1003);
  Table table(TaskHeader(false));
  table.Add(TaskRow(task, false, absl::FromUnixSeconds(1060)));
  EXPECT_EQ(table.Text(),
            "ID  STATE   EXIT  WORKER  AGE  TIME  NAME  COMMAND\n"
            "3F  FAILED  7     w1      60s  2s    -     sh -c 'exit 7'\n");
  EXPECT_EQ(TaskRow(task, true, absl::Now()).size(), TaskHeader(true).size());
}

TEST(TaskTable, APageTellsEachAttemptWithItsTimesAndUsage) {
  v1::Task task;
  task.set_id("3F");
  task.set_state(v1::TASK_STATE_FAILED);
  task.set_exit_code(1);
  task.set_reason("exit code 1");
  task.mutable_create_time()->set_seconds(1000);
  v1::Attempt* attempt = task.add_attempts();
  attempt->set_number(1);
  attempt->set_worker("w1");
  attempt->mutable_dispatch_time()->set_seconds(1002);
  attempt->mutable_start_time()->set_seconds(1003);
  attempt->mutable_end_time()->set_seconds(1008);
  attempt->mutable_end()->set_reason(v1::END_REASON_EXITED);
  attempt->mutable_end()->set_exit_code(1);
  attempt->mutable_end()->mutable_usage()->set_peak_memory_bytes(1 << 20);
  attempt->add_notes("a late result was dropped");
  const std::string page = TaskPage(task, absl::FromUnixSeconds(1060));
  EXPECT_THAT(page, HasSubstr("FAILED, exit code 1"));
  EXPECT_THAT(page, HasSubstr("attempt 1 on w1: EXITED(1)"));
  EXPECT_THAT(page, HasSubstr("waited 2s, sent 1s, ran 5s"));
  EXPECT_THAT(page, HasSubstr("memory peak 1.0 MiB"));
  EXPECT_THAT(page, HasSubstr("a late result was dropped"));
}

TEST(TaskTable, APageTellsWhatATaskMayWriteAndWhatItWrote) {
  v1::Task task;
  task.set_id("3F");
  task.mutable_spec()->add_outputs("version");
  task.mutable_spec()->add_outputs("digest");
  EXPECT_THAT(TaskPage(task, absl::Now()), HasSubstr("May write:     version, digest\n"));
  EXPECT_THAT(TaskPage(task, absl::Now()), Not(HasSubstr("Output")));
  task.add_attempts();
  v1::Attempt* attempt = task.add_attempts();
  const auto add = [attempt](const std::string& name, const std::string& value) {
    v1::NamedValue* output = attempt->add_outputs();
    output->set_name(name);
    output->set_value(value);
  };
  add("version", "1.4");
  add("digest", "a\x1b[31m\rb");
  add("empty", "");
  add("na\nme\x07", "of a master that lies");
  const std::string page = TaskPage(task, absl::Now());
  EXPECT_THAT(page, HasSubstr("\nOutput version: 1.4\n"));
  EXPECT_THAT(page, HasSubstr("\nOutput digest: a?[31m?b\n"));
  EXPECT_THAT(page, HasSubstr("\nOutput empty:  (empty)\n"));
  EXPECT_THAT(page, HasSubstr("\nOutput na me?: of a master that lies\n"));
}

TEST(WorkerTable, AnUnhealthyExecutorShowsWithItsReason) {
  v1::Worker worker = Named("w1");
  worker.set_state(v1::WORKER_STATE_ACTIVE);
  worker.mutable_offer()->set_slots(4);
  worker.set_used_slots(1);
  v1::ExecutorOffer* executor = worker.mutable_offer()->add_executors();
  executor->set_name("http");
  executor->set_reason("no route");
  Table table(WorkerHeader(false));
  table.Add(WorkerRow(worker, false, absl::Now()));
  const std::string text = table.Text();
  EXPECT_THAT(text, HasSubstr("1/4"));
  EXPECT_THAT(text, HasSubstr("http(unhealthy)"));
  EXPECT_THAT(text, HasSubstr("executor http: no route"));
  EXPECT_EQ(WorkerRow(worker, true, absl::Now()).size(), WorkerHeader(true).size());
}

TEST(WorkerPage, ShowsWhatIsTakenOfWhatAndWhereThatComesFrom) {
  v1::Worker worker = Named("w1");
  v1::WorkerOffer* const offer = worker.mutable_offer();
  offer->set_slots(4);
  offer->set_cpu(1.5);
  offer->set_memory_bytes(int64_t{1} << 30);
  v1::Resource* const gpu = offer->add_resources();
  gpu->set_name("gpu");
  gpu->set_amount(2);
  offer->mutable_origins()->set_slots(v1::CAPACITY_ORIGIN_CONFIGURED);
  offer->mutable_origins()->set_cpu(v1::CAPACITY_ORIGIN_CGROUP);
  offer->mutable_origins()->set_memory(v1::CAPACITY_ORIGIN_MACHINE);
  worker.set_used_slots(3);
  worker.mutable_used()->set_cpu(0.5);
  worker.mutable_used()->set_memory_bytes(int64_t{256} << 20);
  *worker.mutable_used()->add_resources() = *gpu;
  worker.mutable_used()->mutable_resources(0)->set_amount(1);
  const std::string page = WorkerPage(worker, absl::Now());
  EXPECT_THAT(page, HasSubstr("  slots    3 of 4                   configured\n"));
  EXPECT_THAT(page, HasSubstr("  cpu      0.5 of 1.5               detected: its cgroup's limit\n"));
  EXPECT_THAT(page, HasSubstr("  memory   256 MiB of 1.0 GiB       detected: the machine's memory\n"));
  EXPECT_THAT(page, HasSubstr("  disk     0 B of 0 B\n")) << "an older worker does not say where it comes from";
  EXPECT_THAT(page, HasSubstr("  gpu      1 of 2                   configured\n"));
}

TEST(ActivityText, EveryEventHasWords) {
  const auto* oneof = v1::ActivityRecord::descriptor()->FindOneofByName("event");
  for (int i = 0; i < oneof->field_count(); ++i) {
    v1::ActivityRecord record;
    record.GetReflection()->MutableMessage(&record, oneof->field(i));
    EXPECT_EQ(ActivityText(record).rfind(oneof->field(i)->message_type()->name(), 0), 0u) << oneof->field(i)->name();
  }
}

TEST(ActivityText, APurgeSaysHowManyWhichOnesAndWho) {
  v1::ActivityRecord record;
  record.mutable_tasks_purged()->set_by("10.0.0.9");
  record.mutable_tasks_purged()->set_count(3040);
  record.mutable_tasks_purged()->mutable_ended_before()->set_seconds(1'700'000'000);
  EXPECT_EQ(ActivityText(record), "TasksPurged 3040 that ended before 2023-11-14T22:13:20.000Z by 10.0.0.9");
}

TEST(Progress, TellsRateAndWhatIsLeft) {
  EXPECT_EQ(ProgressText("40", 100, 300, 4, 2, absl::Seconds(10)), "40: 100/300 done, 4 running, 2 failed, 10/s, 20s left");
  EXPECT_EQ(ProgressText("40", 5, std::nullopt, 1, 0, absl::Seconds(10)), "40: 5 done, 1 running, 0.5/s");
  EXPECT_EQ(ProgressText("", 0, 10, 0, 0, absl::ZeroDuration()), "0/10 done, 0 running, 0.0/s");
}

TEST(Dev, TheServingLineNamesItsAddresses) {
  EXPECT_EQ(ServingAddress("muster-master: serving grpc=127.0.0.1:7070 http=127.0.0.1:7080", "grpc"), "127.0.0.1:7070");
  EXPECT_EQ(ServingAddress("muster-master: serving grpc=127.0.0.1:7070 http=127.0.0.1:7080", "http"), "127.0.0.1:7080");
  EXPECT_EQ(ServingAddress("muster-master: loading", "grpc"), "");
}

TEST(Completion, EveryShellKnowsEveryVerb) {
  CommandLine line;
  const VerbOutline outline = line.Outline();
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = CompletionScript(outline, shell);
    for (const VerbOutline& verb : outline.verbs) EXPECT_THAT(script, HasSubstr(verb.name)) << shell;
    EXPECT_THAT(script, HasSubstr("joblog")) << shell;
  }
}

TEST(Connection, AFlagWinsOverTheEnvironmentAndThatOverTheFile) {
  const std::string file = testing::TempDir() + "/contexts.yaml";
  FILE* out = std::fopen(file.c_str(), "w");
  std::fputs("current-context: lab\ncontexts:\n- name: lab\n  master: lab:7070\n  tls: {ca: /lab.pem}\n- name: prod\n  master: prod:7070\n", out);
  std::fclose(out);
  std::map<std::string, std::string> variables;
  const Environment environment = [&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
  GlobalFlags flags;
  EXPECT_EQ(ResolveConnection(flags, environment)->master, "127.0.0.1:7070");
  variables["MUSTER_CONFIG"] = file;
  EXPECT_EQ(ResolveConnection(flags, environment)->master, "lab:7070");
  EXPECT_EQ(ResolveConnection(flags, environment)->tls_ca, "/lab.pem");
  variables["MUSTER_CONTEXT"] = "prod";
  EXPECT_EQ(ResolveConnection(flags, environment)->master, "prod:7070");
  variables["MUSTER_MASTER"] = "env:1";
  EXPECT_EQ(ResolveConnection(flags, environment)->master, "env:1");
  flags.master = "flag";
  EXPECT_EQ(ResolveConnection(flags, environment)->master, "flag:7070");
  flags.context = "nowhere";
  EXPECT_FALSE(ResolveConnection(flags, environment).ok());
}

}  // namespace
}  // namespace muster::cli
