// What a specification runs: its executor, its command with all that goes in, and the values that come out.
#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "common/domain/named_value.h"
#include "master/request_handler/limits.h"
#include "master/request_handler/names.h"
#include "master/request_handler/spec_at_hand.h"

namespace muster::handler {
namespace {

constexpr size_t kLongestPath = 4096;
constexpr char kCommandExecutor[] = "command";

bool IsJson(const google::protobuf::Struct& parameters);

// Depth is bounded by the parser of the message.
bool IsJson(const google::protobuf::Value& value) {
  using google::protobuf::Value;
  switch (value.kind_case()) {
    case Value::KIND_NOT_SET: return false;
    case Value::kNumberValue: return std::isfinite(value.number_value());
    case Value::kStructValue: return IsJson(value.struct_value());
    case Value::kListValue: {
      const auto& values = value.list_value().values();
      return std::all_of(values.begin(), values.end(), [](const Value& one) { return IsJson(one); });
    }
    default: return true;
  }
}

bool IsJson(const google::protobuf::Struct& parameters) {
  const auto& fields = parameters.fields();
  return std::all_of(fields.begin(), fields.end(), [](const auto& field) { return IsJson(field.second); });
}

class CommandCheck {
 public:
  explicit CommandCheck(const SpecAtHand& at)
      : at_(at),
        spec_(at.spec),
        limits_(at.limits),
        is_command_(at.spec.executor().empty() || at.spec.executor() == kCommandExecutor) {}

  void Run() {
    Executor();
    if (is_command_) CommandIsThere();
    Arguments();
    Environment();
    Inputs();
    Outputs();
    Isolation();
  }

 private:
  template <typename... Description>
  void Add(std::string_view reason, std::string_view field, const Description&... description) {
    at_.Add(reason, field, description...);
  }

  void Executor() {
    if (!spec_.executor().empty() && !IsName(spec_.executor(), kLongestName)) {
      Add("BAD_NAME", "executor", "must be at most ", kLongestName, " characters of [A-Za-z0-9._-]");
    }
    if (is_command_ && spec_.has_parameters()) {
      Add("BAD_PARAMETERS", "parameters", "are for other executors; \"command\" takes its `command`");
    }
    if (is_command_ && spec_.arguments_size() > 0) {
      Add("BAD_PARAMETERS", "arguments", "are for other executors; \"command\" takes command.argv");
    }
    if (spec_.has_parameters() && spec_.parameters().ByteSizeLong() > limits_.parameters_bytes) {
      Add("INPUT_TOO_LONG", "parameters", "have more than ", limits_.parameters_bytes, " bytes");
    } else if (!IsJson(spec_.parameters())) {
      Add("BAD_PARAMETERS", "parameters", "hold a value that JSON has no word for: nothing, or no finite number");
    }
  }

  void CommandIsThere() {
    const v1::Command& command = spec_.command();
    if (command.argv_size() == 0 && !command.has_script()) {
      Add("NO_COMMAND", "command.argv", "is empty; name the program to run");
    } else if (command.argv_size() > 0 && command.argv(0).empty() && !command.has_script()) {
      Add("NO_COMMAND", "command.argv[0]", "is empty; name the program to run");
    }
    if (command.shell() && command.has_script()) {
      Add("BAD_VALUE", "command.shell", "cannot be set together with a script, which runs by its shebang");
    }
  }

  void CheckArgument(const std::string& field, const std::string& argument) {
    if (HasNul(argument)) Add("NUL_BYTE", field, "has a NUL byte; arguments cannot carry one");
    if (argument.size() > limits_.argument_bytes) {
      Add("ARGUMENT_TOO_LONG", field, "has ", argument.size(), " bytes; the kernel takes ", limits_.argument_bytes,
          " in one argument (send long input on stdin or as a script)");
    }
  }

