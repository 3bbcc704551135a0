#include "master/store/activity_packing.h"

#include <utility>
#include <variant>

#include "master/store/packing.h"

namespace muster::store {
namespace {

using namespace activity;  // the records are this file's whole subject

// The fields of each record, in the order in which they are stored. New ones go to the end.
template <typename Archive> void Fields(Archive& archive, const MasterStarted&, auto& event) {
  archive(event.epoch);
  archive(event.last_end_clean);
  archive(event.open_task_count);
  archive(event.version);
}
template <typename Archive> void Fields(Archive& archive, const MasterStopped&, auto& event) {
  archive(event.reason);
}
template <typename Archive> void Fields(Archive& archive, const TaskAccepted&, auto& event) {
  archive(event.tasks);
  archive(event.batch);
  archive(event.owner);
  archive(event.queue);
}
template <typename Archive> void Fields(Archive& archive, const TaskStateChanged&, auto& event) {
  archive(event.task);
  archive(event.state);
  archive(event.reason);
}
template <typename Archive> void Fields(Archive& archive, const AttemptDispatched&, auto& event) {
  archive(event.key);
  archive(event.worker);
}
template <typename Archive> void Fields(Archive& archive, const AttemptStarted&, auto& event) {
  archive(event.key);
  archive(event.worker);
}
template <typename Archive> void Fields(Archive& archive, const AttemptEnded&, auto& event) {
  archive(event.key);
  archive(event.worker);
  archive(event.reason);
  archive(event.code);
  archive(event.message);
}
template <typename Archive> void Fields(Archive& archive, const TaskEnded&, auto& event) {
  archive(event.key);
  archive(event.state);
  archive(event.reason);
  archive(event.code);
  archive(event.message);
}
template <typename Archive> void Fields(Archive& archive, const CancelRequested&, auto& event) {
  archive(event.task);
  archive(event.by);
  archive(event.reason);
}
template <typename Archive> void Fields(Archive& archive, const WorkerJoined&, auto& event) {
  archive(event.worker);
  archive(event.incarnation);
  archive(event.address);
  archive(event.slots);
}
template <typename Archive> void Fields(Archive& archive, const WorkerStateChanged&, auto& event) {
  archive(event.worker);
  archive(event.state);
  archive(event.reason);
}
template <typename Archive> void Fields(Archive& archive, const WorkerLost&, auto& event) {
  archive(event.worker);
  archive(event.incarnation);
  archive(event.reason);
}
template <typename Archive> void Fields(Archive& archive, const RequestsRefused&, auto& event) {
  archive(event.cause);
  archive(event.by);
  archive(event.count);
}
template <typename Archive> void Fields(Archive& archive, const StaleReport&, auto& event) {
  archive(event.key);
  archive(event.worker);
  archive(event.note);
}
template <typename Archive> void Fields(Archive& archive, const TasksPurged&, auto& event) {
  archive(event.by);
  archive(event.ended_before);
  archive(event.count);
}
template <typename Archive> void Fields(Archive& archive, const QueueChanged&, auto& event) {
  archive(event.queue);
  archive(event.what);
  archive(event.by);
}
template <typename Archive> void Fields(Archive& archive, const PlacementChanged&, auto& event) {
  archive(event.what);
  archive(event.by);
}
template <typename Archive> void Fields(Archive& archive, const ScheduleChanged&, auto& event) {
  archive(event.schedule);
  archive(event.what);
  archive(event.by);
}
template <typename Archive> void Fields(Archive& archive, const ScheduleDecided&, auto& event) {
  archive(event.schedule);
  archive(event.due);
  archive(event.task);
  archive(event.what);
}
template <typename Archive> void Fields(Archive& archive, const WorkflowStateChanged&, auto& event) {
  archive(event.workflow);
  archive(event.state);
  archive(event.reason);
}

// The kind is the event's place in the variant, so kinds are only ever added at its end.
template <size_t kIndex = 0>
bool UnpackEvent(size_t kind, Unpacker& unpacker, Event* event) {
  if constexpr (kIndex < std::variant_size_v<Event>) {
    if (kind != kIndex) return UnpackEvent<kIndex + 1>(kind, unpacker, event);
    auto& alternative = event->emplace<kIndex>();
    Fields(unpacker, alternative, alternative);
    return true;
  } else {
    return false;
  }
}

}  // namespace

void PackActivity(const std::vector<Record>& records, std::string* out) {
  std::string packed;
  absl::Time before = absl::UnixEpoch();
  for (const Record& record : records) {
    packed.clear();
    Packer packer(&packed);
    packer.Unsigned(record.event.index());
    packer(record.time - before);
    before = record.time;
    std::visit([&packer](const auto& event) { Fields(packer, event, event); }, record.event);
    Packer(out).Bytes(packed);
  }
}

std::optional<std::vector<Record>> UnpackActivity(std::string_view bytes) {
  std::vector<Record> records;
  absl::Time time = absl::UnixEpoch();
  Unpacker all(bytes);
  while (!all.done()) {
    Unpacker one(all.Bytes());
    if (!all.ok()) return std::nullopt;
    const uint64_t kind = one.Unsigned();
    time += absl::Nanoseconds(one.Signed());
    Record record{time, {}};
    const bool known = UnpackEvent(kind, one, &record.event);
    if (!one.ok()) return std::nullopt;
    if (known) records.push_back(std::move(record));
  }
  return records;
}

}  // namespace muster::store
