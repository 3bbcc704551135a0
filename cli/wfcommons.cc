#include "cli/wfcommons.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "cli/text.h"
#include "common/base/json_reader.h"
#include "common/base/status_macros.h"
#include "common/convert/workflow_graph.h"

namespace muster::cli {
namespace {

constexpr size_t kLongestNodeName = 128;
constexpr size_t kLongestShown = 64;
constexpr double kMostSleepSeconds = 1e9;
constexpr uint32_t kAmbiguous = UINT32_MAX;

struct ReadTask {
  size_t place = 0;  // in the file
  std::string id, name, category;
  std::vector<std::string> parents, children;
  double seconds = 0;
};

// The instance as it stands in the file; what its words refer to is not looked at.
class InstanceReader {
 public:
  explicit InstanceReader(JsonReader* json) : json_(*json) {}

  void Read() {
    for (json_.EnterObject(); json_.NextKey(&key_);) {
      if (key_ == "name") {
        json_.ReadString(&name);
      } else if (key_ == "workflow") {
        ReadWorkflow();
      } else {
        json_.Skip();
      }
    }
    json_.Finish();
  }

  std::string name;
  std::vector<ReadTask> tasks;
  std::unordered_map<std::string, double> seconds_by_id;  // of `execution`

 private:
  void ReadWorkflow() {
    for (json_.EnterObject(); json_.NextKey(&key_);) {
      if (key_ == "specification") {
        ReadPart(&InstanceReader::ReadTasks);
      } else if (key_ == "execution") {
        ReadPart(&InstanceReader::ReadExecution);
      } else if (key_ == "tasks" || key_ == "jobs") {
        ReadTasks();
      } else {
        json_.Skip();
      }
    }
  }

  void ReadPart(void (InstanceReader::*read_tasks)()) {
    for (json_.EnterObject(); json_.NextKey(&key_);) {
      if (key_ == "tasks") {
        (this->*read_tasks)();
      } else {
        json_.Skip();
      }
    }
  }

  void ReadTasks() {
    for (json_.EnterArray(); json_.NextItem();) {
      if (tasks.size() >= kMostWorkflowTasks) {
        return json_.Refuse(json_.place(), absl::StrCat("more than ", kMostWorkflowTasks, " tasks; a workflow cannot have so many"));
      }
      ReadOneTask(&tasks.emplace_back());
    }
  }

  void ReadOneTask(ReadTask* task) {
    task->place = json_.place();
    for (json_.EnterObject(); json_.NextKey(&key_);) {
      if (key_ == "id") json_.ReadString(&task->id);
      else if (key_ == "name") json_.ReadString(&task->name);
      else if (key_ == "category") ReadWordOrNull(&task->category);
      else if (key_ == "parents") ReadWords(&task->parents);
      else if (key_ == "children") ReadWords(&task->children);
      else if (key_ == "runtime" || key_ == "runtimeInSeconds") ReadSeconds(&task->seconds);
      else json_.Skip();
    }
    if (task->id.empty() && task->name.empty()) json_.Refuse(task->place, "a task with neither id nor name");
  }

  void ReadExecution() {
    for (json_.EnterArray(); json_.NextItem();) {
      std::string id;
      double seconds = 0;
      for (json_.EnterObject(); json_.NextKey(&key_);) {
        if (key_ == "id") json_.ReadString(&id);
        else if (key_ == "runtimeInSeconds") ReadSeconds(&seconds);
        else json_.Skip();
      }
      seconds_by_id[id] = seconds;
    }
  }

  void ReadWordOrNull(std::string* word) {
    if (!json_.SkipNull()) json_.ReadString(word);
  }

  void ReadWords(std::vector<std::string>* words) {
    if (json_.SkipNull()) return;
    for (json_.EnterArray(); json_.NextItem();) {
      if (++word_count_ > 2 * kMostWorkflowNeeds) {
        return json_.Refuse(json_.place(), absl::StrCat("more than ", kMostWorkflowNeeds, " edges; a workflow cannot have so many"));
      }
      json_.ReadString(&words->emplace_back());
    }
  }

  void ReadSeconds(double* seconds) {
    const size_t place = json_.place();
    if (json_.SkipNull()) return;
    json_.ReadNumber(seconds);
    if (*seconds < 0) json_.Refuse(place, "a run time that is negative");
  }

  JsonReader& json_;
  std::string key_;
  size_t word_count_ = 0;
};

std::string Legal(const std::string& name) {
  std::string legal = name.substr(0, kLongestNodeName);
  for (char& c : legal) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '_' && c != '-') c = '_';
  }
  return legal.empty() ? "task" : legal;
}