  void Arguments() {
    const v1::Command& command = spec_.command();
    size_t bytes = 0;
    for (int i = 0; i < command.argv_size(); ++i) {
      CheckArgument(absl::StrCat("command.argv[", i, "]"), command.argv(i));
      bytes += command.argv(i).size() + 1;
    }
    if (command.shell() && bytes > limits_.argument_bytes) {
      Add("ARGUMENT_TOO_LONG", "command.argv", "has ", bytes, " bytes; a shell line is one argument of at most ",
          limits_.argument_bytes);
    }
    for (int i = 0; i < spec_.arguments_size(); ++i) {
      CheckArgument(absl::StrCat("arguments[", i, "]"), spec_.arguments(i));
      bytes += spec_.arguments(i).size() + 1;
    }
    for (const v1::EnvironmentVariable& variable : command.environment()) {
      bytes += variable.name().size() + variable.value().size() + 2;
    }
    if (bytes > limits_.command_bytes) {
      Add("COMMAND_TOO_LONG", "command", "arguments and environment have ", bytes, " bytes together; at most ",
          limits_.command_bytes);
    }
  }

  void Environment() {
    const auto& environment = spec_.command().environment();
    for (int i = 0; i < environment.size(); ++i) {
      const std::string field = absl::StrCat("command.environment[", i, "]");
      if (!IsEnvironmentName(environment[i].name())) {
        Add("BAD_ENVIRONMENT", field + ".name", "must not be empty and must have no '=', space or control character");
      }
      if (HasNul(environment[i].value())) Add("NUL_BYTE", field + ".value", "has a NUL byte");
      if (environment[i].name().size() + environment[i].value().size() + 1 > limits_.argument_bytes) {
        Add("ARGUMENT_TOO_LONG", field, "has more than ", limits_.argument_bytes, " bytes");
      }
    }
  }

  void Inputs() {
    const v1::Command& command = spec_.command();
    if (command.stdin().size() > limits_.stdin_bytes) {
      Add("INPUT_TOO_LONG", "command.stdin", "has ", command.stdin().size(), " bytes; at most ", limits_.stdin_bytes);
    }
    if (command.has_script()) {
      if (command.script().content().empty()) Add("NO_COMMAND", "command.script.content", "is empty");
      if (command.script().content().size() > limits_.script_bytes) {
        Add("INPUT_TOO_LONG", "command.script.content", "has ", command.script().content().size(),
            " bytes; at most ", limits_.script_bytes);
      }
      if (!command.script().name().empty() && !IsFileName(command.script().name())) {
        Add("BAD_NAME", "command.script.name", "must be a plain file name, without '/'");
      }
    }
    const std::string& directory = command.working_directory();
    if (!directory.empty() && (directory[0] != '/' || HasNul(directory) || directory.size() > kLongestPath)) {
      Add("BAD_DIRECTORY", "command.working_directory", "must be an absolute path of at most ", kLongestPath,
          " bytes without NUL");
    }
  }

  void Outputs() {
    const auto& outputs = spec_.outputs();
    if (outputs.empty()) return;
    if (!is_command_) return Add("BAD_OUTPUTS", "outputs", "are for the executor \"command\" alone; leave them out");
    if (static_cast<size_t>(outputs.size()) > kMostOutputs) {
      return Add("BAD_OUTPUTS", "outputs", "has ", outputs.size(), " names; at most ", kMostOutputs);
    }
    std::set<std::string_view> names;
    for (int i = 0; i < outputs.size(); ++i) {
      const std::string field = absl::StrCat("outputs[", i, "]");
      if (!IsOutputName(outputs[i])) {
        Add("BAD_OUTPUTS", field, "must be at most ", kLongestOutputName, " characters of [A-Za-z0-9_], the first no digit");
      } else if (!names.insert(outputs[i]).second) {
        Add("BAD_OUTPUTS", field, "is named twice");
      }
    }
  }

  void Isolation() {
    if (!v1::Isolation_IsValid(spec_.isolation())) {
      Add("BAD_ISOLATION", "isolation", "is ", static_cast<int>(spec_.isolation()),
          ", which this master does not know; the tiers are PLAIN, LIMITED and STRICT");
    } else if (spec_.isolation() != v1::ISOLATION_UNSPECIFIED && !is_command_) {
      Add("BAD_ISOLATION", "isolation", "is for the executor \"command\" alone; leave it out");
    }
    if (spec_.no_network() && spec_.isolation() != v1::ISOLATION_STRICT) {
      Add("BAD_ISOLATION", "no_network", "is had in the tier STRICT alone; ask for that isolation, too");
    }
  }

  const SpecAtHand& at_;
  const v1::TaskSpec& spec_;
  const TaskLimits& limits_;
  const bool is_command_;
};

}  // namespace

void CheckWhatItRuns(const SpecAtHand& at) { CommandCheck(at).Run(); }

}  // namespace muster::handler
