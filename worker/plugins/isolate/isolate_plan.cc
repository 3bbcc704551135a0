#include "worker/plugins/isolate/isolate_plan.h"

#include <cstdlib>
#include <utility>

namespace muster::isolate {
namespace {

// Names and values in turn, each ended by a NUL, which none of them can hold.
class Writer {
 public:
  void Text(const char* name, const std::string& value) {
    bytes_ += name;
    bytes_ += '\0';
    bytes_ += value;
    bytes_ += '\0';
  }
  void Number(const char* name, int64_t value) { Text(name, std::to_string(value)); }
  void Texts(const char* name, const std::vector<std::string>& values) {
    for (const std::string& value : values) Text(name, value);
  }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

bool TakeWord(std::string_view* bytes, std::string* word) {
  const size_t end = bytes->find('\0');
  if (end == std::string_view::npos) return false;
  *word = bytes->substr(0, end);
  bytes->remove_prefix(end + 1);
  return true;
}

bool Assign(const std::string& name, std::string value, Plan* plan) {
  const std::pair<const char*, std::vector<std::string>*> lists[] = {{"argument", &plan->arguments},
                                                                     {"environment", &plan->environment},
                                                                     {"candidate", &plan->candidates},
                                                                     {"hidden", &plan->hidden}};
  for (const auto& [key, list] : lists) {
    if (name == key) return list->push_back(std::move(value)), true;
  }
  const std::pair<const char*, std::string*> texts[] = {
      {"directory", &plan->directory}, {"task_directory", &plan->task_directory}, {"work_dir", &plan->work_dir}};
  for (const auto& [key, text] : texts) {
    if (name == key) return *text = std::move(value), true;
  }
  const int64_t number = strtoll(value.c_str(), nullptr, 10);
  const std::pair<const char*, int64_t*> numbers[] = {
      {"uid", &plan->uid}, {"gid", &plan->gid}, {"tmp_bytes", &plan->tmp_bytes}};
  for (const auto& [key, place] : numbers) {
    if (name == key) return *place = number, true;
  }
  if (name == "user_namespace") return plan->user_namespace = number != 0, true;
  if (name == "no_network") return plan->no_network = number != 0, true;
  return false;
}

}  // namespace

std::string Plan::Write() const {
  Writer writer;
  writer.Texts("argument", arguments);
  writer.Texts("environment", environment);
  writer.Texts("candidate", candidates);
  writer.Text("directory", directory);
  writer.Text("task_directory", task_directory);
  writer.Text("work_dir", work_dir);
  writer.Texts("hidden", hidden);
  writer.Number("uid", uid);
  writer.Number("gid", gid);
  writer.Number("user_namespace", user_namespace ? 1 : 0);
  writer.Number("no_network", no_network ? 1 : 0);
  writer.Number("tmp_bytes", tmp_bytes);
  return writer.Take();
}

bool Plan::Read(std::string_view bytes) {
  *this = Plan();
  while (!bytes.empty()) {
    std::string name, value;
    if (!TakeWord(&bytes, &name) || !TakeWord(&bytes, &value) || !Assign(name, std::move(value), this)) return false;
  }
  return !arguments.empty();
}

const char* StepName(Step step) {
  switch (step) {
    case Step::kPlan: return "reading what to isolate";
    case Step::kNamespaces: return "making namespaces";
    case Step::kView: return "making its view of the files";
    case Step::kNetwork: return "making its network";
    case Step::kUser: return "becoming its user";
    case Step::kFilter: return "filtering its system calls";
    case Step::kDirectory: return "entering its working directory";
    case Step::kExec: return "exec";
  }
  return "?";
}

}  // namespace muster::isolate
