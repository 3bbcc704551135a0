// What `muster submit -f` reads: JSON, JSON lines or YAML.
//
// Claims: a refusal is one line; a task that was read prints as JSON and as YAML that read as the same task.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>

#include "absl/strings/str_cat.h"
#include "cli/task_input.h"
#include "cli/yaml.h"
#include "tests/fuzz/fuzz.h"

namespace muster::fuzz {
namespace {

constexpr size_t kMostTasks = 64;

absl::StatusOr<std::vector<v1::TaskSpec>> ReadTasks(std::string_view text) {
  const int fd = memfd_create("tasks", MFD_CLOEXEC);
  MUSTER_CLAIM(fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()), "");
  lseek(fd, 0, SEEK_SET);
  cli::TaskReader reader(fd, "tasks");
  std::vector<v1::TaskSpec> tasks;
  absl::StatusOr<bool> more = true;
  while (tasks.size() < kMostTasks) {
    v1::TaskSpec spec;
    more = reader.Next(&spec);
    if (!more.ok() || !*more) break;
    tasks.push_back(std::move(spec));
  }
  close(fd);
  if (!more.ok()) return more.status();
  return tasks;
}

void CheckReadsAs(const v1::TaskSpec& task, const std::string& text) {
  const absl::StatusOr<std::vector<v1::TaskSpec>> again = ReadTasks(text);
  MUSTER_CLAIM(again.ok(), absl::StrCat(again.status().ToString(), "\n", text));
  MUSTER_CLAIM(again->size() == 1 && google::protobuf::util::MessageDifferencer::Equals(again->front(), task),
               absl::StrCat(text, "\n", task.ShortDebugString(), "\n",
                            again->empty() ? "nothing" : again->front().ShortDebugString()));
}

}  // namespace
}  // namespace muster::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace muster;
  const absl::StatusOr<std::vector<v1::TaskSpec>> tasks =
      fuzz::ReadTasks(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!tasks.ok()) {
    MUSTER_CLAIM(fuzz::IsOneLine(std::string(tasks.status().message())), tasks.status().ToString());
    return 0;
  }
  for (const v1::TaskSpec& task : *tasks) {
    std::string json;
    google::protobuf::util::JsonPrintOptions options;
    options.preserve_proto_field_names = true;
    const auto printed = google::protobuf::util::MessageToJsonString(task, &json, options);
    MUSTER_CLAIM(printed.ok(), absl::StrCat(printed.ToString(), task.ShortDebugString()));
    fuzz::CheckReadsAs(task, json);
    fuzz::CheckReadsAs(task, cli::JsonToYaml(json));
  }
  return 0;
}
