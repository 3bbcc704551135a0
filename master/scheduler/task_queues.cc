#include "master/scheduler/task_queues.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "absl/container/btree_map.h"
#include "common/base/check.h"
#include "master/scheduler/class_table.h"
#include "master/scheduler/lane_table.h"
#include "master/scheduler/queue_directory.h"
#include "master/scheduler/standby_lines.h"
#include "master/scheduler/stride_turns.h"

namespace muster::scheduler {
namespace {

struct Place {
  int64_t since_nanos;
  LaneIndex lane;
};

}  // namespace

class TaskQueues::Impl {
 public:
  explicit Impl(absl::Duration aging_interval) : lanes_(aging_interval) {}

  // --- Tasks

  void Add(TaskId task, std::string_view queue_name, int32_t priority, const ClassKey& key, absl::Time since) {
    LaneIndex index = LaneFor(queues_.For(queue_name), classes_.For(key), LaneTable::PriorityOf(priority));
    Waiting waiting{.since_nanos = LaneTable::SinceNanos(since), .task = task};
    const size_t before = places_.size();
    places_.emplace_hint(places_.end(), task, Place{waiting.since_nanos, index});
    MUSTER_CHECK(places_.size() == before + 1);  // it is new
    Lane& lane = lanes_.at(index);
    QueueEntry& queue = queues_.at(lane.queue);
    bool first = lane.tasks.empty() || waiting < *lane.tasks.begin();
    if (first) Unlist(index);
    lane.tasks.insert(lane.tasks.end(), waiting);
    if (first) List(index);
    if (queue.size++ == 0) turns_.Arrives(&queue.share);
    CountStandby(classes_.At(lane.cls), 1);
    RefreshTurn(lane.queue);
  }

  bool Remove(TaskId task) {
    const auto found = places_.find(task);
    if (found == places_.end()) return false;
    RemoveAt(found);
    return true;
  }

  bool Contains(TaskId task) const { return places_.contains(task); }

  std::optional<NextTask> Peek() const {
    if (turns_.ready().empty()) return std::nullopt;
    return Shown(*queues_.at(turns_.ready().begin()->second).ready.begin(), false);
  }

  std::optional<NextTask> Peek(Fits fits) const {
    for (const auto& turn : turns_.line()) {
      const QueueEntry& queue = queues_.at(turn.second);
      for (const Head& head : queue.parked) {
        if (!queue.ready.empty() && *queue.ready.begin() < head) break;
        const NextTask next = Shown(head, true);
        if (fits(next, KeyOf(next.cls))) return next;
      }
      if (!queue.ready.empty()) return Shown(*queue.ready.begin(), false);
    }
    return std::nullopt;
  }

  void Take(TaskId task) {
    const auto place = places_.find(task);
    MUSTER_CHECK(place != places_.end());
    const QueueIndex index = lanes_.at(place->second.lane).queue;
    QueueEntry& queue = queues_.at(index);
    turns_.Serve(index, &queue.share);
    ++queue.served;
    RemoveAt(place);
  }

  // --- Classes

  void Park(ClassId cls) { SetStanding(cls, Standing::kParked); }
  void Hold(ClassId cls) { SetStanding(cls, Standing::kHeld); }
  void StandBy(ClassId cls) { SetStanding(cls, Standing::kStandby); }
  void Wake(ClassId cls) { SetStanding(cls, Standing::kReady); }

  void WakeAll() {
    while (!parked().empty()) Wake(*parked().begin());
  }

  const absl::btree_set<ClassId>& parked() const { return classes_.parked(); }

  const ClassKey& KeyOf(ClassId cls) const { return *classes_.At(cls).key; }

  std::optional<ClassId> ClassOf(TaskId task) const {
    auto found = places_.find(task);
    if (found == places_.end()) return std::nullopt;
    return lanes_.at(found->second.lane).cls;
  }

