// Declares a verb's flags; CLI11 does the parsing and stays behind this header (it is slow to compile).
//
//   flags.Text("--queue", &queue, "NAME", "Queue to wait in.");
//   flags.Positionals(&selectors, "SELECTOR", "Which tasks.", /*least=*/1);
//   return [=](Session& session) -> absl::StatusOr<int> { ... };
//
// Thread rule: one thread. Ownership: targets must live as long as the command line is parsed; verbs keep them in a
// shared struct that their action captures.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace muster::cli {

class Session;
struct VerbNode;
using Action = std::function<absl::StatusOr<int>(Session&)>;

class Flags {
 public:
  explicit Flags(VerbNode* node) : node_(node) {}

  void Text(const std::string& names, std::string* target, const std::string& value_name, const std::string& help);
  // As Text; an empty value, most often a variable that is not set, is refused and not taken for a flag that is not there.
  void Word(const std::string& names, std::string* target, const std::string& value_name, const std::string& help);
  // May be given more than once, one value each.
  void Texts(const std::string& names, std::vector<std::string>* target, const std::string& value_name, const std::string& help);
  void Number(const std::string& names, std::optional<int64_t>* target, const std::string& value_name, const std::string& help);
  void Real(const std::string& names, std::optional<double>* target, const std::string& value_name, const std::string& help);
  void Switch(const std::string& names, bool* target, const std::string& help);
  // "90s", "1h30m"; never negative.
  void Time(const std::string& names, std::optional<absl::Duration>* target, const std::string& value_name, const std::string& help);
  // "64MiB".
  void Size(const std::string& names, std::optional<int64_t>* target, const std::string& value_name, const std::string& help);
  void Choice(const std::string& names, std::string* target, const std::vector<std::string>& choices, const std::string& help);
  void Positional(const std::string& value_name, std::string* target, const std::string& help, bool required = true);
  void Positionals(const std::string& value_name, std::vector<std::string>* target, const std::string& help, int least);
  // What follows "--", or the first word that is no flag when `bare` is set, is not ours to read.
  void TakesCommand(std::vector<std::string>* target, bool bare);
  // What follows "muster" in the usage line.
  void Usage(const std::string& text);
  void Examples(const std::string& text);

  // A verb of this verb.
  void Verb(const std::string& name, const std::string& summary, const std::function<Action(Flags&)>& set_up);

 private:
  VerbNode* node_;
};

}  // namespace muster::cli
