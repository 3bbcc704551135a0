// A task as the API shows it.
//
// Three sizes: kFull for `get` (the whole specification, every attempt); kList for lists and watchers (without input,
// script, environment and parameters; the newest attempt alone); kBrief for attached readers, as kList but without the
// values that it wrote, and without the specification for a batch's tasks, which are many and share it.
// Where the row is known, a batch's task shows its command with its arguments put in.
//
// Thread rule: pure functions; a SpecCache is used by one thread at a time.
#pragma once

#include "absl/container/flat_hash_map.h"
#include "master/request_handler/task_note.h"
#include "master/store/store.h"
#include "muster/v1/task.pb.h"

namespace muster::handler {

enum class Detail { kFull, kList, kBrief };

// Parses each specification once for a page of tasks that share it.
class SpecCache {
 public:
  const v1::TaskSpec& Get(const TaskSpecPtr& spec);

 private:
  absl::flat_hash_map<const TaskSpec*, std::pair<TaskSpecPtr, std::unique_ptr<v1::TaskSpec>>> specs_;
};

void ViewNote(const TaskNote& note, Detail detail, SpecCache* specs, v1::Task* to);

// Every attempt that the store knows of, oldest first; the note tells what only the core knows of the current one.
void ViewAttempts(const store::StoredTask& task, const TaskNote& note, v1::Task* to);

// Puts a batch row's values into the template: what the worker does, for people to read and for Retry.
void FillTemplate(const std::vector<std::string>& row, uint64_t index, v1::TaskSpec* spec);

}  // namespace muster::handler
