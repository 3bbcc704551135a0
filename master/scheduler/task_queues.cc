#include "master/scheduler/task_queues.h"

#include <algorithm>
#include <compare>
#include <limits>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "common/base/check.h"
#include "master/scheduler/class_table.h"
#include "master/scheduler/stride_turns.h"

namespace muster::scheduler {
namespace {

constexpr int32_t kMaxPriority = 100;
constexpr int64_t kMaxSinceNanos = int64_t{1} << 62;
constexpr size_t kMaxIdleQueues = 1024;

// Equal for all tasks of a lane but for `since`, so a lane is in the queue's order.
struct Waiting {
  int64_t since_nanos;
  TaskId task;

  friend auto operator<=>(const Waiting&, const Waiting&) = default;
};

// The tasks of one queue, class and priority, in order.
struct Lane {
  QueueIndex queue = 0;
  ClassId cls;
  int32_t priority = 0;
  absl::btree_set<Waiting> tasks;
};

// A lane's first task, in the order of its queue.
struct Head {
  int64_t order;  // since - priority * aging interval
  TaskId task;
  LaneIndex lane;

  friend auto operator<=>(const Head&, const Head&) = default;
};

struct Queue {
  std::string name;
  StrideTurns::Share share;
  bool weight_was_set = false;
  bool blocked = false;
  uint64_t size = 0;
  uint64_t served = 0;
  absl::btree_set<Head> ready;        // of lanes whose class is not parked
  absl::btree_set<LaneIndex> lanes;   // all of them
};

struct Place {
  int64_t since_nanos;
  LaneIndex lane;
};

int64_t SinceNanos(absl::Time since) {
  return std::clamp(absl::ToUnixNanos(since), -kMaxSinceNanos, kMaxSinceNanos);
}

}  // namespace

class TaskQueues::Impl {
 public:
  explicit Impl(absl::Duration aging_interval)
      : aging_nanos_(absl::ToInt64Nanoseconds(
            std::clamp(aging_interval, absl::ZeroDuration(), absl::Hours(24 * 365)))) {}

  // --- Tasks

  void Add(TaskId task, std::string_view queue_name, int32_t priority, const ClassKey& key, absl::Time since) {
    LaneIndex index = LaneFor(QueueNamed(queue_name), classes_.For(key), std::clamp(priority, -kMaxPriority, kMaxPriority));
    Waiting waiting{.since_nanos = SinceNanos(since), .task = task};
    const size_t before = places_.size();
    places_.emplace_hint(places_.end(), task, Place{waiting.since_nanos, index});
    MUSTER_CHECK(places_.size() == before + 1);  // it is new
    Lane& lane = lanes_[index];
    Queue& queue = *queues_[lane.queue];
    bool first = lane.tasks.empty() || waiting < *lane.tasks.begin();
    if (first) Unlist(index);
    lane.tasks.insert(lane.tasks.end(), waiting);
    if (first) List(index);
    if (queue.size++ == 0) turns_.Arrives(&queue.share);
    RefreshTurn(lane.queue);
  }

  bool Remove(TaskId task) {
    auto found = places_.find(task);
    if (found == places_.end()) return false;
    LaneIndex index = found->second.lane;
    QueueIndex queue = lanes_[index].queue;
    Waiting waiting{.since_nanos = found->second.since_nanos, .task = task};
    places_.erase(found);
    RemoveFromLane(index, waiting);
    --queues_[queue]->size;
    RefreshTurn(queue);
    return true;
  }

  bool Contains(TaskId task) const { return places_.contains(task); }

  std::optional<NextTask> Peek() const {
    if (turns_.empty()) return std::nullopt;
    const Head& head = *queues_[turns_.next()]->ready.begin();
    return NextTask{.task = head.task, .cls = lanes_[head.lane].cls};
  }

  void Pop() {
    MUSTER_CHECK(!turns_.empty());
    Queue& queue = *queues_[turns_.next()];
    turns_.Serve(&queue.share);
    ++queue.served;
    Remove(queue.ready.begin()->task);
  }

  // --- Classes

  void Park(ClassId cls, bool held) {
    const ClassTable::Class* const found = classes_.Find(cls);
    if (found == nullptr || found->parked) return;
    for (const auto& lane : found->lanes) Unlist(lane.second);
    classes_.SetParked(cls, true, held);
    for (const auto& lane : found->lanes) RefreshTurn(lane.first.first);
  }

