// What the program muster-isolate is told by the executor `command`, and what it answers.
//
//   executor ─ vfork, exec ─▶ muster-isolate: reads the plan (descriptor 3), makes the namespaces, runs the command in
//   them, and ends as the command has ended. Descriptor 4 is a pipe that says what failed before the command's exec; it
//   closes without a word when that went well.
//
// Thread rule: values. Errors: Read is false for bytes that no Write has made.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace muster::isolate {

inline constexpr int kPlanFd = 3;
inline constexpr int kAnswerFd = 4;

struct Plan {
  std::vector<std::string> arguments, environment;
  std::vector<std::string> candidates;  // paths to try
  std::string directory;                // to start in
  std::string task_directory;           // stays writable; empty: there is none
  std::string work_dir;                 // of the worker: out of sight
  std::vector<std::string> hidden;      // files and directories that are out of sight, too
  int64_t uid = -1, gid = -1;           // -1: as the worker's
  bool user_namespace = false;          // the worker is not root: one gives it the right to make the others
  bool no_network = false;
  int64_t tmp_bytes = 0;                // of /tmp, /var/tmp and /dev/shm each

  std::string Write() const;
  bool Read(std::string_view bytes);
};

enum class Step : int32_t { kPlan, kNamespaces, kView, kNetwork, kUser, kFilter, kDirectory, kExec };
const char* StepName(Step step);

struct Answer {
  Step step = Step::kPlan;
  int32_t error = 0;
};

}  // namespace muster::isolate