// Legal names that are given once.
class NodeNames {
 public:
  NodeNames() { taken_.insert("matrix"); }  // a word of workflow files

  std::string Give(const std::string& wanted) {
    const std::string legal = Legal(wanted);
    std::string name = legal;
    for (uint32_t& number = numbers_[legal]; !taken_.insert(name).second;) {
      const std::string suffix = absl::StrCat("-", ++number + 1);
      name = absl::StrCat(legal.substr(0, kLongestNodeName - suffix.size()), suffix);
    }
    return name;
  }

 private:
  std::unordered_set<std::string> taken_;
  std::unordered_map<std::string, uint32_t> numbers_;  // the last that was added to it
};

// "mProject" of "mProject_ID0000001".
std::string TypeOf(const ReadTask& task) {
  if (!task.category.empty()) return Legal(task.category);
  const std::string& name = task.name.empty() ? task.id : task.name;
  const size_t id = name.rfind("_ID");
  const bool numbered = id != std::string::npos && id > 0 && name.find_first_not_of("0123456789", id + 3) == std::string::npos;
  const size_t end = numbered ? id : name.find_last_not_of("0123456789_-.") + 1;
  return Legal(end == 0 ? name : name.substr(0, end));
}

std::string SecondsText(double seconds) {
  std::string text = absl::StrFormat("%.3f", std::min(seconds, kMostSleepSeconds));
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

absl::Status CheckOptions(const WfCommonsOptions& options) {
  if (!std::isfinite(options.scale) || options.scale < 0) return absl::InvalidArgumentError("the scale must be a number of at least 0");
  const std::string rest = absl::StrReplaceAll(options.command, {{"{{ name }}", ""}, {"{{ type }}", ""}, {"{{ seconds }}", ""}});
  if (!absl::StrContains(rest, "{{")) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the command has ", OneLine(rest.substr(rest.find("{{")), 32),
                                                 "; what is filled in is {{ name }}, {{ type }} and {{ seconds }}"));
}

class WorkflowMaker {
 public:
  WorkflowMaker(const InstanceReader& instance, const WfCommonsOptions& options, JsonReader* json)
      : instance_(instance), options_(options), json_(*json), needs_(instance.tasks.size()) {}

  v1::WorkflowSpec Make() {
    v1::WorkflowSpec spec;
    spec.set_name(Legal(instance_.name.empty() ? "workflow" : instance_.name));
    ReadReferences();
    for (uint32_t i = 0; i < needs_.size(); ++i) {
      AddEdges(i, instance_.tasks[i].parents, false);
      AddEdges(i, instance_.tasks[i].children, true);
    }
    for (uint32_t i = 0; i < needs_.size(); ++i) AddNode(i, spec.add_nodes());
    for (uint32_t i = 0; i < needs_.size(); ++i) FillNeeds(i, &spec);
    return spec;
  }

 private:
  // A task is meant by its id; by its name, too, as long as no other has it.
  void ReadReferences() {
    const std::vector<ReadTask>& tasks = instance_.tasks;
    for (uint32_t i = 0; i < tasks.size(); ++i) {
      if (tasks[i].id.empty() || indices_.try_emplace(tasks[i].id, i).second) continue;
      json_.Refuse(tasks[i].place, absl::StrCat("a second task with the id '", OneLine(tasks[i].id, kLongestShown), "'"));
    }
    std::unordered_map<std::string, uint32_t> names;
    for (uint32_t i = 0; i < tasks.size(); ++i) {
      const auto [at, is_new] = names.try_emplace(tasks[i].name, i);
      if (!is_new) at->second = kAmbiguous;
    }
    for (const auto& [name, index] : names) {
      if (index == kAmbiguous || name.empty()) continue;
      indices_.try_emplace(name, index);
      named_.insert(index);
    }
  }

  void AddEdges(uint32_t task, const std::vector<std::string>& others, bool are_children) {
    for (const std::string& other : others) {
      const auto found = indices_.find(other);
      if (found == indices_.end()) {
        return json_.Refuse(instance_.tasks[task].place, absl::StrCat("a task with the ", are_children ? "child" : "parent", " '",
                                                                     OneLine(other, kLongestShown), "', which there is not"));
      }
      if (found->second == task) return json_.Refuse(instance_.tasks[task].place, "a task that is its own parent");
      needs_[are_children ? found->second : task].push_back(are_children ? task : found->second);
    }
  }

  void AddNode(uint32_t index, v1::WorkflowNode* node) {
    const ReadTask& task = instance_.tasks[index];
    node->set_name(names_.Give(named_.count(index) > 0 || task.id.empty() ? task.name : task.id));
    const auto found = instance_.seconds_by_id.find(task.id);
    const double seconds = found != instance_.seconds_by_id.end() ? found->second : task.seconds;
    const std::string text = SecondsText(seconds * options_.scale);
    v1::Command* const command = node->mutable_task()->mutable_command();
    if (options_.command.empty()) {
      command->add_argv("sleep");
      command->add_argv(text);
    } else {
      command->set_shell(true);
      command->add_argv(absl::StrReplaceAll(options_.command, {{"{{ name }}", node->name()}, {"{{ type }}", TypeOf(task)}, {"{{ seconds }}", text}}));
    }
  }

  void FillNeeds(uint32_t index, v1::WorkflowSpec* spec) {
    std::vector<uint32_t>& needs = needs_[index];
    std::sort(needs.begin(), needs.end());
    needs.erase(std::unique(needs.begin(), needs.end()), needs.end());
    v1::WorkflowNode* const node = spec->mutable_nodes(static_cast<int>(index));
    for (const uint32_t need : needs) node->add_needs()->set_node(spec->nodes(static_cast<int>(need)).name());
  }

  const InstanceReader& instance_;
  const WfCommonsOptions& options_;
  JsonReader& json_;  // for refusals
  std::unordered_map<std::string, uint32_t> indices_;
  std::unordered_set<uint32_t> named_;  // tasks whose name is theirs alone
  std::vector<std::vector<uint32_t>> needs_;
  NodeNames names_;
};

// As it is when YAML takes it for a text and for nothing else.
std::string YamlWord(const std::string& word) {
  static const auto* const words = new std::unordered_set<std::string>{"true", "false", "yes", "no", "on", "off", "y", "n", "null"};
  const auto plain = [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.'; };
  const bool is_text = !word.empty() && (absl::ascii_isalpha(static_cast<unsigned char>(word[0])) || word[0] == '_') &&
                       std::all_of(word.begin(), word.end(), plain) && words->count(absl::AsciiStrToLower(word)) == 0;
  if (is_text) return word;
  std::string quoted = "\"";
  for (const char c : word) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      absl::StrAppend(&quoted, absl::StrFormat("\\x%02x", static_cast<unsigned char>(c)));
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string YamlList(const std::vector<std::string>& words) {
  return absl::StrCat("[", absl::StrJoin(words, ", ", [](std::string* out, const std::string& word) { out->append(YamlWord(word)); }), "]");
}

}  // namespace

absl::StatusOr<v1::WorkflowSpec> ImportWfCommons(const std::string& name, std::string_view text, const WfCommonsOptions& options) {
  MUSTER_RETURN_IF_ERROR(CheckOptions(options));
  JsonReader json(OneLine(name, kAnyWidth), text);
  InstanceReader instance(&json);
  instance.Read();
  MUSTER_RETURN_IF_ERROR(json.status());
  if (instance.tasks.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        OneLine(name, kAnyWidth), ": has no tasks; a WfCommons instance has them in workflow.specification.tasks, or workflow.tasks"));
  }
  v1::WorkflowSpec spec = WorkflowMaker(instance, options, &json).Make();
  MUSTER_RETURN_IF_ERROR(json.status());
  const absl::Status status = convert::MakeWorkflowGraph(spec).status();
  if (status.ok()) return spec;
  return absl::InvalidArgumentError(absl::StrCat(OneLine(name, kAnyWidth), ": ", status.message()));
}

std::string WorkflowFileText(const v1::WorkflowSpec& workflow) {
  std::string text = absl::StrCat("name: ", YamlWord(workflow.name()), "\ntasks:\n");
  for (const v1::WorkflowNode& node : workflow.nodes()) {
    const v1::Command& command = node.task().command();
    absl::StrAppend(&text, "  ", YamlWord(node.name()), ":\n");
    if (command.shell()) {
      absl::StrAppend(&text, "    run: ", YamlWord(command.argv().empty() ? "" : command.argv(0)), "\n");
    } else {
      absl::StrAppend(&text, "    command: {argv: ", YamlList({command.argv().begin(), command.argv().end()}), "}\n");
    }
    if (node.needs().empty()) continue;
    std::vector<std::string> needs;
    for (const v1::Need& need : node.needs()) needs.push_back(need.node());
    absl::StrAppend(&text, "    needs: ", YamlList(needs), "\n");
  }
  return text;
}

}  // namespace muster::cli
