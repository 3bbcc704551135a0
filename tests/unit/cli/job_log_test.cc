#include "cli/job_log.h"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "absl/strings/str_split.h"

namespace muster::cli {
namespace {

v1::Task EndedTask() {
  v1::Task task;
  task.set_batch_index(7);
  task.set_exit_code(3);
  v1::Attempt* attempt = task.add_attempts();
  attempt->set_worker("w2");
  attempt->mutable_start_time()->set_seconds(1700000000);
  attempt->mutable_start_time()->set_nanos(250000000);
  v1::AttemptEnd* end = attempt->mutable_end();
  end->set_reason(v1::END_REASON_EXITED);
  end->set_exit_code(3);
  end->mutable_stdout()->set_total_bytes(1234);
  end->mutable_usage()->mutable_wall_time()->set_nanos(500000000);
  end->mutable_usage()->mutable_user_cpu_time()->set_nanos(20000000);
  end->mutable_usage()->set_peak_memory_bytes(4096);
  return task;
}

std::vector<std::string> Columns(const std::string& line) { return absl::StrSplit(line.substr(0, line.size() - 1), '\t'); }

TEST(JobLog, BeginsWithParallelsColumns) {
  EXPECT_EQ(JobLogHeader().rfind("Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\t", 0), 0u);
  EXPECT_EQ(Columns(JobLogHeader()).size(), Columns(JobLogLine(EndedTask(), "x")).size());
}

TEST(JobLog, ALineHoldsWhatHappened) {
  EXPECT_EQ(JobLogLine(EndedTask(), "echo 7"), "7\tw2\t1700000000.250\t     0.500\t0\t1234\t3\t0\techo 7\t0.020\t0.000\t4096\n");
}

TEST(JobLog, ASignalIsNoExitValue) {
  v1::Task task = EndedTask();
  task.set_exit_code(137);
  task.mutable_attempts(0)->mutable_end()->set_reason(v1::END_REASON_SIGNALED);
  task.mutable_attempts(0)->mutable_end()->set_signal(9);
  const auto columns = Columns(JobLogLine(task, "x"));
  EXPECT_EQ(columns[6], "0");
  EXPECT_EQ(columns[7], "9");
}

TEST(JobLog, ACommandOfManyLinesStaysOneLine) {
  const std::string line = JobLogLine(EndedTask(), "a\nb\tc");
  EXPECT_EQ(Columns(line)[8], "a b c");
}

TEST(JobLog, AFileGoesOnWithAPlusAndBeginsAnewWithout) {
  const std::string path = testing::TempDir() + "/joblog";
  const auto lines = [&path] {
    std::ifstream in(path);
    int count = 0;
    for (std::string line; std::getline(in, line);) ++count;
    return count;
  };
  for (const char* name : {"", "+"}) {
    JobLog log;
    ASSERT_TRUE(log.Open(name + path).ok());
    log.Add(EndedTask(), "x");
  }
  EXPECT_EQ(lines(), 3) << "one header, two tasks";
  JobLog anew;
  ASSERT_TRUE(anew.Open(path).ok());
  EXPECT_EQ(lines(), 1);
}

}  // namespace
}  // namespace muster::cli