  void Wake(ClassId cls) {
    const ClassTable::Class* const found = classes_.Find(cls);
    if (found == nullptr || !found->parked) return;
    classes_.SetParked(cls, false);
    for (const auto& lane : found->lanes) List(lane.second);
    for (const auto& lane : found->lanes) RefreshTurn(lane.first.first);
  }

  void WakeAll() {
    while (!parked().empty()) Wake(*parked().begin());
  }

  const absl::btree_set<ClassId>& parked() const { return classes_.parked(); }

  const ClassKey& KeyOf(ClassId cls) const { return *classes_.At(cls).key; }

  std::optional<ClassId> ClassOf(TaskId task) const {
    auto found = places_.find(task);
    if (found == places_.end()) return std::nullopt;
    return lanes_[found->second.lane].cls;
  }

  // --- Queues

  void SetWeight(std::string_view name, uint32_t weight) {
    Queue& queue = *queues_[QueueNamed(name)];
    StrideTurns::SetWeight(&queue.share, weight);
    queue.weight_was_set = true;
  }

  void SetBlocked(std::string_view name, bool blocked) {
    const auto found = queue_names_.find(std::string(name));
    if (found == queue_names_.end()) return;
    queues_[found->second]->blocked = blocked;
    RefreshTurn(found->second);
  }

  uint64_t size() const { return places_.size(); }

  uint64_t QueuedIn(std::string_view name) const {
    auto found = queue_names_.find(std::string(name));
    return found == queue_names_.end() ? 0 : queues_[found->second]->size;
  }

  QueueStatus StatusOf(std::string_view name) const {
    const auto found = queue_names_.find(std::string(name));
    return found == queue_names_.end() ? QueueStatus{.name = std::string(name)} : StatusOf(*queues_[found->second]);
  }

  std::vector<QueueStatus> Queues() const {
    std::vector<QueueStatus> all;
    for (const auto& named : queue_names_) {
      const Queue& queue = *queues_[named.second];
      if (queue.size > 0 || queue.weight_was_set) all.push_back(StatusOf(queue));
    }
    return all;
  }

  std::optional<uint64_t> AheadOf(TaskId task, uint64_t limit) const {
    auto found = places_.find(task);
    if (found == places_.end()) return std::nullopt;
    const Lane& own = lanes_[found->second.lane];
    uint64_t ahead = 0;
    VisitBefore(own.queue, {.order = OrderOf(own, found->second.since_nanos), .task = task}, limit,
                [&ahead](const TaskAhead&) { ++ahead; });
    return ahead;
  }

  bool VisitAhead(const QueuePlace& place, size_t limit, const std::function<void(const TaskAhead&)>& visit) const {
    const auto found = queue_names_.find(std::string(place.queue));
    if (found == queue_names_.end()) return true;
    const int32_t priority = std::clamp(place.priority, -kMaxPriority, kMaxPriority);
    const int64_t order = SinceNanos(place.since) - priority * aging_nanos_;
    return VisitBefore(found->second, {.order = order, .task = place.task}, limit, visit);
  }

  void CheckInvariants() const;

 private:
  template <typename Visit>
  bool VisitBefore(QueueIndex queue, const Head& end, size_t limit, const Visit& visit) const {
    size_t lanes = 0;
    size_t shown = 0;
    for (LaneIndex index : queues_[queue]->lanes) {
      const Lane& lane = lanes_[index];
      if (lanes++ == limit) return false;
      for (const Waiting& other : lane.tasks) {
        const int64_t order = OrderOf(lane, other.since_nanos);
        if (order > end.order || (order == end.order && other.task >= end.task)) break;
        if (shown++ == limit) return false;
        visit(TaskAhead{.task = other.task, .cls = lane.cls, .priority = lane.priority});
      }
    }
    return true;
  }

  int64_t OrderOf(const Lane& lane, int64_t since_nanos) const { return since_nanos - lane.priority * aging_nanos_; }

  Head HeadOf(LaneIndex index) const {
    const Waiting& first = *lanes_[index].tasks.begin();
    return Head{.order = OrderOf(lanes_[index], first.since_nanos), .task = first.task, .lane = index};
  }

