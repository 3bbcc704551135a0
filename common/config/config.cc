#include "common/config/config.h"

#include <iostream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/config/key_kinds.h"
#include "common/config/key_pages.h"
#include "common/config/key_table.h"

namespace muster::config {
namespace {

// What was asked for on the command line.
struct CommandLine {
  std::string file;
  bool check_only = false;
  std::string page;  // "--help" and the like: print it, and that is all
  std::vector<std::pair<std::string, std::string>> flags;
};

bool IsPage(const std::string& argument) {
  return argument == "--help" || argument == "--version" || argument == "--config-reference" ||
         argument == "--config-example";
}

absl::StatusOr<CommandLine> ReadCommandLine(int argc, const char* const* argv, const std::string& program) {
  CommandLine line;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = std::string(argv[i]) == "-h" ? "--help" : argv[i];
    if (IsPage(argument)) {
      line.page = argument;
      return line;
    }
    if (argument == "--check-config") {
      line.check_only = true;
      continue;
    }
    if (!absl::StartsWith(argument, "--")) {
      return absl::InvalidArgumentError(
          absl::StrCat("unexpected argument ", Quoted(argument), "; `", program, " --help` shows the usage"));
    }
    const std::vector<std::string> parts = absl::StrSplit(argument.substr(2), absl::MaxSplits('=', 1));
    const bool separate = parts.size() == 1 && i + 1 < argc && !absl::StartsWith(argv[i + 1], "--");
    std::string value = parts.size() == 2 ? parts[1] : separate ? argv[++i] : "";
    if (parts[0] == "config") {
      line.file = std::move(value);
    } else {
      line.flags.emplace_back(parts[0], std::move(value));
    }
  }
  return line;
}

}  // namespace

class Schema::Impl {
 public:
  Impl(std::string program, std::string summary, std::string prefix)
      : table_(std::move(program), std::move(prefix)), summary_(std::move(summary)) {}

  absl::Status Read(const CommandLine& line) {
    if (!line.file.empty()) MUSTER_RETURN_IF_ERROR(table_.ReadFile(line.file));
    MUSTER_RETURN_IF_ERROR(table_.ReadEnvironment());
    for (const auto& [name, value] : line.flags) MUSTER_RETURN_IF_ERROR(table_.ReadFlag(name, value));
    for (const auto& check : checks_) MUSTER_RETURN_IF_ERROR(check());
    return absl::OkStatus();
  }

  std::string Page(const std::string& name, const std::string& version) const {
    if (name == "--help") return HelpPage(table_, summary_);
    if (name == "--version") return absl::StrCat(table_.program(), " ", version, "\n");
    return name == "--config-example" ? ExamplePage(table_, summary_) : MarkdownPage(table_, summary_);
  }

  KeyTable table_;
  const std::string summary_;
  std::vector<std::function<absl::Status()>> checks_;
};

Schema::Schema(std::string program, std::string summary, std::string environment_prefix)
    : impl_(std::make_unique<Impl>(std::move(program), std::move(summary), std::move(environment_prefix))) {}
Schema::~Schema() = default;

void Schema::Text(std::string key, std::string* target, std::string default_value, std::string help) {
  *target = std::move(default_value);
  impl_->table_.Add(TextKey(std::move(key), target, std::move(help)));
}

void Schema::Choice(std::string key, std::string* target, std::string default_value, std::vector<std::string> choices,
                    std::string help) {
  *target = std::move(default_value);
  impl_->table_.Add(ChoiceKey(std::move(key), target, std::move(choices), std::move(help)));
}

void Schema::Number(std::string key, int64_t* target, int64_t default_value, std::string help, Bounds bounds) {
  *target = default_value;
  impl_->table_.Add(NumberKey(std::move(key), target, std::move(help), bounds));
}

void Schema::Real(std::string key, double* target, double default_value, std::string help, Bounds bounds) {
  *target = default_value;
  impl_->table_.Add(RealKey(std::move(key), target, std::move(help), bounds));
}

void Schema::Flag(std::string key, bool* target, bool default_value, std::string help) {
  *target = default_value;
  impl_->table_.Add(FlagKey(std::move(key), target, std::move(help)));
}

void Schema::Time(std::string key, absl::Duration* target, absl::Duration default_value, std::string help,
                  Bounds bounds) {
  *target = default_value;
  impl_->table_.Add(TimeKey(std::move(key), target, std::move(help), bounds));
}

void Schema::Size(std::string key, int64_t* target, int64_t default_value, std::string help, Bounds bounds) {
  *target = default_value;
  impl_->table_.Add(SizeKey(std::move(key), target, std::move(help), bounds));
}

void Schema::Map(std::string key, std::map<std::string, std::string>* target, std::string help) {
  impl_->table_.Add(MapKey(std::move(key), target, std::move(help)));
}

void Schema::List(std::string key, std::vector<std::string>* target, std::string help) {
  impl_->table_.Add(ListKey(std::move(key), target, std::move(help)));
}

void Schema::Entries(std::string key, std::vector<Entry>* target, std::vector<std::string> fields, std::string help) {
  impl_->table_.Add(EntriesKey(std::move(key), target, std::move(fields), std::move(help)));
}

void Schema::Check(std::function<absl::Status()> check) { impl_->checks_.push_back(std::move(check)); }

absl::StatusOr<Schema::Outcome> Schema::Load(int argc, const char* const* argv, const std::string& version) {
  MUSTER_ASSIGN_OR_RETURN(const CommandLine line, ReadCommandLine(argc, argv, impl_->table_.program()));
  if (!line.page.empty()) {
    std::cout << impl_->Page(line.page, version);
    return Outcome{.done = true};
  }
  MUSTER_RETURN_IF_ERROR(impl_->Read(line));
  if (line.check_only) std::cout << Effective();
  return Outcome{.done = line.check_only};
}

std::string Schema::Effective() const { return EffectivePage(impl_->table_); }
std::string Schema::Markdown() const { return MarkdownPage(impl_->table_, impl_->summary_); }
std::string Schema::ExampleYaml() const { return ExamplePage(impl_->table_, impl_->summary_); }

}  // namespace muster::config
