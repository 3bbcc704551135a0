#include "master/simulate/cluster_run.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/domain/balancer_kind.h"
#include "master/core/cluster_core.h"

namespace muster::simulate {
namespace {

// Nobody dies here, and nobody is asked whether he lives.
constexpr absl::Duration kNoHeartbeats = absl::Hours(24 * 365 * 100);
const absl::Time kBegin = absl::FromUnixSeconds(1'700'000'000);
const Incarnation kIncarnation(1);

core::CoreConfig ConfigOf(BalancerKind balancer, size_t workers) {
  core::CoreConfig config;
  config.placement.balancer = balancer;
  config.heartbeat = config.lost_after = config.self_fence = kNoHeartbeats;
  config.max_queued = UINT64_MAX / 2;
  config.max_queued_bytes = INT64_MAX / 2;
  config.max_workers = static_cast<uint32_t>(workers);
  return config;
}

core::RecoveredState NewStore() {
  core::RecoveredState state;
  state.cluster_id = "what if";
  state.epoch = Epoch(1);
  return state;
}

// Jobs of a kind share one specification for each width, as the tasks of a batch do.
class Specifications {
 public:
  explicit Specifications(const Trace& trace) : trace_(trace) {}

  const TaskSpecPtr& For(const Job& job) {
    TaskSpecPtr& known = by_kind_[{job.kind, job.slots}];
    if (known == nullptr) {
      auto spec = std::make_shared<TaskSpec>();
      spec->queue = trace_.kinds[job.kind].queue;
      spec->owner = trace_.kinds[job.kind].owner;
      spec->requirements.executor = "command";
      spec->requirements.resources.slots = job.slots;
      spec->fingerprint = job.kind + 1;
      known = std::move(spec);
    }
    return known;
  }

 private:
  const Trace& trace_;
  std::map<std::pair<uint32_t, uint32_t>, TaskSpecPtr> by_kind_;
};

struct Worker {
  WorkerId id;
  SessionNumber session;
  uint32_t slots = 0;
  uint32_t used = 0;
  std::deque<AttemptKey> waiting;  // assigned, in order
};

class ClusterRun {
 public:
  ClusterRun(const Trace& trace, const RunOptions& options, BalancerKind balancer)
      : trace_(trace),
        turnaround_(options.turnaround),
        specifications_(trace),
        core_(ConfigOf(balancer, options.fleet.size()), NewStore()) {
    outcome_.waits.resize(trace.jobs.size(), Outcome::kNever);
    for (const uint32_t slots : options.fleet) widest_ = std::max(widest_, slots);
    core_.Start(now_, &effects_);
    for (size_t i = 0; i < options.fleet.size(); ++i) Join(i, options.fleet[i]);
    Settle();
  }

  Outcome Run() {
    while (true) {
      const absl::Time next = std::min(NextArrival(), happenings_.empty() ? absl::InfiniteFuture() : happenings_.top().at);
      if (next == absl::InfiniteFuture()) break;
      now_ = std::max(now_, std::min(next, core_.NextDue()));
      while (NextArrival() <= now_) Arrive();
      while (!happenings_.empty() && happenings_.top().at <= now_) Happen();
      Settle();
    }
    return std::move(outcome_);
  }

 private:
  struct Happening {
    enum class What : uint8_t { kAssignmentArrives, kEnds } what;
    absl::Time at;
    uint64_t order;  // of two at the same time the one that was planned first
    size_t worker;
    AttemptKey key;
    bool operator<(const Happening& other) const {
      return std::tie(other.at, other.order) < std::tie(at, order);  // the first one on top
    }
  };

  absl::Time NextArrival() const {
    return next_job_ < trace_.jobs.size() ? kBegin + trace_.jobs[next_job_].arrival : absl::InfiniteFuture();
  }

  const Job& JobOf(AttemptKey key) const { return trace_.jobs[job_of_task_[key.task.value()]]; }

  void Join(size_t index, uint32_t slots) {
    core::WorkerJoin join{.call = CallId(), .name = absl::StrCat("w", index + 1), .incarnation = kIncarnation, .address = "nowhere:1"};
    join.offer.capacity.slots = slots;
    join.offer.executors.push_back({.name = "command"});
    workers_.push_back({.id = {}, .session = {}, .slots = slots});
    core_.Apply(std::move(join), now_, &effects_);
  }

  void Arrive() {
    const size_t job = next_job_++;
    if (trace_.jobs[job].slots > widest_) return;
    core::SubmitTasks submit{.call = CallId(job)};
    submit.tasks.push_back({.spec = specifications_.For(trace_.jobs[job])});
    core_.Apply(std::move(submit), now_, &effects_);
  }

  void Happen() {
    const Happening happening = happenings_.top();
    happenings_.pop();
    Worker& worker = workers_[happening.worker];
    core::WorkerReports reports{.worker = worker.id, .session = worker.session};
    if (happening.what == Happening::What::kEnds) {
      worker.used -= JobOf(happening.key).slots;
      reports.results.push_back(ReportOf(happening.key));
      outcome_.makespan = now_ - kBegin;
    } else {
      worker.waiting.push_back(happening.key);
    }
    StartWhatFits(happening.worker, &reports);
    core_.Apply(std::move(reports), now_, &effects_);
  }

  void StartWhatFits(size_t index, core::WorkerReports* reports) {
    Worker& worker = workers_[index];
    while (!worker.waiting.empty()) {
      const AttemptKey key = worker.waiting.front();
      const Job& job = JobOf(key);
      if (worker.used + job.slots > worker.slots) return;
      worker.waiting.pop_front();
      worker.used += job.slots;
      reports->started.push_back({key, now_});
      outcome_.waits[job_of_task_[key.task.value()]] = now_ - (kBegin + job.arrival);
      Plan(Happening::What::kEnds, now_ + job.run_time, index, key);
    }
  }

  AttemptReportPtr ReportOf(AttemptKey key) const {
    auto report = std::make_shared<AttemptReport>();
    report->key = key;
    report->end.reason = EndReason::kExited;
    report->end.usage.wall_time = JobOf(key).run_time;
    report->started = true;
    report->end_time = now_;
    report->start_time = now_ - JobOf(key).run_time;
    return report;
  }

  void Plan(Happening::What what, absl::Time at, size_t worker, AttemptKey key) {
    happenings_.push({what, at, planned_++, worker, key});
  }

  // Turns until nothing more happens now.
  void Settle() {
    do {
      core_.Turn(now_, &effects_);
      effects_.transaction = {};
      std::vector<core::Effect> effects = std::exchange(effects_.effects, {});
      for (const core::Effect& effect : effects) Carry(effect);
    } while (!effects_.effects.empty());
  }

  void Carry(const core::Effect& effect) {
    if (const auto* open = std::get_if<core::OpenSession>(&effect)) {
      Worker& worker = workers_[IndexOf(open->name)];
      worker.id = open->worker;
      worker.session = open->session;
      index_of_worker_[open->worker] = IndexOf(open->name);
      core_.Apply(core::SessionOpened{open->worker, open->session, kIncarnation, {}}, now_, &effects_);
    } else if (const auto* answer = std::get_if<core::SubmitAnswer>(&effect)) {
      NoteTask(*answer);
    } else if (const auto* assign = std::get_if<core::Assign>(&effect)) {
      Plan(Happening::What::kAssignmentArrives, now_ + turnaround_, index_of_worker_.at(assign->worker), assign->key);
    } else if (const auto* recall = std::get_if<core::Recall>(&effect)) {
      GiveBack(*recall);
    }
  }

  void NoteTask(const core::SubmitAnswer& answer) {
    for (const TaskRange& range : answer.tasks) {
      job_of_task_.resize(range.first.value() + 1);
      job_of_task_[range.first.value()] = static_cast<uint32_t>(answer.call.value());
    }
  }

  void GiveBack(const core::Recall& recall) {
    Worker& worker = workers_[index_of_worker_.at(recall.worker)];
    const auto found = std::find(worker.waiting.begin(), worker.waiting.end(), recall.key);
    if (found == worker.waiting.end()) return;  // it has started
    worker.waiting.erase(found);
    core::WorkerReports reports{.worker = worker.id, .session = worker.session};
    reports.given_back.push_back(recall.key);
    core_.Apply(std::move(reports), now_, &effects_);
  }

  static size_t IndexOf(const std::string& name) { return std::stoul(name.substr(1)) - 1; }  // as Join named it

  const Trace& trace_;
  const absl::Duration turnaround_;
  Specifications specifications_;
  core::ClusterCore core_;
  core::Effects effects_;
  absl::Time now_ = kBegin;
  uint32_t widest_ = 0;
  size_t next_job_ = 0;
  std::vector<Worker> workers_;
  std::map<WorkerId, size_t> index_of_worker_;
  std::vector<uint32_t> job_of_task_;  // by id
  std::priority_queue<Happening> happenings_;
  uint64_t planned_ = 0;
  Outcome outcome_;
};

}  // namespace

absl::StatusOr<Outcome> RunTrace(const Trace& trace, const RunOptions& options) {
  const std::optional<BalancerKind> balancer = BalancerNamed(options.balancer);
  if (!balancer) return absl::InvalidArgumentError(WhyNoBalancer(options.balancer));
  if (std::all_of(options.fleet.begin(), options.fleet.end(), [](uint32_t slots) { return slots == 0; })) {
    return absl::InvalidArgumentError("there is no worker with a slot");
  }
  return ClusterRun(trace, options, *balancer).Run();
}

}  // namespace muster::simulate
