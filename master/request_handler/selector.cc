#include "master/request_handler/selector.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "master/request_handler/ask_loop.h"
#include "master/request_handler/limits.h"
#include "master/request_handler/names.h"
#include "master/request_handler/no_such_task.h"

namespace muster::handler {
namespace {

constexpr size_t kLongestShown = 160;

std::string Shown(std::string_view text) {
  std::string shown(text.substr(0, kLongestShown));
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  }
  return shown;
}

absl::Status BadSelector(std::string_view text, const char* why) {
  return RefuseField("BAD_SELECTOR", "selector", absl::StrCat("'", Shown(text), "' ", why));
}

absl::Status NoSuchThing(const std::string& text) {
  return Refuse(absl::StatusCode::kNotFound, "NO_SUCH_TASK",
                absl::StrCat("no task ", Shown(text), "; `muster ps -a` lists them"));
}

bool Take(std::string_view prefix, std::string_view* text) {
  if (text->substr(0, prefix.size()) != prefix) return false;
  text->remove_prefix(prefix.size());
  return true;
}

bool Contains(const std::vector<TaskRange>& ranges, TaskId id) {
  return std::any_of(ranges.begin(), ranges.end(), [id](const TaskRange& range) {
    return id >= range.first && id.value() - range.first.value() < range.count;
  });
}

}  // namespace

absl::StatusOr<Selector> ParseSelector(std::string_view text) {
  Selector selector;
  selector.text = std::string(text);
  if (Take("id:", &text)) selector.may_be_name = false;
  else if (Take("name:", &text)) selector.may_be_id = false;
  if (const size_t slash = text.find('/'); slash != std::string_view::npos) {
    const std::string_view index = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(index.data(), index.data() + index.size(), selector.index);
    if (error != std::errc() || end != index.data() + index.size() || selector.index == 0) {
      return BadSelector(selector.text, "must have a number from 1 on after the slash, as in BATCH/17");
    }
    text = text.substr(0, slash);
  }
  if (!IsName(text, kLongestName)) {
    return BadSelector(selector.text, "is neither an id, nor BATCH/NUMBER, nor a name of [A-Za-z0-9._-]");
  }
  selector.word = std::string(text);
  if (selector.may_be_id) selector.id = TextToId(text);
  if (!selector.may_be_name && !selector.id) return BadSelector(selector.text, "is no id");
  return selector;
}

uint64_t Selection::count() const {
  uint64_t count = 0;
  for (const TaskRange& range : ranges) count += range.count;
  return count;
}

absl::StatusOr<Selection> SelectorResolver::Resolve(std::string_view text, Purpose purpose) {
  MUSTER_ASSIGN_OR_RETURN(const Selector selector, ParseSelector(text));
  std::optional<Selection> found;
  if (selector.id) {
    MUSTER_ASSIGN_OR_RETURN(found, ById(*selector.id));
  }
  if (selector.may_be_name) {
    MUSTER_ASSIGN_OR_RETURN(std::optional<Selection> named, ByName(selector, purpose));
    if (found && named && found->ranges != named->ranges) {
      return Refuse(absl::StatusCode::kFailedPrecondition, "AMBIGUOUS_NAME",
                    absl::StrCat(selector.word, " is an id and a name; say id:", selector.word, " or name:",
                                 selector.word));
    }
    if (!found) found = std::move(named);
  }
  if (!found && selector.id && TaskId(*selector.id) < store_->next_id()) return NoSuchTask(*store_, TaskId(*selector.id));
  if (!found) return NoSuchThing(selector.text);
  return selector.index == 0 ? *std::move(found) : Pick(*std::move(found), selector);
}

absl::StatusOr<std::optional<Selection>> SelectorResolver::ById(uint64_t id) {
  MUSTER_ASSIGN_OR_RETURN(const std::optional<store::StoredTask> task, store_->FindTask(TaskId(id)));
  if (task) return Selection{.ranges = {{TaskId(id), 1}}};
  absl::StatusOr<std::vector<TaskRange>> ranges = store_->BatchRanges(TaskId(id));
  if (absl::IsNotFound(ranges.status()) || (ranges.ok() && ranges->empty())) return std::nullopt;
  if (!ranges.ok()) return std::move(ranges).status();
  return Selection{.ranges = *std::move(ranges), .batch = TaskId(id)};
}

absl::StatusOr<std::optional<Selection>> SelectorResolver::ByName(const Selector& selector, Purpose purpose) {
  MUSTER_ASSIGN_OR_RETURN(const std::vector<TaskId> newest, store_->FindByName(selector.word, 1));
  if (newest.empty()) return std::nullopt;
  if (purpose == Purpose::kRead) return ThingOf(newest.front());

  using Ids = std::vector<TaskId>;
  MUSTER_ASSIGN_OR_RETURN(const Ids open, AskLoop<Ids>(inspector_, inspect_wait_,
                                                       [name = selector.word](const core::ClusterCore& core) {
                                                         return core.OpenTasksNamed(name);
                                                       }));
  MUSTER_ASSIGN_OR_RETURN(Selection thing, ThingOf(open.empty() ? newest.front() : open.front()));
  for (const TaskId id : open) {
    if (Contains(thing.ranges, id)) continue;
    return Refuse(absl::StatusCode::kFailedPrecondition, "AMBIGUOUS_NAME",
                  absl::StrCat("several open tasks are named ", selector.word, ", among them ",
                               IdToText(open.front().value()), " and ", IdToText(id.value()), "; say which by its id"));
  }
  return thing;
}

absl::StatusOr<Selection> SelectorResolver::ThingOf(TaskId id) {
  MUSTER_ASSIGN_OR_RETURN(const std::optional<store::StoredTask> task, store_->FindTask(id));
  if (!task || !task->specification.batch) {
    if (task) return Selection{.ranges = {{id, 1}}};
    // The store may name a batch by its own id.
    MUSTER_ASSIGN_OR_RETURN(std::vector<TaskRange> ranges, store_->BatchRanges(id));
    return Selection{.ranges = std::move(ranges), .batch = id};
  }
  const TaskId batch = task->specification.batch;
  MUSTER_ASSIGN_OR_RETURN(std::vector<TaskRange> ranges, store_->BatchRanges(batch));
  return Selection{.ranges = std::move(ranges), .batch = batch};
}

absl::StatusOr<Selection> SelectorResolver::Pick(Selection batch, const Selector& selector) {
  if (!batch.batch) {
    return Refuse(absl::StatusCode::kNotFound, "NO_SUCH_TASK",
                  absl::StrCat(Shown(selector.word), " is a single task, not a batch"));
  }
  uint64_t left = selector.index - 1;
  for (const TaskRange& range : batch.ranges) {
    if (left < range.count) return Selection{.ranges = {{TaskId(range.first.value() + left), 1}}};
    left -= range.count;
  }
  return Refuse(absl::StatusCode::kNotFound, "NO_SUCH_TASK",
                absl::StrCat("batch ", Shown(selector.word), " has ", batch.count(), " tasks, none numbered ",
                             selector.index));
}

void SelectorResolver::AddRanges(const Selection& selection, std::vector<TaskRange>* ranges) {
  for (const TaskRange& range : selection.ranges) {
    if (std::find(ranges->begin(), ranges->end(), range) == ranges->end()) ranges->push_back(range);
  }
}

}  // namespace muster::handler