  std::optional<TaskId> FirstOf(ClassId cls, std::string_view queue_name) const {
    const ClassTable::Class* const found = classes_.Find(cls);
    const auto named = queues_.Find(queue_name);
    if (found == nullptr) return std::nullopt;
    auto lane = found->lanes.begin();
    if (named.has_value()) lane = found->lanes.lower_bound({*named, -LaneTable::kMaxPriority});
    if (lane == found->lanes.end()) lane = found->lanes.begin();
    Head first = lanes_.HeadOf(lane->second);
    for (const QueueIndex queue = lane->first.first; lane != found->lanes.end() && lane->first.first == queue; ++lane) {
      first = std::min(first, lanes_.HeadOf(lane->second));
    }
    return first.task;
  }

  std::vector<TaskId> SomeOf(ClassId cls, size_t limit) const {
    std::vector<TaskId> some;
    const ClassTable::Class* const found = classes_.Find(cls);
    if (found == nullptr) return some;
    for (const auto& lane : found->lanes) {
      for (const Waiting& waiting : lanes_.at(lane.second).tasks) {
        if (some.size() >= limit) return some;
        some.push_back(waiting.task);
      }
    }
    return some;
  }

  uint64_t SizeOf(ClassId cls) const {
    const ClassTable::Class* const found = classes_.Find(cls);
    uint64_t size = 0;
    if (found == nullptr) return size;
    for (const auto& lane : found->lanes) size += lanes_.at(lane.second).tasks.size();
    return size;
  }

  void VisitLeftOver(VisitHead visit) const {
    const auto visit_all = [this, &visit](const absl::btree_set<Head>& heads, bool parked) {
      return std::all_of(heads.begin(), heads.end(), [&](const Head& head) { return visit(Shown(head, parked)); });
    };
    for (const auto& turn : turns_.line()) {
      if (!visit_all(queues_.at(turn.second).parked, true)) return;
    }
    for (const QueueIndex index : queues_.blocked()) {
      if (!visit_all(queues_.at(index).parked, true) || !visit_all(queues_.at(index).ready, false)) return;
    }
  }

  bool IsBefore(TaskId first, TaskId second) const {
    const Place& one = places_.at(first);
    const Place& other = places_.at(second);
    const Lane& lane = lanes_.at(one.lane);
    const Lane& other_lane = lanes_.at(other.lane);
    const auto order = [this](const Lane& of, const Place& place) {
      return lanes_.OrderOf(of.priority, place.since_nanos);
    };
    if (lane.queue == other_lane.queue) {
      return std::pair(order(lane, one), first) < std::pair(order(other_lane, other), second);
    }
    const QueueEntry& queue = queues_.at(lane.queue);
    const std::pair other_turn(queues_.at(other_lane.queue).share.pass, other_lane.queue);
    return !queue.blocked && std::pair(queue.share.pass, lane.queue) < other_turn;
  }

  void VisitStandbys(VisitStandby visit) const {
    for (const auto& [amounts, line] : standby_.lines()) visit(amounts, line.tasks);
  }

  std::vector<NextTask> FirstOnStandby(const ClusterAmounts& amounts) const {
    const StandbyLines::Line* const line = standby_.Find(amounts);
    if (line == nullptr) return {};
    std::vector<std::pair<uint64_t, QueueIndex>> turns;
    for (const auto& queue : line->heads) {
      if (!queues_.at(queue.first).blocked) turns.emplace_back(queues_.at(queue.first).share.pass, queue.first);
    }
    std::sort(turns.begin(), turns.end());
    std::vector<NextTask> first;
    first.reserve(turns.size());
    for (const auto& turn : turns) first.push_back(Shown(*line->heads.at(turn.second).begin(), false));
    return first;
  }

  // --- Queues

  void SetWeight(std::string_view name, uint32_t weight) {
    QueueEntry& queue = queues_.at(queues_.For(name));
    StrideTurns::SetWeight(&queue.share, weight);
    queue.weight_was_set = weight != QueueStatus().weight;  // what is as by default may be forgotten
  }

  void SetBlocked(std::string_view name, bool blocked) {
    const auto found = queues_.Find(name);
    if (!found.has_value()) return;
    queues_.SetBlocked(*found, blocked);
    RefreshTurn(*found);
  }

