// Lists: pages of tasks by sequence, newest first, and the tokens that go from one page to the next.
#include <algorithm>
#include <functional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "common/base/id_text.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"
#include "master/request_handler/task_reader.h"

namespace muster::handler {
namespace {

constexpr size_t kDefaultPage = 100;
constexpr size_t kMostChunks = 16;  // of one call: the rest comes with the next page
constexpr size_t kPageBytes = 2 << 20;
constexpr size_t kTokenDigestDigits = 12;

bool WantsOpen(const v1::TaskFilter& filter) {
  if (filter.states_size() == 0) return true;
  return std::any_of(filter.states().begin(), filter.states().end(), [](int state) {
    return !IsTerminal(convert::FromProto(static_cast<v1::TaskState>(state)));
  });
}

bool WantsFinished(const v1::TaskFilter& filter) {
  if (filter.states_size() == 0) return filter.include_finished();
  return std::any_of(filter.states().begin(), filter.states().end(), [](int state) {
    return IsTerminal(convert::FromProto(static_cast<v1::TaskState>(state)));
  });
}

store::TaskQuery QueryOf(const v1::TaskFilter& filter, const std::vector<TaskRange>& ranges) {
  store::TaskQuery query;
  query.ranges = ranges;
  query.include_open = WantsOpen(filter);
  query.include_finished = WantsFinished(filter);
  for (const int state : filter.states()) {
    const TaskState wanted = convert::FromProto(static_cast<v1::TaskState>(state));
    if (IsTerminal(wanted)) query.finished_states.push_back(wanted);
  }
  query.queue = filter.queue();
  query.owner = filter.owner();
  for (const v1::Label& label : filter.labels()) query.labels.emplace_back(label.key(), label.value());
  return query;
}

std::string FilterDigest(const v1::TaskFilter& filter) {
  return DigestToHex(Sha256::Of(filter.SerializeAsString())).substr(0, kTokenDigestDigits);
}

}  // namespace

bool StateMatches(const v1::TaskFilter& filter, TaskState state) {
  if (filter.states_size() == 0) return filter.include_finished() || !IsTerminal(state);
  return std::find(filter.states().begin(), filter.states().end(), static_cast<int>(state)) != filter.states().end();
}

bool SpecMatches(const v1::TaskFilter& filter, const TaskSpec& spec) {
  if (!filter.queue().empty() && spec.queue != filter.queue()) return false;
  if (!filter.owner().empty() && spec.owner != filter.owner()) return false;
  return std::all_of(filter.labels().begin(), filter.labels().end(), [&spec](const v1::Label& label) {
    return std::find(spec.labels.begin(), spec.labels.end(), std::make_pair(label.key(), label.value())) !=
           spec.labels.end();
  });
}

absl::Status CheckFilter(const v1::TaskFilter& filter, const TaskLimits& limits) {
  if (static_cast<size_t>(filter.selectors_size()) > limits.selectors) {
    return RefuseField("BAD_FILTER", "filter.selectors", absl::StrCat("has more than ", limits.selectors, " entries"));
  }
  for (const int state : filter.states()) {
    if (!v1::TaskState_IsValid(state) || state == v1::TASK_STATE_UNSPECIFIED) {
      return RefuseField("BAD_FILTER", "filter.states", absl::StrCat(state, " is no state"));
    }
  }
  if (static_cast<size_t>(filter.labels_size()) > limits.labels) {
    return RefuseField("BAD_FILTER", "filter.labels", absl::StrCat("has more than ", limits.labels, " entries"));
  }
  return absl::OkStatus();
}

std::string PageToken(TaskId next, const v1::TaskFilter& filter) {
  return absl::StrCat(IdToText(next.value()), "-", FilterDigest(filter));
}

absl::StatusOr<TaskId> ParsePageToken(const std::string& token, const v1::TaskFilter& filter) {
  const size_t dash = token.find('-');
  const auto id = TextToId(std::string_view(token).substr(0, dash));
  if (dash == std::string::npos || !id || *id == 0) {
    return RefuseField("BAD_PAGE_TOKEN", "page_token", "is not one that an earlier answer gave");
  }
  if (token.substr(dash + 1) != FilterDigest(filter)) {
    return RefuseField("BAD_PAGE_TOKEN", "page_token", "belongs to another filter; begin again without it");
  }
  return TaskId(*id);
}

absl::StatusOr<TaskReader::Page> TaskReader::ReadChunk(const store::TaskQuery& query, const v1::TaskFilter& filter) {
  MUSTER_ASSIGN_OR_RETURN(const store::TaskScan scan, context_->deps.store->ScanTasks(query));
  const std::vector<store::StoredTask>& rows = scan.tasks;
  std::vector<TaskId> open_ids;
  for (const store::StoredTask& row : rows) {
    if (!row.outcome) open_ids.push_back(row.id);
  }
  MUSTER_ASSIGN_OR_RETURN(OpenNotes open, AskOpen(std::move(open_ids)));
  absl::flat_hash_map<TaskId, TaskNote*> open_by_id;
  for (TaskNote& note : open.notes) open_by_id.emplace(note.id, &note);

  Page page{.unreadable = scan.unreadable, .turn = open.turn, .commit = open.commit};
  for (const store::StoredTask& row : rows) {
    TaskNote note;
    if (row.outcome) {
      note = NoteOf(row);
    } else if (const auto it = open_by_id.find(row.id); it != open_by_id.end()) {
      note = std::move(*it->second);
      note.commit = row.commit.value();
    } else {
      // It ended between the two questions.
      const absl::StatusOr<std::optional<store::StoredTask>> again = context_->deps.store->FindTask(row.id);
      if (!again.ok() && !absl::IsDataLoss(again.status())) return again.status();
      if (!again.ok()) page.unreadable.push_back(row.id);
      if (!again.ok() || !*again || !(*again)->outcome) continue;
      note = NoteOf(**again);
    }
    if (StateMatches(filter, note.state)) page.notes.push_back(std::move(note));
  }
  std::sort(page.unreadable.begin(), page.unreadable.end(), std::greater<>());
  page.next = scan.resume_before;
  return page;
}

absl::StatusOr<TaskReader::Page> TaskReader::ReadPage(const v1::TaskFilter& filter,
                                                      const std::vector<TaskRange>& ranges, TaskId before,
                                                      size_t limit) {
  store::TaskQuery query = QueryOf(filter, ranges);
  query.before = before;
  query.limit = limit;
  Page page;
  for (size_t chunk = 0; chunk < kMostChunks; ++chunk) {
    MUSTER_ASSIGN_OR_RETURN(Page more, ReadChunk(query, filter));
    page.unreadable.insert(page.unreadable.end(), more.unreadable.begin(), more.unreadable.end());
    if (page.notes.empty()) {
      more.unreadable = std::move(page.unreadable);
      page = std::move(more);
    } else {
      std::move(more.notes.begin(), more.notes.end(), std::back_inserter(page.notes));
      page.next = more.next;
    }
    if (!page.next || page.notes.size() + page.unreadable.size() >= limit) break;
    query.before = page.next;
  }
  // A second chunk may have brought too much; what is over comes again with the next page.
  if (page.notes.size() > limit) {
    page.notes.resize(limit);
    EndPageAt(page.notes.back().id, &page);
  }
  return page;
}

void TaskReader::EndPageAt(TaskId last, Page* page) {
  page->next = last;
  const auto past = std::find_if(page->unreadable.begin(), page->unreadable.end(), [last](TaskId id) { return id < last; });
  page->unreadable.erase(past, page->unreadable.end());
}

absl::StatusOr<v1::ListResponse> TaskReader::List(const v1::ListRequest& request) {
  const TaskLimits& limits = context_->deps.limits;
  if (request.page_size() < 0) return RefuseField("BAD_FILTER", "page_size", "is negative");
  MUSTER_RETURN_IF_ERROR(CheckFilter(request.filter(), limits));
  TaskId before;
  if (!request.page_token().empty()) {
    MUSTER_ASSIGN_OR_RETURN(before, ParsePageToken(request.page_token(), request.filter()));
  }
  MUSTER_ASSIGN_OR_RETURN(const std::vector<TaskRange> ranges,
                          context_->selectors.ResolveAll(request.filter().selectors(), Purpose::kRead));
  const size_t asked = request.page_size() == 0 ? kDefaultPage : static_cast<size_t>(request.page_size());
  const size_t limit = std::min(asked, static_cast<size_t>(limits.page_size));
  MUSTER_ASSIGN_OR_RETURN(Page page, ReadPage(request.filter(), ranges, before, limit));

  v1::ListResponse response;
  SpecCache specs;
  size_t bytes = 0;
  for (size_t i = 0; i < page.notes.size(); ++i) {
    v1::Task* task = response.add_tasks();
    ViewNote(page.notes[i], Detail::kList, &specs, task);
    bytes += task->ByteSizeLong();
    if (bytes > kPageBytes && i + 1 < page.notes.size()) {
      EndPageAt(page.notes[i].id, &page);
      break;
    }
  }
  for (const TaskId id : page.unreadable) response.add_unreadable_task_ids(IdToText(id.value()));
  if (page.next) response.set_next_page_token(PageToken(page.next, request.filter()));
  return response;
}

}  // namespace muster::handler
