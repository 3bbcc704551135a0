#include "master/app/policy_command.h"

#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>

#include <google/protobuf/util/json_util.h>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/config/read_file.h"
#include "common/policy/policy.h"

namespace muster::master {
namespace {

constexpr int kAllowed = 0;
constexpr int kRefused = 1;
constexpr int kCannotTell = 2;
constexpr char kUsage[] =
    "Usage: muster-master policy test FILE TASK\n"
    "Says which rule of the policy in FILE decides on TASK, a task in JSON (`muster get -o json ID`, its \"spec\"), or - for stdin.\n"
    "Exit status: 0 allowed, 1 refused.\n";

absl::StatusOr<std::string> ReadTask(const std::string& place) {
  if (place != "-") return config::ReadWholeFile(place);
  return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

absl::StatusOr<policy::Verdict> Judge(const std::string& file, const std::string& place) {
  MUSTER_ASSIGN_OR_RETURN(const policy::Policy policy, policy::Policy::ReadFile(file));
  MUSTER_ASSIGN_OR_RETURN(const std::string text, ReadTask(place));
  v1::TaskSpec task;
  const auto read = google::protobuf::util::JsonStringToMessage(text, &task);
  if (read.ok()) return policy.Judge(task);
  return absl::InvalidArgumentError(absl::StrCat(place, " is no task in JSON: ", ToLine(std::string(read.message()))));
}

}  // namespace

bool IsPolicyCommand(std::string_view word) { return word == "policy"; }

int RunPolicyCommand(int count, const char* const* arguments) {
  const bool wants_help = count > 1 && (std::string_view(arguments[1]) == "--help" || std::string_view(arguments[1]) == "-h");
  if (wants_help || count != 4 || std::string_view(arguments[1]) != "test") {
    std::fputs(kUsage, wants_help ? stdout : stderr);
    return wants_help ? kAllowed : kCannotTell;
  }
  const absl::StatusOr<policy::Verdict> verdict = Judge(arguments[2], arguments[3]);
  if (!verdict.ok()) {
    std::fprintf(stderr, "muster-master: error: %s\n", std::string(verdict.status().message()).c_str());
    return kCannotTell;
  }
  if (verdict->allowed) {
    std::printf("allowed by rule %s\n", verdict->rule.c_str());
    return kAllowed;
  }
  std::printf("refused: %s\n", verdict->reason.c_str());
  return kRefused;
}

}  // namespace muster::master