  void WakeBlocked() {
    for (const QueueIndex index : queues_.blocked()) {
      std::vector<ClassId> not_asked;
      for (const Head& head : queues_.at(index).parked) {
        if (AllBlocked(lanes_.at(head.lane).cls)) not_asked.push_back(lanes_.at(head.lane).cls);
      }
      for (const ClassId cls : not_asked) Wake(cls);
    }
  }

  uint64_t size() const { return places_.size(); }

  uint64_t QueuedIn(std::string_view name) const {
    const auto found = queues_.Find(name);
    return found.has_value() ? queues_.at(*found).size : 0;
  }

  QueueStatus StatusOf(std::string_view name) const {
    const auto found = queues_.Find(name);
    return found.has_value() ? StatusOf(queues_.at(*found)) : QueueStatus{.name = std::string(name)};
  }

  std::vector<QueueStatus> Queues() const {
    std::vector<QueueStatus> all;
    for (const auto& named : queues_.by_name()) {
      const QueueEntry& queue = queues_.at(named.second);
      if (queue.size > 0 || queue.weight_was_set) all.push_back(StatusOf(queue));
    }
    return all;
  }

  std::optional<uint64_t> AheadOf(TaskId task, uint64_t limit) const {
    auto found = places_.find(task);
    if (found == places_.end()) return std::nullopt;
    const Lane& own = lanes_.at(found->second.lane);
    uint64_t ahead = 0;
    const Head end{.order = lanes_.OrderOf(own.priority, found->second.since_nanos), .task = task, .lane = 0};
    lanes_.VisitBefore(queues_.at(own.queue).lanes, end, limit, [&ahead](const TaskAhead&) { ++ahead; });
    return ahead;
  }

  bool VisitAhead(const QueuePlace& place, size_t limit, const std::function<void(const TaskAhead&)>& visit) const {
    const auto found = queues_.Find(place.queue);
    if (!found.has_value()) return true;
    const int64_t order = lanes_.OrderOf(LaneTable::PriorityOf(place.priority), LaneTable::SinceNanos(place.since));
    return lanes_.VisitBefore(queues_.at(*found).lanes, {.order = order, .task = place.task, .lane = 0}, limit, visit);
  }

  void CheckInvariants() const;

 private:
  bool AllBlocked(ClassId cls) const {
    const auto& lanes = classes_.At(cls).lanes;
    return std::all_of(lanes.begin(), lanes.end(), [this](const auto& lane) { return queues_.at(lane.first.first).blocked; });
  }

  NextTask Shown(const Head& head, bool parked) const {
    return NextTask{.task = head.task, .cls = lanes_.at(head.lane).cls, .parked = parked};
  }

  // Where the lane's head stands in its queue; null: it does not.
  absl::btree_set<Head>* LineOf(const Lane& lane, Standing standing) {
    switch (standing) {
      case Standing::kReady: return &queues_.at(lane.queue).ready;
      case Standing::kParked: return &queues_.at(lane.queue).parked;
      case Standing::kStandby:
      case Standing::kHeld: return nullptr;
    }
    return nullptr;
  }

  static const ClusterAmounts& AmountsOf(const ClassTable::Class& cls) { return cls.key->requirements.of_cluster; }

  // So many tasks more, or less, stand by with the class, if it does.
  void CountStandby(const ClassTable::Class& cls, int64_t tasks) {
    if (cls.standing == Standing::kStandby) standby_.Count(AmountsOf(cls), tasks);
  }

  void List(LaneIndex index) {
    const Lane& lane = lanes_.at(index);
    if (lane.tasks.empty()) return;
    const ClassTable::Class& cls = classes_.At(lane.cls);
    if (auto* const line = LineOf(lane, cls.standing)) line->insert(lanes_.HeadOf(index));
    if (cls.standing == Standing::kStandby) standby_.Insert(AmountsOf(cls), lane.queue, lanes_.HeadOf(index));
  }

