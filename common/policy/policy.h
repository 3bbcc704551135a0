// Who may run what: the rules of a file, of which the first that speaks of a task decides. What no rule speaks of is refused.
//
//   rules:
//     - name: nights
//       who: ["submitter/*"]                  # owners, as `muster get` shows them
//       programs: [/usr/bin/python3, "/opt/jobs/*"]
//       environment: [LANG, "JOB_*"]
//       most: {priority: 10, cpu: 4, memory: 8G, run: 2h}
//       allow: true
//     - {name: no-shell, shell: true, deny: "lines for a shell are for operators"}
//
// `who`, `queues`, `executors`, `programs` and `shell` say of which tasks a rule speaks; left out: of all. In a list a * stands
// for any characters. `environment` and `most` bound what an allowing rule allows; a rule that names programs allows no
// variable that it does not name, for LD_PRELOAD or PATH make another program of any. A program is the first word as it was asked for,
// an absolute path without ways up or a bare name for PATH: any other, one that a row fills in, and a script that comes with the task,
// is none that a list names.
//
// An allow-list is a boundary; rules that deny are a guard rail before it.
// Thread rule: a value, read by any thread. Errors: INVALID_ARGUMENT, one line with the line of the file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "muster/v1/task.pb.h"

namespace muster::policy {

// A list of patterns; not given: everything.
using Patterns = std::optional<std::vector<std::string>>;

struct Most {
  std::optional<int64_t> priority;
  std::optional<int64_t> slots;
  std::optional<double> cpu;
  std::optional<int64_t> memory_bytes;
  std::optional<int64_t> disk_bytes;
  std::optional<absl::Duration> run;  // a task must have a run timeout, and at most this
};

struct Rule {
  std::string name;
  Patterns who, queues, executors, programs;
  std::optional<bool> shell;  // whether it is a line for a shell, has one that validates, or brings a script
  bool allows = false;
  std::string because;        // it denies
  Patterns environment;
  Most most;
};

struct Verdict {
  bool allowed = false;
  std::string rule;    // its name; empty: none speaks of the task
  std::string reason;  // for the refused, one line
};

class Policy {
 public:
  // `name` is for messages: "policy.yaml:4: ...".
  static absl::StatusOr<Policy> Parse(const std::string& text, const std::string& name);
  static absl::StatusOr<Policy> ReadFile(const std::string& path);

  Verdict Judge(const v1::TaskSpec& task) const;
  const std::vector<Rule>& rules() const { return rules_; }

 private:
  std::vector<Rule> rules_;
};

// "batch-*" matches "batch-7"; a * stands for any characters, also none, and everything else for itself.
bool MatchesPattern(std::string_view pattern, std::string_view text);

}  // namespace muster::policy
