#include "cli/job_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/errors.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "common/convert/convert.h"

namespace muster::cli {

std::string JobLogHeader() {
  return "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\tUserCpu\tSystemCpu\tPeakMemory\n";
}

std::string JobLogLine(const v1::Task& task, const std::string& command) {
  const v1::Attempt attempt = task.attempts().empty() ? v1::Attempt() : *task.attempts().rbegin();
  const v1::AttemptEnd& end = attempt.end();
  const absl::Time start = attempt.has_start_time() ? convert::FromProto(attempt.start_time()) : absl::UnixEpoch();
  absl::Duration run_time = absl::ZeroDuration();
  if (end.usage().has_wall_time()) {
    run_time = convert::FromProto(end.usage().wall_time());
  } else if (attempt.has_start_time() && attempt.has_end_time()) {
    run_time = convert::FromProto(attempt.end_time()) - start;
  }
  const bool signaled = end.reason() == v1::END_REASON_SIGNALED;
  return absl::StrFormat("%d\t%s\t%.3f\t%10.3f\t%d\t%d\t%d\t%d\t%s\t%.3f\t%.3f\t%d\n", task.batch_index(),
                         attempt.worker().empty() ? ":" : attempt.worker(), absl::ToDoubleSeconds(start - absl::UnixEpoch()),
                         absl::ToDoubleSeconds(run_time), 0, end.stdout().total_bytes(), signaled ? 0 : task.exit_code(),
                         signaled ? end.signal() : 0, OneLine(command, 100000),
                         absl::ToDoubleSeconds(convert::FromProto(end.usage().user_cpu_time())),
                         absl::ToDoubleSeconds(convert::FromProto(end.usage().system_cpu_time())), end.usage().peak_memory_bytes());
}

JobLog::~JobLog() {
  if (fd_ >= 0) close(fd_);
}

absl::Status JobLog::Open(const std::string& file) {
  if (file.empty()) return absl::OkStatus();
  const bool more = file[0] == '+' && file.size() > 1;
  const std::string path = more ? file.substr(1) : file;
  fd_ = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND | (more ? 0 : O_TRUNC), 0666);
  if (fd_ < 0) return UsageError(absl::StrCat("--joblog: cannot write ", path, ": ", std::strerror(errno)));
  struct stat info = {};
  if (fstat(fd_, &info) == 0 && info.st_size > 0) return absl::OkStatus();
  size_t written = 0;
  WriteAll(fd_, JobLogHeader(), -1, &written);
  return absl::OkStatus();
}

void JobLog::Add(const v1::Task& task, const std::string& command) {
  if (fd_ < 0) return;
  size_t written = 0;
  WriteAll(fd_, JobLogLine(task, command), -1, &written);
}

}  // namespace muster::cli
