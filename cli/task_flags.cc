#include "cli/task_flags.h"

#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "cli/dependency_flag.h"
#include "cli/errors.h"
#include "cli/flags.h"
#include "cli/task_input.h"
#include "cli/text.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/config/config.h"
#include "common/convert/convert.h"
#include "common/convert/overlay.h"
#include "common/domain/exit_codes.h"
#include "common/domain/named_value.h"

namespace muster::cli {
namespace {

constexpr size_t kMostStdinBytes = 1 << 20;
constexpr size_t kMostEnvironmentFileBytes = 1 << 20;
// As the master bounds them: its refusal would name a field and not the flag.
constexpr int64_t kMostTaskSlots = 65536;
constexpr int64_t kMostTaskRetries = 999;
constexpr double kMostTaskCores = 1e6;

absl::Status AddEnvironment(const std::string& text, const std::string& where, v1::Command* command) {
  const size_t equals = text.find('=');
  const std::string name = text.substr(0, equals);
  if (name.empty()) return UsageError(absl::StrCat(where, ": '", text, "' is not KEY=VALUE"));
  std::string value;
  if (equals != std::string::npos) {
    value = text.substr(equals + 1);
  } else {
    // As docker: a name alone takes the value that it has here.
    const char* ours = std::getenv(name.c_str());
    if (ours == nullptr) return absl::OkStatus();
    value = ours;
  }
  if (!IsUtf8(name) || !IsUtf8(value)) return UsageError(absl::StrCat(where, ": ", OneLine(name, 60), " is not UTF-8"));
  v1::EnvironmentVariable* variable = command->add_environment();
  variable->set_name(name);
  variable->set_value(value);
  return absl::OkStatus();
}

absl::Status AddEnvironmentFile(const std::string& file, v1::Command* command) {
  MUSTER_ASSIGN_OR_RETURN(const std::string content, ReadInput(file, kMostEnvironmentFileBytes, "--env-file"));
  int number = 0;
  for (absl::string_view line : absl::StrSplit(content, '\n')) {
    ++number;
    line = absl::StripSuffix(line, "\r");
    if (line.empty() || line[0] == '#') continue;
    MUSTER_RETURN_IF_ERROR(AddEnvironment(std::string(line), absl::StrCat(file, ":", number), command));
  }
  return absl::OkStatus();
}

absl::Status SetCodes(const char* flag, const std::string& text, google::protobuf::RepeatedField<int32_t>* codes) {
  if (text.empty()) return absl::OkStatus();
  const absl::StatusOr<std::vector<int32_t>> parsed = ParseExitCodes(text);
  if (!parsed.ok()) return UsageError(absl::StrCat(flag, ": ", parsed.status().message()));
  codes->Assign(parsed->begin(), parsed->end());
  return absl::OkStatus();
}

absl::Status AddResource(const std::string& text, v1::Requirements* requirements) {
  const size_t equals = text.find('=');
  int64_t amount = 0;
  if (equals == 0 || equals == std::string::npos || !absl::SimpleAtoi(text.substr(equals + 1), &amount) || amount < 1) {
    return UsageError(absl::StrCat("--resource: '", text, "' is not NAME=N"));
  }
  v1::Resource* resource = requirements->add_resources();
  resource->set_name(text.substr(0, equals));
  resource->set_amount(amount);
  return absl::OkStatus();
}

absl::Status CheckWord(const std::string& word, const std::string& what) {
  if (IsUtf8(word)) return absl::OkStatus();
  return UsageError(absl::StrCat(what, " is not UTF-8 (", OneLine(word, 60), "); bytes of another kind go in by --stdin or a file"));
}

absl::Status SetValidation(const TaskFlags& flags, v1::TaskSpec* spec) {
  if (!flags.accept_exit.empty()) {
    MUSTER_RETURN_IF_ERROR(SetCodes("--accept-exit", flags.accept_exit, spec->mutable_validation()->mutable_accepted_exit_codes()));
  }
  if (!flags.validate_output.empty()) {
    MUSTER_RETURN_IF_ERROR(CheckWord(flags.validate_output, "--validate-output"));
    spec->mutable_validation()->set_output_pattern(flags.validate_output);
  }
  if (!flags.validate.empty()) {
    MUSTER_RETURN_IF_ERROR(CheckWord(flags.validate, "--validate"));
    spec->mutable_validation()->set_command(flags.validate);
  }
  if (!flags.validate_timeout) return absl::OkStatus();
  if (flags.validate.empty()) return UsageError("--validate-timeout goes with --validate");
  if (*flags.validate_timeout == absl::ZeroDuration()) return UsageError("--validate-timeout: 0 is no time to validate in; left out, it is 60s");
  convert::ToProto(*flags.validate_timeout, spec->mutable_validation()->mutable_timeout());
  return absl::OkStatus();
}

absl::Status SetIsolation(const TaskFlags& flags, v1::TaskSpec* spec) {
  if (flags.isolation == "plain") spec->set_isolation(v1::ISOLATION_PLAIN);
  if (flags.isolation == "limited") spec->set_isolation(v1::ISOLATION_LIMITED);
  if (flags.isolation == "strict" || flags.no_network) spec->set_isolation(v1::ISOLATION_STRICT);
  spec->set_no_network(flags.no_network);
  if (!flags.no_network || flags.isolation.empty() || flags.isolation == "strict") return absl::OkStatus();
  return UsageError(absl::StrCat("--no-network is had with --isolation strict alone, not with ", flags.isolation));
}

absl::Status AddOutputs(const std::string& text, v1::TaskSpec* spec) {
  if (text.empty()) return absl::OkStatus();
  for (const absl::string_view word : absl::StrSplit(text, ',')) {
    const std::string name(word);
    if (!IsOutputName(name)) {
      return UsageError(absl::StrCat("--outputs: '", OneLine(name, 60), "' is no name; give NAME,NAME of letters, digits and _"));
    }
    spec->add_outputs(name);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SetRetryDelay(const std::string& text, v1::RetryPolicy* retry) {
  const std::vector<std::string> parts = absl::StrSplit(text, ',');
  if (parts.size() > 2) return UsageError("--retry-delay: give BASE or BASE,CAP");
  const absl::StatusOr<absl::Duration> base = config::ParseDuration(parts[0]);
  if (!base.ok() || *base < absl::ZeroDuration()) return UsageError(absl::StrCat("--retry-delay: '", parts[0], "' is no duration"));
  convert::ToProto(*base, retry->mutable_base_delay());
  if (parts.size() == 2) {
    const absl::StatusOr<absl::Duration> cap = config::ParseDuration(parts[1]);
    if (!cap.ok() || *cap < *base) return UsageError(absl::StrCat("--retry-delay: '", parts[1], "' is no duration of at least the base"));
    convert::ToProto(*cap, retry->mutable_max_delay());
  }
  return absl::OkStatus();
}

absl::Status SetRetryCodes(const std::string& retry_on, const std::string& never_retry, v1::RetryPolicy* retry) {
  MUSTER_RETURN_IF_ERROR(SetCodes("--retry-on", retry_on, retry->mutable_on_exit_codes()));
  MUSTER_RETURN_IF_ERROR(SetCodes("--never-retry", never_retry, retry->mutable_never_on_exit_codes()));
  const RetryPolicy policy = convert::FromProto(*retry);
  const std::optional<int32_t> code = CodeInBoth(policy.on_exit_codes, policy.never_on_exit_codes);
  if (!code) return absl::OkStatus();
  return UsageError(absl::StrCat("exit code ", *code, " is in --retry-on and in --never-retry; take it out of one of them"));
}

absl::StatusOr<v1::OnWorkerLoss> ParseLossMode(const std::string& text) {
  if (text == "rerun") return v1::ON_WORKER_LOSS_RERUN;
  if (text == "rerun-after-fence") return v1::ON_WORKER_LOSS_RERUN_AFTER_FENCE;
  return v1::ON_WORKER_LOSS_HOLD;
}

void TaskFlags::Declare(Flags& flags) {
  flags.Word("--name", &name, "NAME", "A name to select the task by.");
  flags.Word("--queue", &queue, "NAME", "The queue that it waits in (default: default).");
  flags.Number("--priority", &priority, "N", "-100..100; higher starts sooner (default 0).");
  flags.Texts("-e,--env", &environment, "KEY=VAL", "An environment variable; KEY alone takes its value from here.");
  flags.Texts("--env-file", &environment_files, "FILE", "Lines of KEY=VAL.");
  flags.Word("--cwd", &working_directory, "DIR", "Working directory there (default: a fresh one).");
  flags.Word("--stdin", &stdin_file, "FILE|-", "Given on standard input, at most 1 MiB.");
  flags.Switch("--shell", &shell, "The words, joined, are a line for /bin/sh -c.");
  flags.Word("--executor", &executor, "NAME", "The plugin that does the work (default: command).");
  flags.Texts("--need", &needs, "KEY[=VAL]", "A label or capability that the worker must have.");
  flags.Texts("--avoid", &avoids, "KEY[=VAL]", "A label or capability that it must not have.");
  flags.Number("--slots", &slots, "N", "Slots that it takes (default 1).");
  flags.Real("--cpu", &cpu, "N", "Cores that it takes.");
  flags.Size("--memory", &memory_bytes, "SIZE", "Memory that it takes (64MiB, 2G).");
  flags.Size("--disk", &disk_bytes, "SIZE", "Disk that it takes (10G): counted, not enforced.");
  flags.Texts("--resource", &resources, "NAME=N", "A named resource of the worker, or of the whole cluster.");
  flags.Switch("--spread", &spread, "On the worker with the fewest tasks of this kind that are spread.");
  flags.Switch("--pack", &pack, "On the fullest worker that it fits on.");
  flags.Choice("--isolation", &isolation, {"plain", "limited", "strict"},
               "The tier that it runs in at least: rlimits; a cgroup of its own; namespaces of its own (default plain).");
  flags.Switch("--no-network", &no_network, "It reaches no network; asks for --isolation strict.");
  flags.Time("--timeout", &run_timeout, "D", "Stop it when it runs longer (90s, 1h30m).");
  flags.Time("--queue-timeout", &queue_timeout, "D", "Give up when it waits longer.");
  flags.Time("--kill-grace", &kill_grace, "D", "From SIGTERM to SIGKILL.");
  flags.Number("--retries", &retries, "N", "Try again up to N times when it fails.");
  flags.Word("--retry-on", &retry_on, "CODES", "Only for these exit codes (1,75,100-110).");
  flags.Word("--never-retry", &never_retry, "CODES", "Never for these exit codes.");
  flags.Word("--retry-delay", &retry_delay, "BASE[,CAP]", "Random up to BASE, doubled each time, up to CAP (1s,60s).");
  flags.Word("--accept-exit", &accept_exit, "CODES", "Exit codes that are a success (default 0).");
  flags.Word("--validate-output", &validate_output, "REGEX", "A line of its output must match (RE2), or it has failed.");
  flags.Word("--validate", &validate, "CMD", "A line for /bin/sh, run where it ran, with its stdout as stdin; it must exit with 0.");
  flags.Time("--validate-timeout", &validate_timeout, "D", "--validate has failed when it runs longer (60s).");
  flags.Word("--outputs", &outputs, "NAME,NAME", "Values that it may write, as lines NAME=VALUE, to the file $MUSTER_OUTPUTS.");
  flags.Choice("--on-worker-loss", &on_worker_loss, {"rerun", "rerun-after-fence", "hold"},
               "When its worker is lost: again; never twice at once; never by itself.");
  flags.Word("--limit-key", &limit_key, "KEY=VAL", "With --limit: what the limit is of, in whatever queues.");
  flags.Number("--limit", &limit, "N", "At most N tasks with that key run at once; with 1, in order of arrival.");
  flags.Texts("--after", &after, "SELECTOR[:success|failure|any]", "Only when that task or batch has ended so (default success).");
  flags.Word("--at", &at, "TIME", "Not before (2026-01-31T14:30:00Z, 14:30).");
  flags.Time("--delay", &delay, "D", "Not before so much time has passed.");
  flags.Word("--script", &script, "FILE", "Send this file along and run it; the words are its arguments.");
  flags.Word("-f,--file", &file, "FILE|-", "The task as JSON or YAML; flags go on top.");
  flags.Texts("-l,--label", &labels, "K=V", "A word to filter by.");
  flags.Word("--request-id", &request_id, "ID", "The same id and content give the same task.");
}

absl::StatusOr<v1::Label> ParseLabel(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == 0 || text.empty()) return UsageError(absl::StrCat("'", text, "' is no label; give KEY=VALUE"));
  v1::Label label;
  label.set_key(text.substr(0, equals));
  if (equals != std::string::npos) label.set_value(text.substr(equals + 1));
  return label;
}

std::string Owner() {
  std::string user;
  for (const char* name : {"USER", "LOGNAME"}) {
    const char* value = std::getenv(name);
    if (user.empty() && value != nullptr) user = value;
  }
  if (user.empty()) {
    const passwd* entry = getpwuid(geteuid());
    user = entry != nullptr ? entry->pw_name : absl::StrCat("uid", geteuid());
  }
  char host[256] = {};
  gethostname(host, sizeof(host) - 1);
  const std::string owner = absl::StrCat(user, "@", host);
  return IsUtf8(owner) ? owner : "unknown";
}

absl::StatusOr<std::string> ReadInput(const std::string& file, size_t limit, const std::string& what) {
  const int fd = file == "-" ? STDIN_FILENO : open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return UsageError(absl::StrCat(what, ": cannot open ", file, ": ", std::strerror(errno)));
  std::string content;
  char buffer[65536];
  ssize_t count;
  while ((count = read(fd, buffer, sizeof(buffer))) != 0) {
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 || content.size() + static_cast<size_t>(count) > limit) break;
    content.append(buffer, static_cast<size_t>(count));
  }
  const int error = count < 0 ? errno : 0;
  if (fd != STDIN_FILENO) close(fd);
  if (error != 0) return UsageError(absl::StrCat(what, ": cannot read ", file, ": ", std::strerror(error)));
  if (count > 0) return UsageError(absl::StrCat(what, ": ", file == "-" ? "stdin" : file, " is larger than ", SizeText(static_cast<int64_t>(limit))));
  return content;
}

absl::StatusOr<v1::TaskSpec> TaskFlags::Build(const std::vector<std::string>& argv, absl::Time now) const {
  v1::TaskSpec spec;
  spec.set_name(name);
  spec.set_queue(queue);
  spec.set_executor(executor);
  if (priority) {
    if (*priority < -100 || *priority > 100) return UsageError(absl::StrCat("--priority: ", *priority, " is not within -100..100"));
    spec.set_priority(static_cast<int32_t>(*priority));
  }
  for (size_t i = 0; i < argv.size(); ++i) MUSTER_RETURN_IF_ERROR(CheckWord(argv[i], absl::StrCat("argument ", i)));
  if (executor.empty() || executor == "command") {
    for (const std::string& word : argv) spec.mutable_command()->add_argv(word);
  } else {
    for (const std::string& word : argv) spec.add_arguments(word);
  }
  for (const std::string& environment_file : environment_files) {
    MUSTER_RETURN_IF_ERROR(AddEnvironmentFile(environment_file, spec.mutable_command()));
  }
  for (const std::string& text : environment) MUSTER_RETURN_IF_ERROR(AddEnvironment(text, "--env", spec.mutable_command()));
  if (!working_directory.empty()) spec.mutable_command()->set_working_directory(working_directory);
  if (shell) spec.mutable_command()->set_shell(true);
  if (!stdin_file.empty()) {
    MUSTER_ASSIGN_OR_RETURN(*spec.mutable_command()->mutable_stdin(), ReadInput(stdin_file, kMostStdinBytes, "--stdin"));
  }
  if (!script.empty()) {
    v1::Script* sent = spec.mutable_command()->mutable_script();
    MUSTER_ASSIGN_OR_RETURN(*sent->mutable_content(), ReadInput(script, kMostStdinBytes, "--script"));
    if (script != "-") sent->set_name(std::filesystem::path(script).filename().string());
  }
  if (!needs.empty() || !avoids.empty() || slots || cpu || memory_bytes || disk_bytes || spread || pack || !resources.empty()) {
    if (spread && pack) return UsageError("--spread and --pack are opposites; give one of them");
    v1::Requirements* requirements = spec.mutable_requirements();
    for (const std::string& need : needs) requirements->add_needs(need);
    for (const std::string& avoided : avoids) requirements->add_avoids(avoided);
    if (slots && (*slots < 1 || *slots > kMostTaskSlots)) return UsageError(absl::StrCat("--slots: ", *slots, " is not within 1..", kMostTaskSlots));
    if (slots) requirements->set_slots(static_cast<uint32_t>(*slots));
    if (cpu && !(*cpu >= 0 && *cpu <= kMostTaskCores)) return UsageError(absl::StrCat("--cpu: ", *cpu, " is not within 0..", kMostTaskCores));
    if (cpu) requirements->set_cpu(*cpu);
    if (memory_bytes) requirements->set_memory_bytes(*memory_bytes);
    if (spread) requirements->set_arrangement(v1::ARRANGEMENT_SPREAD);
    if (pack) requirements->set_arrangement(v1::ARRANGEMENT_PACK);
    if (disk_bytes) requirements->set_disk_bytes(*disk_bytes);
    for (const std::string& resource : resources) MUSTER_RETURN_IF_ERROR(AddResource(resource, requirements));
  }
  if (retries) {
    if (*retries < 0 || *retries > kMostTaskRetries) return UsageError(absl::StrCat("--retries: ", *retries, " is not within 0..", kMostTaskRetries));
    spec.mutable_retry()->set_max_attempts(static_cast<uint32_t>(*retries + 1));
  }
  if (!retry_on.empty() || !never_retry.empty()) {
    MUSTER_RETURN_IF_ERROR(SetRetryCodes(retry_on, never_retry, spec.mutable_retry()));
  }
  if (!retry_delay.empty()) MUSTER_RETURN_IF_ERROR(SetRetryDelay(retry_delay, spec.mutable_retry()));
  MUSTER_RETURN_IF_ERROR(SetValidation(*this, &spec));
  MUSTER_RETURN_IF_ERROR(AddOutputs(outputs, &spec));
  if (!on_worker_loss.empty()) {
    MUSTER_ASSIGN_OR_RETURN(const v1::OnWorkerLoss mode, ParseLossMode(on_worker_loss));
    spec.set_on_worker_loss(mode);
  }
  if (limit_key.empty() != !limit) return UsageError("--limit-key and --limit go together, as in --limit-key user=ann --limit 3");
  if (limit) {
    if (*limit < 1 || *limit > 1'000'000) return UsageError(absl::StrCat("--limit: ", *limit, " is not within 1..1000000"));
    spec.set_limit_key(limit_key);
    spec.set_limit(static_cast<uint32_t>(*limit));
  }
  MUSTER_RETURN_IF_ERROR(SetIsolation(*this, &spec));
  for (const std::string& text : after) MUSTER_RETURN_IF_ERROR(AddDependencies(text, &spec));
  if (run_timeout) convert::ToProto(*run_timeout, spec.mutable_run_timeout());
  if (queue_timeout) convert::ToProto(*queue_timeout, spec.mutable_queue_timeout());
  if (kill_grace) convert::ToProto(*kill_grace, spec.mutable_kill_grace());
  if (!at.empty() && delay) return UsageError("--at and --delay say the same thing; give one of them");
  if (!at.empty()) {
    const absl::StatusOr<absl::Time> time = ParseTime(at, now);
    if (!time.ok()) return UsageError(absl::StrCat("--at: ", time.status().message()));
    convert::ToProto(*time, spec.mutable_start_time());
  }
  if (delay) convert::ToProto(now + *delay, spec.mutable_start_time());
  for (const std::string& text : labels) {
    MUSTER_ASSIGN_OR_RETURN(*spec.add_labels(), ParseLabel(text));
  }
  return spec;
}

absl::StatusOr<v1::TaskSpec> TaskFlags::BuildWhole(const std::vector<std::string>& argv, absl::Time now) const {
  v1::TaskSpec spec;
  if (!file.empty()) {
    MUSTER_ASSIGN_OR_RETURN(spec, ReadOneTask(file));
    if (!argv.empty()) {
      spec.mutable_command()->clear_argv();
      spec.clear_arguments();
    }
  }
  MUSTER_ASSIGN_OR_RETURN(const v1::TaskSpec from_flags, Build(argv, now));
  convert::Overlay(from_flags, &spec);
  const bool is_command = spec.executor().empty() || spec.executor() == "command";
  if (is_command && spec.command().argv().empty() && !spec.command().has_script()) {
    return UsageError("no command to run; put it after --, as in `muster run -- uname -a`");
  }
  if (spec.owner().empty()) spec.set_owner(Owner());
  return spec;
}

}  // namespace muster::cli
