// GNU parallel's --joblog, a line per ended task, with what it used behind parallel's own columns.
//
// Seq Host Starttime JobRuntime Send Receive Exitval Signal Command, then UserCpu SystemCpu PeakMemory (bytes); tabs
// between. Source: the manual of GNU parallel (format). Thread rule: one thread.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "muster/v1/task.pb.h"

namespace muster::cli {

std::string JobLogHeader();                    // with its newline
std::string JobLogLine(const v1::Task& task, const std::string& command);  // of an ended task

class JobLog {
 public:
  JobLog() = default;
  ~JobLog();
  JobLog(const JobLog&) = delete;
  JobLog& operator=(const JobLog&) = delete;

  // Begins the file anew, or goes on with it when its name has a '+' in front. "" : there is none.
  absl::Status Open(const std::string& file);
  void Add(const v1::Task& task, const std::string& command);
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace muster::cli