  void Unlist(LaneIndex index) {
    const Lane& lane = lanes_.at(index);
    if (lane.tasks.empty()) return;
    const ClassTable::Class& cls = classes_.At(lane.cls);
    if (auto* const line = LineOf(lane, cls.standing)) line->erase(lanes_.HeadOf(index));
    if (cls.standing == Standing::kStandby) standby_.Erase(AmountsOf(cls), lane.queue, lanes_.HeadOf(index));
  }

  void SetStanding(ClassId cls, Standing standing) {
    const ClassTable::Class* const found = classes_.Find(cls);
    if (found == nullptr || found->standing == standing) return;
    const auto tasks = static_cast<int64_t>(SizeOf(cls));
    for (const auto& lane : found->lanes) Unlist(lane.second);
    CountStandby(*found, -tasks);
    classes_.SetStanding(cls, standing);
    for (const auto& lane : found->lanes) List(lane.second);
    CountStandby(*found, tasks);
    for (const auto& lane : found->lanes) RefreshTurn(lane.first.first);
  }

  // After any change of what it offers.
  void RefreshTurn(QueueIndex index) {
    QueueEntry& queue = queues_.at(index);
    turns_.SetOffer(index, &queue.share, queue.Offers());
  }

  void RemoveAt(absl::btree_map<TaskId, Place>::iterator place) {
    const LaneIndex index = place->second.lane;
    const QueueIndex queue = lanes_.at(index).queue;
    const Waiting waiting{.since_nanos = place->second.since_nanos, .task = place->first};
    places_.erase(place);
    RemoveFromLane(index, waiting);
    --queues_.at(queue).size;
    RefreshTurn(queue);
  }

  void RemoveFromLane(LaneIndex index, const Waiting& waiting) {
    Lane& lane = lanes_.at(index);
    bool first = *lane.tasks.begin() == waiting;
    if (first) Unlist(index);
    MUSTER_CHECK(lane.tasks.erase(waiting) == 1);
    if (first) List(index);
    CountStandby(classes_.At(lane.cls), -1);
    if (lane.tasks.empty()) DropLane(index);
  }

  LaneIndex LaneFor(QueueIndex queue, ClassId cls, int32_t priority) {
    auto placed = classes_.At(cls).lanes.try_emplace({queue, priority}, 0);
    if (!placed.second) return placed.first->second;
    const LaneIndex index = lanes_.Make(queue, cls, priority);
    placed.first->second = index;
    queues_.at(queue).lanes.insert(index);
    return index;
  }

  void DropLane(LaneIndex index) {
    const Lane& lane = lanes_.at(index);
    queues_.at(lane.queue).lanes.erase(index);
    classes_.RemoveLane(lane.cls, lane.queue, lane.priority);
    lanes_.Drop(index);
  }

  QueueStatus StatusOf(const QueueEntry& queue) const {
    QueueStatus status{.name = queue.name, .weight = queue.share.weight, .queued = queue.size, .served = queue.served};
    int64_t oldest = std::numeric_limits<int64_t>::max();
    for (LaneIndex index : queue.lanes) oldest = std::min(oldest, lanes_.at(index).tasks.begin()->since_nanos);
    if (!queue.lanes.empty()) status.oldest_since = absl::FromUnixNanos(oldest);
    return status;
  }

