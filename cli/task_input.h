// Tasks from a file or a pipe: JSON (one value, a list, or line after line, endless if need be) or YAML (documents,
// each a task or a list of them). Each is the API's TaskSpec; {"task": ...}, {"tasks": [...]} and what `get -o json`
// prints ("spec") are understood as well.
//
// The form is told by the first character: '{' or '[' begins JSON. Nothing is read ahead of what one task needs but a
// buffer. Thread rule: one thread. Bounds: kMostTaskBytes for one value. Errors: UsageError with the line.
#pragma once

#include <deque>
#include <string>

#include "absl/status/statusor.h"
#include "muster/v1/task.pb.h"

namespace muster::cli {

inline constexpr size_t kMostTaskBytes = 16 << 20;

class TaskReader {
 public:
  // `name` is for messages; the descriptor stays the caller's.
  TaskReader(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}

  // False at the end.
  absl::StatusOr<bool> Next(v1::TaskSpec* spec);
  // Whether Next would return without waiting for more input.
  bool HasMoreNow();

 private:
  absl::StatusOr<bool> Fill();  // false at the end of the input
  absl::StatusOr<bool> NextValue(std::string* text, int* line);  // JSON value or YAML document
  absl::StatusOr<bool> NextJson(std::string* text, int* line);
  absl::StatusOr<bool> NextYaml(std::string* text, int* line);
  absl::Status Take(const std::string& json, int line);
  absl::Status Bad(int line, const std::string& why) const;

  const int fd_;
  const std::string name_;
  enum class Form { kUnknown, kJson, kYaml };
  Form form_ = Form::kUnknown;
  std::string buffer_;
  bool at_end_ = false;
  int line_ = 1;
  // Of the JSON value that the buffer begins with.
  size_t scanned_ = 0;
  int depth_ = 0;
  bool in_string_ = false, escaped_ = false;
  std::deque<v1::TaskSpec> ready_;
};

// The only task in a file ("-": stdin).
absl::StatusOr<v1::TaskSpec> ReadOneTask(const std::string& file);

}  // namespace muster::cli
