// Workflow files, YAML or JSON.
//
// Claims: a refusal is one line that begins with a place; a workflow that was read is a graph without circles whose texts can be
// filled in, whose braces are places of rows and nothing else, and whose tasks, printed as JSON, are read as the same ones by
// `muster submit -f`.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>

#include "absl/strings/str_cat.h"
#include "cli/task_input.h"
#include "cli/workflow_file/workflow_file.h"
#include "common/convert/workflow_graph.h"
#include "common/convert/workflow_parameters.h"
#include "common/domain/batch_arguments.h"
#include "re2/re2.h"
#include "tests/fuzz/fuzz.h"

namespace muster::fuzz {
namespace {

constexpr int kMostTasksReadAgain = 16;

void CheckReadsAsTask(const v1::TaskSpec& task) {
  std::string json;
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  const auto printed = google::protobuf::util::MessageToJsonString(task, &json, options);
  MUSTER_CLAIM(printed.ok(), absl::StrCat(printed.ToString(), task.ShortDebugString()));
  const int fd = memfd_create("task", MFD_CLOEXEC);
  MUSTER_CLAIM(fd >= 0 && write(fd, json.data(), json.size()) == static_cast<ssize_t>(json.size()), "");
  lseek(fd, 0, SEEK_SET);
  cli::TaskReader reader(fd, "task");
  v1::TaskSpec again;
  const absl::StatusOr<bool> found = reader.Next(&again);
  close(fd);
  MUSTER_CLAIM(found.ok() && *found, absl::StrCat(found.status().ToString(), "\n", json));
  MUSTER_CLAIM(google::protobuf::util::MessageDifferencer::Equals(task, again), absl::StrCat(json, "\n", again.ShortDebugString()));
}

// Every place of a node with rows is one of its columns, or empty.
void CheckPlaces(const v1::WorkflowNode& node) {
  if (node.rows_size() == 0) return;
  const auto& values = node.rows(0).values();
  const std::vector<std::string> marks(static_cast<size_t>(values.size()), "<>");
  for (const v1::ArgumentRow& row : node.rows()) MUSTER_CLAIM(row.values_size() == values.size(), node.ShortDebugString());
  for (const std::string& word : node.task().command().argv()) {
    const std::string filled = FillText(word, marks, 1);
    MUSTER_CLAIM(HighestPlace({word}) == 999999 || HighestPlace({word}) <= marks.size(), word);
    MUSTER_CLAIM(FillText(WithoutPlaces(filled), marks, 1) == filled, filled);
  }
}

void CheckIsSound(v1::WorkflowSpec spec) {
  const auto graph = convert::MakeWorkflowGraph(spec);
  MUSTER_CLAIM(graph.ok(), graph.status().ToString());
  for (int i = 0; i < spec.nodes_size(); ++i) {
    CheckPlaces(spec.nodes(i));
    if (i < kMostTasksReadAgain) CheckReadsAsTask(spec.nodes(i).task());
  }
  google::protobuf::RepeatedPtrField<v1::ParameterValue> given;
  for (const v1::WorkflowParameter& parameter : spec.parameters()) {
    v1::ParameterValue* const value = given.Add();
    value->set_name(parameter.name());
    value->set_value("{1}'");
  }
  const absl::Status filled = convert::FillParameters(given, &spec);
  MUSTER_CLAIM(filled.ok(), filled.ToString());
}

}  // namespace
}  // namespace muster::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace muster;
  const absl::StatusOr<v1::WorkflowSpec> spec = cli::ReadWorkflowText({"f", std::string(reinterpret_cast<const char*>(data), size)});
  if (!spec.ok()) {
    const std::string line(spec.status().message());
    MUSTER_CLAIM(fuzz::IsOneLine(line), line);
    static const RE2* const kPlace = new RE2("f:[1-9][0-9]*:[1-9][0-9]*: .+");
    MUSTER_CLAIM(RE2::FullMatch(line, *kPlace), line);
    return 0;
  }
  fuzz::CheckIsSound(*spec);
  return 0;
}
