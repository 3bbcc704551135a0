// muster completion: for bash, zsh and fish, made from the tree of verbs.
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "cli/command_line.h"
#include "cli/completion_script.h"
#include "cli/output.h"
#include "cli/verbs.h"

namespace muster::cli {
namespace {

// Every verb with its path ("worker set") and what may follow it.
struct Step {
  std::string path;
  std::vector<std::string> verbs;
  std::vector<std::string> flags;
};

void Walk(const VerbOutline& verb, const std::string& path, std::vector<Step>* steps) {
  Step step{.path = path, .flags = verb.flags};
  for (std::string& flag : step.flags) {
    if (!flag.empty() && flag.back() == '=') flag.pop_back();
  }
  for (const VerbOutline& inner : verb.verbs) step.verbs.push_back(inner.name);
  steps->push_back(std::move(step));
  for (const VerbOutline& inner : verb.verbs) Walk(inner, path.empty() ? inner.name : absl::StrCat(path, " ", inner.name), steps);
}

std::string Cases(const std::vector<Step>& steps) {
  std::string text;
  for (const Step& step : steps) {
    absl::StrAppend(&text, "    '", step.path, "') verbs='", absl::StrJoin(step.verbs, " "), "' flags='", absl::StrJoin(step.flags, " "), "' ;;\n");
  }
  return text;
}

// The verb path of what was typed so far; shared by bash and zsh.
std::string Script(const std::vector<Step>& steps, const std::string& words, const std::string& current, const std::string& reply) {
  return absl::StrCat(
      "  local path='' word verbs flags i\n"
      "  for word in ", words, "; do\n"
      "    case \"$word\" in\n"
      "      --) return ;;\n"
      "      -*) continue ;;\n"
      "    esac\n"
      "    case \"${path:+$path }$word\" in\n",
      [&] {
        std::vector<std::string> paths;
        for (const Step& step : steps) {
          if (!step.path.empty()) paths.push_back(absl::StrCat("'", step.path, "'"));
        }
        return absl::StrCat("      ", absl::StrJoin(paths, "|"), ") path=\"${path:+$path }$word\" ;;\n");
      }(),
      "    esac\n"
      "  done\n"
      "  case \"$path\" in\n",
      Cases(steps), "  esac\n",
      "  if [[ ", current, " == -* ]]; then\n    ", absl::StrReplaceAll(reply, {{"WORDS", "$flags"}}),
      "\n  else\n    ", absl::StrReplaceAll(reply, {{"WORDS", "$verbs"}}), "\n  fi\n");
}

std::string Bash(const std::vector<Step>& steps) {
  return absl::StrCat("# bash completion for muster: source <(muster completion bash)\n_muster() {\n  COMPREPLY=()\n",
                      Script(steps, "\"${COMP_WORDS[@]:1:COMP_CWORD-1}\"", "\"${COMP_WORDS[COMP_CWORD]}\"",
                             "COMPREPLY=($(compgen -W \"WORDS\" -- \"${COMP_WORDS[COMP_CWORD]}\"))"),
                      "}\ncomplete -o default -F _muster muster\n");
}

std::string Zsh(const std::vector<Step>& steps) {
  return absl::StrCat("#compdef muster\n# zsh completion for muster: source <(muster completion zsh)\n_muster() {\n",
                      Script(steps, "\"${(@)words[2,CURRENT-1]}\"", "\"${words[CURRENT]}\"", "compadd -- ${=:-WORDS}"),
                      "}\ncompdef _muster muster\n");
}

void Fish(const VerbOutline& verb, const std::string& condition, std::string* text) {
  for (const VerbOutline& inner : verb.verbs) {
    absl::StrAppend(text, "complete -c muster -f", condition, " -a ", inner.name, " -d '", absl::StrReplaceAll(inner.summary, {{"'", "\\'"}}), "'\n");
  }
  for (const std::string& flag : verb.flags) {
    if (absl::StartsWith(flag, "--")) {
      const bool takes_value = flag.back() == '=';
      absl::StrAppend(text, "complete -c muster", condition, " -l ", flag.substr(2, flag.size() - 2 - (takes_value ? 1 : 0)), takes_value ? " -r" : "", "\n");
    } else {
      absl::StrAppend(text, "complete -c muster", condition, " -s ", flag.substr(1), "\n");
    }
  }
}

}  // namespace

std::string CompletionScript(const VerbOutline& root, const std::string& shell) {
  if (shell == "fish") {
    std::string text = "# fish completion for muster: muster completion fish | source\n";
    Fish(root, " -n __fish_use_subcommand", &text);
    for (const VerbOutline& verb : root.verbs) Fish(verb, absl::StrCat(" -n '__fish_seen_subcommand_from ", verb.name, "'"), &text);
    return text;
  }
  std::vector<Step> steps;
  Walk(root, "", &steps);
  return shell == "zsh" ? Zsh(steps) : Bash(steps);
}

Action SetUpCompletion(Flags& flags, std::function<VerbOutline()> outline) {
  auto shell = std::make_shared<std::string>();
  flags.Usage("completion bash|zsh|fish");
  flags.Choice("SHELL", shell.get(), {"bash", "zsh", "fish"}, "For which shell.");
  flags.Examples("  source <(muster completion bash)");
  return [shell, outline](Session&) -> absl::StatusOr<int> {
    Print(CompletionScript(outline(), shell->empty() ? "bash" : *shell));
    return 0;
  };
}

}  // namespace muster::cli