  bool Listed(const Lane& lane) const { return !lane.tasks.empty() && !classes_.At(lane.cls).parked; }

  void List(LaneIndex index) {
    const Lane& lane = lanes_[index];
    if (Listed(lane)) queues_[lane.queue]->ready.insert(HeadOf(index));
  }

  void Unlist(LaneIndex index) {
    const Lane& lane = lanes_[index];
    if (Listed(lane)) queues_[lane.queue]->ready.erase(HeadOf(index));
  }

  static bool Offers(const Queue& queue) { return !queue.ready.empty() && !queue.blocked; }

  // After any change of what it offers.
  void RefreshTurn(QueueIndex index) {
    Queue& queue = *queues_[index];
    turns_.SetOffers(index, &queue.share, Offers(queue));
  }

  void RemoveFromLane(LaneIndex index, const Waiting& waiting) {
    Lane& lane = lanes_[index];
    bool first = *lane.tasks.begin() == waiting;
    if (first) Unlist(index);
    MUSTER_CHECK(lane.tasks.erase(waiting) == 1);
    if (first) List(index);
    if (lane.tasks.empty()) DropLane(index);
  }

  QueueIndex QueueNamed(std::string_view name_view) {
    std::string name(name_view);
    auto found = queue_names_.find(name);
    if (found != queue_names_.end()) return found->second;
    if (queue_names_.size() >= idle_check_at_) DropIdleQueues();
    QueueIndex index;
    if (free_queues_.empty()) {
      index = static_cast<QueueIndex>(queues_.size());
      queues_.push_back(nullptr);
    } else {
      index = free_queues_.back();
      free_queues_.pop_back();
    }
    queues_[index] = std::make_unique<Queue>();
    queues_[index]->name = name;
    queue_names_.emplace(std::move(name), index);
    return index;
  }

  void DropIdleQueues() {
    for (auto named = queue_names_.begin(); named != queue_names_.end();) {
      const Queue& queue = *queues_[named->second];
      if (queue.size > 0 || queue.weight_was_set) {
        ++named;
        continue;
      }
      queues_[named->second] = nullptr;
      free_queues_.push_back(named->second);
      named = queue_names_.erase(named);
    }
    idle_check_at_ = 2 * queue_names_.size() + kMaxIdleQueues;
  }

  LaneIndex LaneFor(QueueIndex queue, ClassId cls, int32_t priority) {
    auto placed = classes_.At(cls).lanes.try_emplace({queue, priority}, 0);
    if (!placed.second) return placed.first->second;
    LaneIndex index;
    if (free_lanes_.empty()) {
      index = static_cast<LaneIndex>(lanes_.size());
      lanes_.emplace_back();
    } else {
      index = free_lanes_.back();
      free_lanes_.pop_back();
    }
    lanes_[index] = Lane{.queue = queue, .cls = cls, .priority = priority};
    placed.first->second = index;
    queues_[queue]->lanes.insert(index);
    return index;
  }

  void DropLane(LaneIndex index) {
    const Lane& lane = lanes_[index];
    queues_[lane.queue]->lanes.erase(index);
    classes_.RemoveLane(lane.cls, lane.queue, lane.priority);
    lanes_[index] = Lane{};
    free_lanes_.push_back(index);
  }

  QueueStatus StatusOf(const Queue& queue) const {
    QueueStatus status{.name = queue.name, .weight = queue.share.weight, .queued = queue.size, .served = queue.served};
    int64_t oldest = std::numeric_limits<int64_t>::max();
    for (LaneIndex index : queue.lanes) oldest = std::min(oldest, lanes_[index].tasks.begin()->since_nanos);
    if (!queue.lanes.empty()) status.oldest_since = absl::FromUnixNanos(oldest);
    return status;
  }

  const int64_t aging_nanos_;

  absl::btree_map<TaskId, Place> places_;  // by id: who comes is mostly newer, and who leaves is near who left
  std::vector<Lane> lanes_;
  std::vector<LaneIndex> free_lanes_;

  ClassTable classes_;

