#include "cli/command_line.h"

#include <optional>
#include <sstream>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/errors.h"
#include "cli/output.h"
#include "cli/verb_node.h"
#include "cli/verbs.h"
#include "common/base/nearest.h"

namespace muster::cli {
namespace {

// Help in the manner of the rest: the usage line as the verb words it.
class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(const VerbNode* root) : root_(root) {
    label("OPTIONS", "flags");
    label("Options", "Flags");
    label("Positionals", "Arguments");
    label("Subcommands", "Verbs");
    column_width(34);
  }
  std::string make_usage(const CLI::App* app, std::string) const override {
    const VerbNode* node = Find(root_, app);
    return absl::StrCat("Usage: muster ", node == nullptr ? "VERB" : node->usage, "\n");
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    if (option->get_items_expected_min() == 0) return "";
    return option->get_type_name().empty() ? "" : absl::StrCat(" ", option->get_type_name());
  }

 private:
  static const VerbNode* Find(const VerbNode* node, const CLI::App* app) {
    if (node->app == app) return node;
    for (const auto& verb : node->verbs) {
      if (const VerbNode* found = Find(verb.get(), app)) return found;
    }
    return nullptr;
  }
  const VerbNode* const root_;
};

const VerbNode* FindVerb(const VerbNode& node, const std::string& name) {
  for (const auto& verb : node.verbs) {
    if (verb->app->get_name() == name) return verb.get();
  }
  return nullptr;
}

// Whether a flag as it was typed takes the word that follows it.
bool TakesNextWord(const CLI::App& app, const std::string& word) {
  const bool is_long = absl::StartsWith(word, "--");
  if (is_long && absl::StrContains(word, "=")) return false;
  const std::string name = is_long ? word : word.substr(0, 2);
  const CLI::Option* option = app.get_option_no_throw(name);
  return option != nullptr && option->get_items_expected_min() > 0 && (is_long || word.size() == 2);
}

// Where the command begins that is not ours to read: after "--", or at the first word that is no flag.
void TakeCommand(const VerbNode& verb, size_t first, std::vector<std::string>* words) {
  size_t i = first;
  for (; i < words->size(); ++i) {
    const std::string& word = (*words)[i];
    if (word == "--") {
      verb.command->assign(words->begin() + static_cast<long>(i) + 1, words->end());
      break;
    }
    if (word.size() > 1 && word[0] == '-') {
      if (TakesNextWord(*verb.app, word)) ++i;
    } else if (verb.bare_command) {
      verb.command->assign(words->begin() + static_cast<long>(i), words->end());
      break;
    }
  }
  if (i < words->size()) words->resize(i);
}

absl::Status UnknownVerb(const VerbNode& node, const std::string& word) {
  std::vector<std::string> verbs;
  for (const auto& verb : node.verbs) verbs.push_back(verb->app->get_name());
  const std::optional<size_t> nearest = NearestOf(word, std::vector<std::string_view>(verbs.begin(), verbs.end()), 2);
  const std::string above = node.app->get_parent() == nullptr ? "muster " : absl::StrCat("muster ", node.app->get_name(), " ");
  return UsageError(absl::StrCat("no verb '", word, "'; ",
                                 nearest ? absl::StrCat("did you mean `", above, verbs[*nearest], "`?")
                                         : absl::StrCat("`", above, "--help` lists them")));
}

VerbOutline OutlineOf(const VerbNode& node) {
  VerbOutline outline{.name = node.app->get_name(), .summary = node.app->get_description()};
  for (const CLI::Option* option : node.app->get_options()) {
    for (const std::string& name : option->get_lnames()) {
      outline.flags.push_back(absl::StrCat("--", name, option->get_items_expected_min() > 0 ? "=" : ""));
    }
    for (const std::string& name : option->get_snames()) outline.flags.push_back(absl::StrCat("-", name));
  }
  for (const auto& verb : node.verbs) outline.verbs.push_back(OutlineOf(*verb));
  return outline;
}

}  // namespace

struct CommandLine::State {
  GlobalFlags global;
  CLI::App app{"Runs commands on a cluster.", "muster"};
  VerbNode root;
};

CommandLine::CommandLine() : state_(std::make_unique<State>()) {
  VerbNode& root = state_->root;
  root.app = &state_->app;
  root.root = &root;
  root.usage = "[flags] VERB ...";
  root.add_global_flags = [this](Flags& flags) { AddGlobalFlags(flags, &state_->global); };
  state_->app.formatter(std::make_shared<HelpFormatter>(&root));
  state_->app.set_version_flag("--version", VersionText());
  state_->app.footer(
      "Examples:\n"
      "  muster dev                                  a cluster on this machine, until Ctrl-C\n"
      "  muster run -- sh -c 'hostname; exit 3'      run one command, with its output and its exit code\n"
      "  muster map -- gzip -9 {} ::: *.log          one task for each file\n"
      "  muster ps; muster get last; muster logs -f last\n"
      "  `muster VERB --help` tells more.");
  Flags flags(&root);
  AddGlobalFlags(flags, &state_->global);
  AddVerbs(flags, [this] { return Outline(); });
}

CommandLine::~CommandLine() = default;

const GlobalFlags& CommandLine::global() const { return state_->global; }
VerbOutline CommandLine::Outline() const { return OutlineOf(state_->root); }

absl::StatusOr<CommandLine::Chosen> CommandLine::Parse(std::vector<std::string> words) {
  const VerbNode* verb = &state_->root;
  for (size_t i = 0; i < words.size(); ++i) {
    if (!words[i].empty() && words[i][0] == '-') {
      if (TakesNextWord(*verb->app, words[i])) ++i;
      continue;
    }
    const VerbNode* next = FindVerb(*verb, words[i]);
    if (next == nullptr) {
      if (words[i] == "help" && verb == &state_->root) {
        Print(state_->app.help());
        return Chosen{};
      }
      return UnknownVerb(*verb, words[i]);
    }
    verb = next;
    if (verb->command != nullptr) TakeCommand(*verb, i + 1, &words);
    if (verb->verbs.empty()) break;
  }
  if (words.empty()) return UsageError("what should be done? `muster --help` lists the verbs, `muster dev` starts a cluster here");
  try {
    std::reverse(words.begin(), words.end());
    state_->app.parse(words);
  } catch (const CLI::Success& done) {
    std::ostringstream out;
    const int code = state_->app.exit(done, out, out);
    Print(out.str());
    return Chosen{{}, code};
  } catch (const CLI::ParseError& error) {
    std::string path;
    if (verb != &state_->root) path = absl::StrCat(" ", verb->usage.substr(0, verb->usage.find_first_of(" [")));
    return UsageError(absl::StrCat(error.what(), "; see `muster", path, " --help`"));
  }
  if (!verb->action) return UsageError("which verb? `muster --help` lists them");
  return Chosen{verb->action, 0};
}

}  // namespace muster::cli
