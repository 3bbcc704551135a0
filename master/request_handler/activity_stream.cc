#include "master/request_handler/activity_stream.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "common/base/refusal.h"
#include "common/convert/convert.h"
#include "master/request_handler/selector.h"

namespace muster::handler {
namespace {

constexpr size_t kPageRecords = 1000;  // or one commit's, when it has more
constexpr int kMessageRecords = 1000;

bool Contains(const std::vector<TaskRange>& ranges, TaskId first, uint64_t count) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const TaskRange& range) {
    return first.value() < range.first.value() + range.count && range.first.value() < first.value() + count;
  });
}

bool NamesTask(const activity::Event& event, const std::vector<TaskRange>& ranges) {
  return std::visit(
      [&](const auto& e) {
        if constexpr (requires { e.key; }) {
          return Contains(ranges, e.key.task, 1);
        } else if constexpr (requires { e.task; }) {
          return Contains(ranges, e.task, 1);
        } else if constexpr (requires { e.tasks; }) {
          return Contains(ranges, e.tasks.first, e.tasks.count);
        } else {
          return false;
        }
      },
      event);
}

bool NamesWorker(const activity::Event& event, const std::string& worker) {
  return std::visit(
      [&](const auto& e) {
        if constexpr (requires { e.worker; }) {
          return e.worker == worker;
        } else {
          return false;
        }
      },
      event);
}

}  // namespace

bool Matches(const ActivityFilter& filter, const activity::Record& record) {
  if (filter.tasks.has_value() && !NamesTask(record.event, *filter.tasks)) return false;
  return filter.worker.empty() || NamesWorker(record.event, filter.worker);
}

ActivityStream::ActivityStream(Ports ports, const v1::ReadActivityRequest& request)
    : ports_(ports),
      follow_(request.follow()),
      since_(request.has_since() ? convert::FromProto(request.since()) : absl::InfinitePast()),
      selector_(request.task()),
      cursor_(std::max<int64_t>(request.after_commit(), 0)) {
  filter_.worker = request.worker();
}

void ActivityStream::Begin(CommitNumber durable) { NoteCommit(durable); }

void ActivityStream::NoteCommit(CommitNumber commit) {
  absl::MutexLock lock(&mutex_);
  durable_ = std::max(durable_, commit);
  Step();
}

void ActivityStream::OnWritten() {
  absl::MutexLock lock(&mutex_);
  if (unsent_ == 0 || --unsent_ > 0) return;
  busy_ = false;
  Step();
}

void ActivityStream::Send(std::vector<v1::ReadActivityResponse> messages) {
  {
    absl::MutexLock lock(&mutex_);
    unsent_ = messages.size();
    if (unsent_ == 0) {
      busy_ = false;
      Step();
      return;
    }
  }
  for (v1::ReadActivityResponse& message : messages) {
    if (Push(std::move(message)) || over()) continue;
    End(absl::ResourceExhaustedError("one commit's records are more than the reader can take at once"));
  }
}

void ActivityStream::Step() {
  if (busy_ || over()) return;
  if (cursor_ >= durable_) {
    if (!follow_) End(absl::OkStatus());
    return;
  }
  busy_ = true;
  if (!ports_.pool->PostAlways([self = Self(), target = durable_] { self->ReadPage(target); })) {
    End(Refuse(absl::StatusCode::kUnavailable, "MASTER_STOPPING", "the master is stopping"));
  }
}

void ActivityStream::ReadPage(CommitNumber target) {
  if (const absl::Status resolved = ResolveTask(); !resolved.ok()) {
    End(resolved);
    return;
  }
  CommitNumber after;
  {
    absl::MutexLock lock(&mutex_);
    after = cursor_;
  }
  const auto entries = ports_.store->ReadActivity(after, since_, kPageRecords);
  if (!entries.ok()) {
    End(entries.status());
    return;
  }
  std::vector<v1::ReadActivityResponse> messages;
  for (const store::ActivityEntry& entry : *entries) {
    if (!Matches(filter_, entry.record)) continue;
    if (messages.empty() || messages.back().records_size() >= kMessageRecords) messages.emplace_back();
    v1::ActivityRecord* record = messages.back().add_records();
    convert::ToProto(entry.record, record);
    record->set_commit(entry.commit.value());
    record->set_index(entry.index);
  }
  {
    absl::MutexLock lock(&mutex_);
    cursor_ = entries->empty() ? target : std::max(cursor_, entries->back().commit);
  }
  Send(std::move(messages));
}

absl::Status ActivityStream::ResolveTask() {
  if (resolved_ || selector_.empty()) return absl::OkStatus();
  auto selection = SelectorResolver(ports_.store, ports_.inspector, ports_.inspect_wait).Resolve(selector_, Purpose::kRead);
  if (!selection.ok()) return selection.status();
  filter_.tasks = std::move(selection->ranges);
  resolved_ = true;
  return absl::OkStatus();
}

}  // namespace muster::handler