  absl::btree_map<std::string, QueueIndex> queue_names_;
  std::vector<std::unique_ptr<Queue>> queues_;  // null: free
  std::vector<QueueIndex> free_queues_;
  size_t idle_check_at_ = kMaxIdleQueues;
  StrideTurns turns_;
};

void TaskQueues::Impl::CheckInvariants() const {
  size_t tasks = 0;
  size_t lanes = 0;
  size_t queues_in_turn = 0;
  for (const auto& named : queue_names_) {
    const Queue& queue = *queues_[named.second];
    uint64_t in_queue = 0;
    size_t heads = 0;
    for (LaneIndex index : queue.lanes) {
      const Lane& lane = lanes_[index];
      MUSTER_CHECK(lane.queue == named.second && !lane.tasks.empty());
      MUSTER_CHECK(classes_.At(lane.cls).lanes.at({lane.queue, lane.priority}) == index);
      in_queue += lane.tasks.size();
      if (!Listed(lane)) continue;
      ++heads;
      MUSTER_CHECK(queue.ready.contains(HeadOf(index)));
    }
    MUSTER_CHECK(in_queue == queue.size);
    MUSTER_CHECK(heads == queue.ready.size());
    MUSTER_CHECK(queue.share.in_turn == Offers(queue));
    MUSTER_CHECK(turns_.Agrees(named.second, queue.share));
    tasks += in_queue;
    lanes += queue.lanes.size();
    queues_in_turn += queue.share.in_turn ? 1 : 0;
  }
  MUSTER_CHECK(tasks == places_.size());
  MUSTER_CHECK(queues_in_turn == turns_.size());
  MUSTER_CHECK(lanes + free_lanes_.size() == lanes_.size());
  classes_.CheckInvariants();
  for (const auto& place : places_) {
    MUSTER_CHECK(lanes_[place.second.lane].tasks.contains({place.second.since_nanos, place.first}));
  }
}

TaskQueues::TaskQueues(absl::Duration aging_interval) : impl_(std::make_unique<Impl>(aging_interval)) {}
TaskQueues::~TaskQueues() = default;

void TaskQueues::Add(TaskId task, std::string_view queue, int32_t priority, const ClassKey& key, absl::Time since) {
  impl_->Add(task, queue, priority, key, since);
}
bool TaskQueues::Remove(TaskId task) { return impl_->Remove(task); }
bool TaskQueues::Contains(TaskId task) const { return impl_->Contains(task); }
std::optional<NextTask> TaskQueues::Peek() const { return impl_->Peek(); }
void TaskQueues::Pop() { impl_->Pop(); }
void TaskQueues::Park(ClassId cls) { impl_->Park(cls, false); }
void TaskQueues::Hold(ClassId cls) { impl_->Park(cls, true); }
void TaskQueues::Wake(ClassId cls) { impl_->Wake(cls); }
void TaskQueues::WakeAll() { impl_->WakeAll(); }
const absl::btree_set<ClassId>& TaskQueues::parked() const { return impl_->parked(); }
const ClassKey& TaskQueues::key(ClassId cls) const { return impl_->KeyOf(cls); }
std::optional<ClassId> TaskQueues::ClassOf(TaskId task) const { return impl_->ClassOf(task); }
void TaskQueues::Block(std::string_view queue) { impl_->SetBlocked(queue, true); }
void TaskQueues::Unblock(std::string_view queue) { impl_->SetBlocked(queue, false); }
void TaskQueues::SetWeight(std::string_view queue, uint32_t weight) { impl_->SetWeight(queue, weight); }
uint64_t TaskQueues::size() const { return impl_->size(); }
uint64_t TaskQueues::QueuedIn(std::string_view queue) const { return impl_->QueuedIn(queue); }
QueueStatus TaskQueues::StatusOf(std::string_view queue) const { return impl_->StatusOf(queue); }
std::vector<QueueStatus> TaskQueues::Queues() const { return impl_->Queues(); }
std::optional<uint64_t> TaskQueues::AheadOf(TaskId task, uint64_t limit) const { return impl_->AheadOf(task, limit); }
bool TaskQueues::VisitAhead(const QueuePlace& place, size_t limit,
                            const std::function<void(const TaskAhead&)>& visit) const {
  return impl_->VisitAhead(place, limit, visit);
}
void TaskQueues::CheckInvariants() const { impl_->CheckInvariants(); }

}  // namespace muster::scheduler
