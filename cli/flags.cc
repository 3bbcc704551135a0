#include "cli/flags.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "cli/verb_node.h"
#include "common/config/config.h"

namespace muster::cli {
namespace {

// A value that is parsed by `parse` (returning a status-or) and kept in `target`.
template <typename Value, typename Parse>
void AddParsed(CLI::App* app, const std::string& names, std::optional<Value>* target, const std::string& value_name,
               const std::string& help, Parse parse) {
  app->add_option_function<std::string>(
         names,
         [target, parse, names](const std::string& text) {
           absl::StatusOr<Value> value = parse(text);
           if (!value.ok()) {
             const std::string name = names.substr(names.rfind(',') == std::string::npos ? 0 : names.rfind(',') + 1);
             throw CLI::ValidationError(name, std::string(value.status().message()));
           }
           *target = *value;
         },
         help)
      ->type_name(value_name);
}

}  // namespace

void Flags::Text(const std::string& names, std::string* target, const std::string& value_name, const std::string& help) {
  node_->app->add_option(names, *target, help)->type_name(value_name);
}

void Flags::Word(const std::string& names, std::string* target, const std::string& value_name, const std::string& help) {
  node_->app->add_option(names, *target, help)->type_name(value_name)->check([](const std::string& text) {
    return text.empty() ? std::string("is empty; give it a value or leave it out") : std::string();
  }, "", "");
}

void Flags::Texts(const std::string& names, std::vector<std::string>* target, const std::string& value_name,
                  const std::string& help) {
  node_->app->add_option(names, *target, help)->type_name(value_name)->allow_extra_args(false)->take_all();
}

void Flags::Number(const std::string& names, std::optional<int64_t>* target, const std::string& value_name,
                   const std::string& help) {
  AddParsed(node_->app, names, target, value_name, help, [](const std::string& text) -> absl::StatusOr<int64_t> {
    int64_t value;
    if (absl::SimpleAtoi(text, &value)) return value;
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no whole number"));
  });
}

void Flags::Real(const std::string& names, std::optional<double>* target, const std::string& value_name,
                 const std::string& help) {
  AddParsed(node_->app, names, target, value_name, help, [](const std::string& text) -> absl::StatusOr<double> {
    double value;
    if (absl::SimpleAtod(text, &value)) return value;
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no number"));
  });
}

void Flags::Switch(const std::string& names, bool* target, const std::string& help) { node_->app->add_flag(names, *target, help); }

void Flags::Time(const std::string& names, std::optional<absl::Duration>* target, const std::string& value_name,
                 const std::string& help) {
  AddParsed(node_->app, names, target, value_name, help, [](const std::string& text) -> absl::StatusOr<absl::Duration> {
    if (!text.empty() && text[0] == '-') {
      return absl::InvalidArgumentError(absl::StrCat("'", text, "' is negative; give a duration such as 90s or 1h30m"));
    }
    return config::ParseDuration(text);
  });
}

void Flags::Size(const std::string& names, std::optional<int64_t>* target, const std::string& value_name,
                 const std::string& help) {
  AddParsed(node_->app, names, target, value_name, help, [](const std::string& text) { return config::ParseSize(text); });
}

void Flags::Choice(const std::string& names, std::string* target, const std::vector<std::string>& choices,
                   const std::string& help) {
  node_->app->add_option(names, *target, help)->type_name(absl::StrJoin(choices, "|"))->check([choices](const std::string& text) {
    for (const std::string& choice : choices) {
      if (text == choice) return std::string();
    }
    return absl::StrCat("'", text, "' is not one of ", absl::StrJoin(choices, ", "));
  }, "", "");
}

void Flags::Positional(const std::string& value_name, std::string* target, const std::string& help, bool required) {
  node_->app->add_option(value_name, *target, help)->required(required)->type_name("");
}

void Flags::Positionals(const std::string& value_name, std::vector<std::string>* target, const std::string& help, int least) {
  auto* option = node_->app->add_option(value_name, *target, help)->type_name("");
  if (least > 0) option->required();
}

void Flags::TakesCommand(std::vector<std::string>* target, bool bare) {
  node_->command = target;
  node_->bare_command = bare;
}

void Flags::Usage(const std::string& text) { node_->usage = text; }
void Flags::Examples(const std::string& text) { node_->app->footer(absl::StrCat("Examples:\n", text)); }

void Flags::Verb(const std::string& name, const std::string& summary, const std::function<Action(Flags&)>& set_up) {
  auto verb = std::make_unique<VerbNode>();
  verb->app = node_->app->add_subcommand(name, summary);
  verb->app->formatter(node_->app->get_formatter());
  verb->usage = name;
  verb->root = node_->root;
  VerbNode* const raw = verb.get();
  node_->verbs.push_back(std::move(verb));
  Flags flags(raw);
  raw->action = set_up(flags);
  const bool stands_alone = raw->verbs.empty() || raw->action;
  if (stands_alone) {
    raw->root->add_global_flags(flags);
  } else {
    raw->app->require_subcommand(1);
  }
}

}  // namespace muster::cli
