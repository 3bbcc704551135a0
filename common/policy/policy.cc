#include "common/policy/policy.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/config/read_file.h"
#include "common/policy/policy_reader.h"

namespace muster::policy {
namespace {

constexpr size_t kLongestShown = 80;
constexpr size_t kLongestProgram = 4096;

// What names one file wherever it is read: an absolute path without ways up, or a bare name for PATH. Braces are places of a row:
// nobody knows yet what stands there.
bool NamesOneProgram(std::string_view program) {
  constexpr std::string_view kNever("{\0", 2);
  if (program.empty() || program.size() > kLongestProgram || program.find_first_of(kNever) != std::string_view::npos) return false;
  if (program.find('/') == std::string_view::npos) return true;
  if (program.front() != '/') return false;
  for (const absl::string_view part : absl::StrSplit(absl::string_view(program.data() + 1, program.size() - 1), '/')) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return true;
}

// What a master puts with the runs of a schedule (scheduled_run.cc), whatever their rule names.
bool IsOfASchedule(const std::string& variable) {
  return variable == "MUSTER_SCHEDULE" || variable == "MUSTER_DUE_TIME" || variable == "MUSTER_EVENT" || variable == "MUSTER_EVENT_ID";
}

// What the rules look at.
struct Asked {
  explicit Asked(const v1::TaskSpec& spec) : task(spec) {
    if (executor == "command" && !spec.command().has_script() && !shell && spec.command().argv_size() > 0) program = spec.command().argv(0);
    if (!NamesOneProgram(program)) program.clear();
  }

  const v1::TaskSpec& task;
  std::string queue = task.queue().empty() ? "default" : task.queue();
  std::string executor = task.executor().empty() ? "command" : task.executor();
  bool shell = task.command().shell() || task.command().has_script() || !task.validation().command().empty();
  std::string program;  // empty: none that a list could name

  // For people.
  std::string Named() const {
    if (executor != "command" || task.command().argv_size() == 0) return "executor " + executor;
    return program.empty() ? task.command().argv(0) + " (no absolute path, and no bare name)" : program;
  }
};

bool Has(const Patterns& patterns, std::string_view text) {
  return !patterns || std::any_of(patterns->begin(), patterns->end(), [&](const std::string& pattern) { return MatchesPattern(pattern, text); });
}

// A task without a program that can be named is in a list only by *.
bool HasProgram(const Rule& rule, const Asked& asked) {
  if (!rule.programs || !asked.program.empty()) return Has(rule.programs, asked.program);
  return std::find(rule.programs->begin(), rule.programs->end(), "*") != rule.programs->end();
}

bool SpeaksOf(const Rule& rule, const Asked& asked) {
  return Has(rule.who, asked.task.owner()) && Has(rule.queues, asked.queue) && Has(rule.executors, asked.executor) &&
         (!rule.shell || *rule.shell == asked.shell) && HasProgram(rule, asked);
}

std::string BadEnvironment(const Rule& rule, const Asked& asked) {
  if (!rule.environment && !rule.programs) return "";
  for (const v1::EnvironmentVariable& variable : asked.task.command().environment()) {
    if (IsOfASchedule(variable.name()) || (rule.environment && Has(rule.environment, variable.name()))) continue;
    return absl::StrCat("sets no variable ", ToLine(variable.name(), kLongestShown),
                        rule.environment && !rule.environment->empty() ? absl::StrCat("; it allows ", absl::StrJoin(*rule.environment, ", ")) : "");
  }
  return "";
}

template <typename Value, typename Bound>
bool Passes(Value value, const std::optional<Bound>& bound) {
  return bound && value > static_cast<Value>(*bound);
}

std::string TooMuch(const Most& most, const v1::TaskSpec& task) {
  const v1::Requirements& asked = task.requirements();
  if (Passes<int64_t>(task.priority(), most.priority)) return absl::StrCat("has a priority of at most ", *most.priority, ", and this is ", task.priority());
  if (Passes<int64_t>(std::max<uint32_t>(1, asked.slots()), most.slots)) return absl::StrCat("takes at most ", *most.slots, " slots, and this takes ", asked.slots());
  if (Passes(asked.cpu(), most.cpu)) return absl::StrCat("takes at most ", *most.cpu, " cores, and this takes ", asked.cpu());
  if (Passes(asked.memory_bytes(), most.memory_bytes)) return absl::StrCat("takes at most ", *most.memory_bytes, " bytes of memory, and this takes ", asked.memory_bytes());
  if (Passes(asked.disk_bytes(), most.disk_bytes)) return absl::StrCat("takes at most ", *most.disk_bytes, " bytes of disk, and this takes ", asked.disk_bytes());
  if (!most.run) return "";
  const auto length = [](const google::protobuf::Duration& time) { return absl::Seconds(time.seconds()) + absl::Nanoseconds(time.nanos()); };
  const absl::Duration run = length(task.run_timeout()) + length(task.kill_grace());
  if (task.has_run_timeout() && run <= *most.run) return "";
  return absl::StrCat("runs for at most ", absl::FormatDuration(*most.run), task.has_run_timeout() ? ", and this for longer, its kill grace included" : "", "; give it a --timeout");
}

Verdict Decide(const Rule& rule, const Asked& asked) {
  const std::string named = absl::StrCat("rule ", rule.name, " of the policy: ");
  if (!rule.allows) return {false, rule.name, absl::StrCat(named, rule.because)};
  std::string why = BadEnvironment(rule, asked);
  if (why.empty()) why = TooMuch(rule.most, asked.task);
  if (why.empty()) return {true, rule.name, ""};
  return {false, rule.name, absl::StrCat(named, "what it allows ", why)};
}

}  // namespace

bool MatchesPattern(std::string_view pattern, std::string_view text) {
  size_t at = 0, in = 0, star = std::string_view::npos, after = 0;
  while (in < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      after = in;
    } else if (at < pattern.size() && pattern[at] == text[in]) {
      ++at;
      ++in;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      in = ++after;
    } else {
      return false;
    }
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

absl::StatusOr<Policy> Policy::Parse(const std::string& text, const std::string& name) {
  Policy policy;
  MUSTER_ASSIGN_OR_RETURN(policy.rules_, ReadRules(text, name));
  return policy;
}

absl::StatusOr<Policy> Policy::ReadFile(const std::string& path) {
  MUSTER_ASSIGN_OR_RETURN(const std::string text, config::ReadWholeFile(path));
  return Parse(text, path);
}

Verdict Policy::Judge(const v1::TaskSpec& task) const {
  const Asked asked(task);
  for (const Rule& rule : rules_) {
    if (SpeaksOf(rule, asked)) return Decide(rule, asked);
  }
  return {false, "", absl::StrCat("no rule of the policy allows ", task.owner().empty() ? "anybody" : ToLine(task.owner(), kLongestShown), " to run ",
                                  asked.shell ? "lines for a shell or scripts" : ToLine(asked.Named(), kLongestShown),
                                  " in queue ", ToLine(asked.queue, kLongestShown))};
}

}  // namespace muster::policy
