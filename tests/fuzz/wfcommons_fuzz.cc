// An instance of WfCommons: "run" or anything else, "\n%%\n", the JSON.
//
// Claims: what is wrong is refused in one line with the file's name; what is taken is a workflow that a master would take,
// with legal names and commands that are whole, and its file is YAML.
#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/wfcommons.h"
#include "cli/yaml.h"
#include "common/convert/workflow_graph.h"
#include "tests/fuzz/fuzz.h"

namespace muster::fuzz {
namespace {

bool IsLegalName(const std::string& name) {
  return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
}

void CheckWorkflow(const v1::WorkflowSpec& spec, bool sleeps) {
  const absl::Status status = convert::MakeWorkflowGraph(spec).status();
  MUSTER_CLAIM(status.ok(), status.ToString());
  MUSTER_CLAIM(IsLegalName(spec.name()), spec.name());
  for (const v1::WorkflowNode& node : spec.nodes()) {
    MUSTER_CLAIM(IsLegalName(node.name()), node.name());
    MUSTER_CLAIM(node.task().command().argv_size() == (sleeps ? 2 : 1), node.name());
    for (const std::string& word : node.task().command().argv()) MUSTER_CLAIM(!absl::StrContains(word, "{{"), word);
  }
}

}  // namespace
}  // namespace muster::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace muster;
  fuzz::Input input(data, size);
  const bool sleeps = !absl::StrContains(std::string(input.Part()), "run");
  const std::string json(input.Rest());
  cli::WfCommonsOptions options;
  if (!sleeps) options.command = "./{{ type }} '{{ name }}' {{ seconds }}";
  const absl::StatusOr<v1::WorkflowSpec> spec = cli::ImportWfCommons("x.json", json, options);
  if (!spec.ok()) {
    const std::string message(spec.status().message());
    MUSTER_CLAIM(absl::IsInvalidArgument(spec.status()) && fuzz::IsOneLine(message), message);
    MUSTER_CLAIM(absl::StartsWith(message, "x.json:") && message.size() < 4096, message);
    return 0;
  }
  fuzz::CheckWorkflow(*spec, sleeps);
  if (spec->nodes_size() > 1000) return 0;
  const std::string file = cli::WorkflowFileText(*spec);
  const absl::StatusOr<std::string> read = cli::YamlToJson(file, nullptr);
  MUSTER_CLAIM(read.ok() && absl::StartsWith(*read, "{\"name\":"), absl::StrCat(read.status().ToString(), "\n", file));
  return 0;
}