  absl::btree_map<TaskId, Place> places_;  // by id: who comes is mostly newer, and who leaves is near who left
  LaneTable lanes_;
  ClassTable classes_;
  StandbyLines standby_;
  QueueDirectory queues_;
  StrideTurns turns_;
};

void TaskQueues::Impl::CheckInvariants() const {
  size_t tasks = 0;
  size_t lanes = 0;
  size_t queues_in_line = 0;
  std::map<ClusterAmounts, std::pair<uint64_t, size_t>> standby;  // tasks, heads
  for (const auto& named : queues_.by_name()) {
    const QueueEntry& queue = queues_.at(named.second);
    uint64_t in_queue = 0;
    size_t heads = 0;
    for (LaneIndex index : queue.lanes) {
      const Lane& lane = lanes_.at(index);
      MUSTER_CHECK(lane.queue == named.second && !lane.tasks.empty());
      MUSTER_CHECK(classes_.At(lane.cls).lanes.at({lane.queue, lane.priority}) == index);
      in_queue += lane.tasks.size();
      const Standing standing = classes_.At(lane.cls).standing;
      if (standing == Standing::kHeld) continue;
      if (standing == Standing::kStandby) {
        const ClusterAmounts& amounts = classes_.At(lane.cls).key->requirements.of_cluster;
        const StandbyLines::Line* const line = standby_.Find(amounts);
        MUSTER_CHECK(line != nullptr && line->heads.at(lane.queue).contains(lanes_.HeadOf(index)));
        standby[amounts].first += lane.tasks.size();
        ++standby[amounts].second;
        continue;
      }
      ++heads;
      MUSTER_CHECK((standing == Standing::kReady ? queue.ready : queue.parked).contains(lanes_.HeadOf(index)));
    }
    MUSTER_CHECK(in_queue == queue.size);
    MUSTER_CHECK(heads == queue.ready.size() + queue.parked.size());
    MUSTER_CHECK(queue.share.offer == queue.Offers());
    MUSTER_CHECK(turns_.Agrees(named.second, queue.share));
    tasks += in_queue;
    lanes += queue.lanes.size();
    queues_in_line += queue.Offers() != StrideTurns::Offer::kNothing ? 1 : 0;
  }
  MUSTER_CHECK(tasks == places_.size());
  MUSTER_CHECK(queues_in_line == turns_.line().size());
  MUSTER_CHECK(lanes == lanes_.size());
  MUSTER_CHECK(standby.size() == standby_.lines().size());
  for (const auto& [amounts, line] : standby_.lines()) {
    size_t heads = 0;
    for (const auto& queue : line.heads) heads += queue.second.size();
    MUSTER_CHECK(standby.at(amounts) == std::pair(line.tasks, heads));
  }
  classes_.CheckInvariants();
  queues_.CheckInvariants();
  for (const auto& place : places_) {
    MUSTER_CHECK(lanes_.at(place.second.lane).tasks.contains({place.second.since_nanos, place.first}));
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
std::optional<NextTask> TaskQueues::Peek(Fits fits) const { return impl_->Peek(fits); }
void TaskQueues::Take(TaskId task) { impl_->Take(task); }
void TaskQueues::Park(ClassId cls) { impl_->Park(cls); }
void TaskQueues::Hold(ClassId cls) { impl_->Hold(cls); }
void TaskQueues::StandBy(ClassId cls) { impl_->StandBy(cls); }
void TaskQueues::Wake(ClassId cls) { impl_->Wake(cls); }
void TaskQueues::WakeAll() { impl_->WakeAll(); }
const absl::btree_set<ClassId>& TaskQueues::parked() const { return impl_->parked(); }
const ClassKey& TaskQueues::key(ClassId cls) const { return impl_->KeyOf(cls); }
std::optional<ClassId> TaskQueues::ClassOf(TaskId task) const { return impl_->ClassOf(task); }
std::optional<TaskId> TaskQueues::FirstOf(ClassId cls, std::string_view queue) const { return impl_->FirstOf(cls, queue); }
std::vector<TaskId> TaskQueues::SomeOf(ClassId cls, size_t limit) const { return impl_->SomeOf(cls, limit); }
uint64_t TaskQueues::SizeOf(ClassId cls) const { return impl_->SizeOf(cls); }
void TaskQueues::VisitLeftOver(VisitHead visit) const { impl_->VisitLeftOver(visit); }
bool TaskQueues::IsBefore(TaskId first, TaskId second) const { return impl_->IsBefore(first, second); }
void TaskQueues::Block(std::string_view queue) { impl_->SetBlocked(queue, true); }
void TaskQueues::WakeBlocked() { impl_->WakeBlocked(); }
void TaskQueues::Unblock(std::string_view queue) { impl_->SetBlocked(queue, false); }
void TaskQueues::VisitStandbys(VisitStandby visit) const { impl_->VisitStandbys(visit); }
std::vector<NextTask> TaskQueues::FirstOnStandby(const ClusterAmounts& amounts) const { return impl_->FirstOnStandby(amounts); }
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
