#include "tests/support/simulation/simulated_world.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "tests/support/test_cluster.h"

namespace muster::simulation {
namespace {

constexpr absl::Duration kBeat = absl::Seconds(1);

core::CoreConfig Config(uint64_t seed) {
  core::CoreConfig config;
  config.balancer = static_cast<core::BalancerKind>(seed % 3);
  config.heartbeat = kBeat;
  config.lost_after = absl::Seconds(10);
  config.self_fence = absl::Seconds(6);
  config.kill_grace = absl::Seconds(1);
  config.fence_margin = absl::Seconds(1);
  config.shutdown_lease = absl::Seconds(20);
  config.unknown_timeout = absl::Seconds(30);
  config.seed = seed;
  return config;
}

}  // namespace

SimulatedWorld::SimulatedWorld(WorldOptions options)
    : options_(options),
      random_(options.seed * 7919 + 17),
      now_(absl::FromUnixSeconds(1'800'000'000)),
      trouble_ends_(now_ + options.troubled) {}

SimulatedWorld::~SimulatedWorld() = default;

std::string SimulatedWorld::Run() {
  StartMaster();
  for (int i = 0; i < options_.workers; ++i) {
    WorkerPort* const port = this;
    workers_.push_back(std::make_unique<SimulatedWorker>(port, absl::StrCat("w", i), 1 + i));
    workers_.back()->Boot(Incarnation(random_.Next() | 1));
    SimulatedWorker* const worker = workers_.back().get();
    const std::function<void()> beat = [this, worker] {
      Beat(*worker);
    };
    After(Latency(), beat);
  }
  PlanClients();
  PlanFaults();
  const absl::Time give_up = trouble_ends_ + options_.patience;
  while (wrong_.empty() && !agenda_.empty()) {
    const auto first = agenda_.begin();
    now_ = first->first.first;
    if (now_ > give_up) {
      Wrong("not everything has ended");
      break;
    }
    const auto what = std::move(first->second);
    agenda_.erase(first);
    what();
    if (now_ > trouble_ends_ && AllEnded()) break;
  }
  if (wrong_.empty() && core_->OpenTasks(TaskId(), 1).size() != 0) Wrong("an ended task is open");
  return wrong_;
}

void SimulatedWorld::Wrong(std::string what) {
  if (!wrong_.empty()) return;
  wrong_ = absl::StrCat("after ", steps_, " turns: ", what);
  if (core_ == nullptr) return;
  for (const auto& worker : workers_) {
    const auto view = core_->FindWorker(worker->name());
    absl::StrAppend(&wrong_, "\n  worker ", worker->name(), worker->alive() ? "" : " dead",
                    worker->link_open ? "" : " without a link", ", ", worker->Describe(), "; the master sees ",
                    view ? std::string(WorkerStateName(view->state)) : "none", " ", view ? view->reason : "", " used ",
                    view ? view->used_slots : 0, " ahead ", view ? view->prefetched : 0);
  }
  for (const TaskId id : core_->OpenTasks(TaskId(), 5)) {
    const auto view = core_->FindTask(id);
    absl::StrAppend(&wrong_, "\n  task ", id.value(), " is ", std::string(TaskStateName(StateOf(view->state))), " on ",
                    view->worker, ": ", view->reason);
  }
}

bool SimulatedWorld::AllEnded() const {
  if (core_ == nullptr || !mailbox_.empty()) return false;
  for (const Submission& submission : submissions_) {
    if (!submission.answered) return false;
  }
  const auto& tasks = store_.tasks();
  return std::all_of(tasks.begin(), tasks.end(), [](const auto& entry) { return entry.second.outcome.has_value(); });
}

// --- Time and wires

void SimulatedWorld::After(absl::Duration delay, std::function<void()> what) {
  agenda_.emplace(std::make_pair(now_ + std::max(delay, absl::ZeroDuration()), ++order_), std::move(what));
}

absl::Duration SimulatedWorld::Latency() { return absl::Microseconds(100 + 5000 * random_.Fraction()); }

SimulatedWorker* SimulatedWorld::ByName(const std::string& name) {
  for (const auto& worker : workers_) {
    if (worker->name() == name) return worker.get();
  }
  return nullptr;
}

// A stream keeps its order: nothing overtakes, so the delay is the same for all.
void SimulatedWorld::ToMaster(const SimulatedWorker& worker, core::Event event) {
  if (!worker.link_open || !worker.connected) return;
  After(absl::Milliseconds(1), [this, &worker, event = std::move(event), link = worker.link, life = life_] {
    if (life == life_ && worker.link_open && worker.link == link) Post(event);
  });
}

void SimulatedWorld::Deliver(WorkerId id, SessionNumber session, std::function<void(SimulatedWorker&)> what) {
  const auto name = names_.find(id);
  if (name == names_.end()) return;
  SimulatedWorker* const worker = ByName(name->second);
  if (!worker->link_open || worker->session != session) return;
  After(absl::Milliseconds(1), [this, worker, what = std::move(what), link = worker->link, life = life_] {
    if (life == life_ && worker->link_open && worker->link == link && worker->alive()) what(*worker);
  });
}

void SimulatedWorld::ConnectSession(const core::OpenSession& open) {
  names_[open.worker] = open.name;
  SimulatedWorker* const worker = ByName(open.name);
  After(Latency(), [this, worker, open, life = life_] {
    if (life != life_) return;
    if (!worker->alive() || !worker->connected || random_.Fraction() < 0.05) {
      return Post(core::SessionClosed{open.worker, open.session, "could not connect"});
    }
    // It obeys no older session than it has seen of this epoch.
    if (worker->obeyed_epoch == life_ && open.session < worker->session) {
      return Post(core::SessionClosed{open.worker, open.session, "there is a newer one"});
    }
    worker->obeyed_epoch = life_;
    ++worker->link;
    worker->link_open = true;
    core::SessionOpened hello = worker->Hello(open.worker, open.session);
    ToMaster(*worker, std::move(hello));
    worker->RepeatResults();
  });
}

void SimulatedWorld::BreakLink(SimulatedWorker& worker) {
  if (!worker.link_open) return;
  worker.link_open = false;
  const core::SessionClosed closed{worker.id, worker.session, "the wire broke"};
  After(Latency(), [this, closed, life = life_] {
    if (life == life_) Post(closed);
  });
}

void SimulatedWorld::Beat(SimulatedWorker& worker) {
  After(kBeat, [this, &worker] { Beat(worker); });
  if (!worker.alive() || !worker.connected || core_ == nullptr) return;
  core::Event event;
  if (worker.joined) {
    core::WorkerHeartbeat beat;
    beat.call = CallId(++calls_);
    beat.name = worker.name();
    beat.incarnation = worker.incarnation();
    event = beat;
    beats_[beat.call] = {&worker, now_};
  } else {
    core::WorkerJoin join;
    join.call = CallId(++calls_);
    join.name = worker.name();
    join.incarnation = worker.incarnation();
    join.address = worker.name();
    join.offer = worker.Offer();
    beats_[join.call] = {&worker, now_};
    event = join;
  }
  After(Latency(), [this, event = std::move(event), life = life_] {
    if (life == life_) Post(event);
  });
}

void SimulatedWorld::Executing(AttemptKey key, OnWorkerLoss mode, bool begins) {
  int& now = executing_now_[key.task];
  now += begins ? 1 : -1;
  if (!begins) return;
  const int times = ++executions_[key.task];
  ++happened_["executions"];
  if (now > 1) ++happened_["copies at once"];
  if (mode == OnWorkerLoss::kHold && times > 1) Wrong(absl::StrCat("task ", key.task.value(), " under HOLD ran twice"));
  if (mode == OnWorkerLoss::kRerunAfterFence && now > 1) {
    Wrong(absl::StrCat("task ", key.task.value(), " under RERUN_AFTER_FENCE runs in two copies"));
  }
}

// --- The master

void SimulatedWorld::StartMaster() {
  ++life_;
  names_.clear();
  mailbox_.clear();
  turn_planned_ = false;
  crash_in_turn_ = false;
  timer_ = absl::InfiniteFuture();
  core_ = std::make_unique<core::ClusterCore>(Config(options_.seed), store_.LoadOpen());
  core::Effects effects;
  core_->Start(now_, &effects);
  core_->Turn(now_, &effects);
  Commit(std::move(effects));
}

void SimulatedWorld::CrashMaster() {
  ++happened_["master killed"];
  core_.reset();
  ++life_;
  mailbox_.clear();
  turn_planned_ = false;
  for (const auto& worker : workers_) worker->link_open = false;
  After(absl::Seconds(3 * random_.Fraction()), [this, life = life_] {
    if (life == life_) StartMaster();
  });
}

void SimulatedWorld::Post(core::Event event) {
  if (core_ == nullptr) return;
  mailbox_.push_back(std::move(event));
  if (turn_planned_) return;
  turn_planned_ = true;
  After(absl::Microseconds(800 * random_.Fraction()), [this, life = life_] {
    if (life == life_) RunTurn();
  });
}

void SimulatedWorld::RunTurn() {
  turn_planned_ = false;
  core::Effects effects;
  for (core::Event& event : std::exchange(mailbox_, {})) core_->Apply(std::move(event), now_, &effects);
  core_->Turn(now_, &effects);
  if (crash_in_turn_) {
    crash_in_turn_ = false;
    // Killed before the commit, or after it and before anybody heard of it.
    if (random_.Fraction() < 0.5) {
      if (const std::string wrong = store_.Commit(effects.transaction); !wrong.empty()) Wrong(wrong);
    }
    return CrashMaster();
  }
  Commit(std::move(effects));
}

void SimulatedWorld::Commit(core::Effects effects) {
  ++steps_;
  if (const std::string wrong = store_.Commit(effects.transaction); !wrong.empty()) Wrong(wrong);
  core_->CheckInvariants();
  for (const auto& row : effects.transaction.attempts) {
    digest_ = digest_ * 1099511628211u + row.key.task.value() * 64 + row.key.number.value();
  }
  for (const auto& row : effects.transaction.outcomes) {
    digest_ = digest_ * 1099511628211u + row.task.value() * 64 + static_cast<uint64_t>(row.state);
    ++happened_[std::string(TaskStateName(row.state))];
  }
  for (const core::Effect& effect : effects.effects) {
    CheckEffect(effect);
    Release(effect);
  }
  ArmTimer();
}

void SimulatedWorld::ArmTimer() {
  const absl::Time due = std::max(now_, core_->NextDue());
  if (due == absl::InfiniteFuture() || due == timer_) return;
  timer_ = due;
  After(due - now_, [this, due, life = life_] {
    if (life != life_ || timer_ != due) return;
    timer_ = absl::InfiniteFuture();
    RunTurn();
  });
}

void SimulatedWorld::CheckEffect(const core::Effect& effect) {
  if (const auto* assign = std::get_if<core::Assign>(&effect)) {
    if (!assigned_.insert(assign->key).second) Wrong("an attempt was sent twice");
    const auto* stored = store_.Find(assign->key.task);
    if (stored == nullptr || stored->attempts.empty() || stored->attempts.back().key != assign->key) {
      Wrong("an attempt was sent that is not durable");
    }
    if (stored != nullptr && stored->cancel) Wrong("a cancelled task was dispatched");
    ++happened_[assign->prefetched ? "sent ahead" : "sent"];
  } else if (const auto* ack = std::get_if<core::Acknowledge>(&effect)) {
    const auto* stored = store_.Find(ack->key.task);
    if (stored == nullptr || stored->outcome) return;
    const auto& ends = stored->attempt_ends;
    const bool ended = std::any_of(ends.begin(), ends.end(), [&](const auto& end) { return end.key == ack->key; });
    if (!ended) Wrong("a result was acknowledged that is not durable");
  } else if (std::holds_alternative<core::Recall>(effect)) {
    ++happened_["recalled"];
  }
}

void SimulatedWorld::Release(const core::Effect& effect) {
  if (const auto* answer = std::get_if<core::SubmitAnswer>(&effect)) {
    const size_t index = answer->call.value() & 0xffff;
    if (ReasonOf(answer->status) == "SHUTTING_DOWN") return;
    if (!answer->status.ok()) return Wrong(absl::StrCat("a submit was refused: ", answer->status.ToString()));
    submissions_[index].answered = true;
    for (const TaskRange& range : answer->tasks) {
      if (store_.Find(range.first) == nullptr) Wrong("an answer came before its tasks were durable");
    }
  } else if (const auto* join = std::get_if<core::JoinAnswer>(&effect)) {
    const auto [worker, sent] = beats_[join->call];
    if (!join->status.ok()) return;
    After(Latency(), [this, worker = worker, sent = sent, incarnation = worker->incarnation()] {
      if (!worker->alive() || worker->incarnation() != incarnation || !worker->connected) return;
      worker->joined = true;
      worker->OnLease(sent + absl::Seconds(6));
      (void)this;
    });
  } else if (const auto* beat = std::get_if<core::HeartbeatAnswer>(&effect)) {
    const auto [worker, sent] = beats_[beat->call];
    After(Latency(), [worker = worker, sent = sent, again = beat->join_again, lease = beat->lease,
                      incarnation = worker->incarnation()] {
      if (!worker->alive() || worker->incarnation() != incarnation || !worker->connected) return;
      if (again) {
        worker->joined = false;
      } else {
        worker->OnLease(sent + lease);
      }
    });
  } else if (std::holds_alternative<core::Stopped>(effect)) {
    // It answers heartbeats for a moment, with the long lease, while workers may be cut off for longer than lost_after.
    After(kBeat + Latency(), [this, life = life_] {
      if (life != life_) return;
      if (random_.Fraction() < 0.7) CutOff(*workers_[random_.Next() % workers_.size()], absl::Seconds(25));
      CrashMaster();
    });
  } else if (const auto* open = std::get_if<core::OpenSession>(&effect)) {
    ConnectSession(*open);
  } else if (const auto* close = std::get_if<core::CloseSession>(&effect)) {
    const auto name = names_.find(close->worker);
    if (name == names_.end()) return;
    SimulatedWorker* const worker = ByName(name->second);
    if (worker->link_open && worker->session == close->session) worker->link_open = false;
  } else if (const auto* assign = std::get_if<core::Assign>(&effect)) {
    Deliver(assign->worker, assign->session, [assign = *assign](SimulatedWorker& worker) { worker.OnAssign(assign); });
  } else if (const auto* stop = std::get_if<core::Stop>(&effect)) {
    Deliver(stop->worker, stop->session, [stop = *stop](SimulatedWorker& worker) { worker.OnStop(stop); });
  } else if (const auto* recall = std::get_if<core::Recall>(&effect)) {
    Deliver(recall->worker, recall->session, [key = recall->key](SimulatedWorker& worker) { worker.OnRecall(key); });
  } else if (const auto* ack = std::get_if<core::Acknowledge>(&effect)) {
    Deliver(ack->worker, ack->session, [key = ack->key](SimulatedWorker& worker) { worker.OnAcknowledge(key); });
  } else if (const auto* drain = std::get_if<core::SendDrain>(&effect)) {
    Deliver(drain->worker, drain->session,
            [resume = drain->resume](SimulatedWorker& worker) { worker.OnDrain(!resume); });
  }
}

// --- Clients

TaskSpecPtr SimulatedWorld::RandomSpec() {
  const double kind = random_.Fraction();
  const double mode = random_.Fraction();
  const auto priority = static_cast<int32_t>(random_.Next() % 5);
  const double extra = random_.Fraction();
  return testing::Spec([&](TaskSpec& spec) {
    spec.priority = priority;
    spec.fingerprint = kind < 0.4 ? kQuick : kind < 0.97 ? kSlow : kDeadly;
    spec.on_worker_loss = mode < 0.5   ? OnWorkerLoss::kRerun
                          : mode < 0.75 ? OnWorkerLoss::kRerunAfterFence
                                        : OnWorkerLoss::kHold;
    if (spec.on_worker_loss != OnWorkerLoss::kHold && extra < 0.5) spec.retry.max_attempts = 3;
    spec.retry.max_delay = absl::Seconds(4);
    spec.max_worker_losses = 2 + static_cast<uint32_t>(priority % 2);
    if (extra > 0.9) spec.queue_timeout = absl::Seconds(8);
    if (extra > 0.8 && extra < 0.9) spec.start_time = now_ + absl::Seconds(5);
    if (kind > 0.9) spec.requirements.resources.slots = 2;
    if (kind > 0.8 && kind < 0.9) spec.requirements.needs = {{"big", "", false}};
    if (kind > 0.6 && kind < 0.7) spec.queue = "other";
  });
}

void SimulatedWorld::PlanClients() {
  for (int i = 0; i < options_.calls; ++i) {
    Submission submission;
    core::SubmitTasks& event = submission.event;
    event.request.owner = "user";
    event.request.id = absl::StrCat("request-", i);
    const TaskSpecPtr spec = RandomSpec();
    if (random_.Fraction() < 0.25) {
      event.batch_spec = spec;
      event.batch_rows =
          std::make_shared<const ArgumentRows>(1 + random_.Next() % 8, std::vector<std::string>{"row"});
    } else {
      event.tasks.push_back({spec, TaskId()});
    }
    submissions_.push_back(std::move(submission));
    const absl::Duration when = 0.8 * options_.troubled * random_.Fraction();
    After(when, [this, i] { SubmitCall(static_cast<size_t>(i)); });
  }
}

// Repeats the call until it is answered, as clients do: the edge looks in the store first.
void SimulatedWorld::SubmitCall(size_t index) {
  Submission& submission = submissions_[index];
  if (submission.answered) return;
  After(absl::Seconds(1), [this, index] { SubmitCall(index); });
  if (core_ == nullptr) return;
  for (const core::RequestRow& row : store_.requests()) {
    if (row.request_id == submission.event.request.id) {
      submission.answered = true;
      return;
    }
  }
  core::SubmitTasks event = submission.event;
  event.call = CallId((++calls_ << 16) | index);
  Post(std::move(event));
}

// --- Accidents

void SimulatedWorld::PlanFaults() {
  const int faults = static_cast<int>(random_.Next() % 32);
  for (int i = 0; i < faults; ++i) {
    After(options_.troubled * random_.Fraction(), [this] { RandomFault(); });
  }
  After(options_.troubled, [this] { EndTrouble(); });
}

void SimulatedWorld::RandomFault() {
  SimulatedWorker& worker = *workers_[random_.Next() % workers_.size()];
  const double kind = random_.Fraction();
  if (kind < 0.2) {
    ++happened_["link broken"];
    BreakLink(worker);
  } else if (kind < 0.4) {
    if (worker.alive()) Crash(worker);
  } else if (kind < 0.55) {
    CutOff(worker, absl::Seconds(20 * random_.Fraction()));
  } else if (kind < 0.7) {
    if (core_ == nullptr) return;
    const double how = random_.Fraction();
    if (how < 0.35) {
      crash_in_turn_ = true;
    } else if (how < 0.65) {
      CrashMaster();
    } else {
      ++happened_["master stopped"];
      Post(core::StopMaster{"maintenance"});
    }
  } else if (kind < 0.85) {
    const auto& tasks = store_.tasks();
    if (tasks.empty()) return;
    core::CancelTasks cancel;
    cancel.call = CallId(++calls_);
    cancel.tasks = {{TaskId(1 + random_.Next() % tasks.rbegin()->first.value()), 1 + random_.Next() % 3}};
    cancel.by = "user";
    cancel.reason = "changed my mind";
    Post(std::move(cancel));
  } else if (kind < 0.93) {
    Post(core::DrainWorker{CallId(++calls_), worker.name(), absl::Seconds(3 * random_.Fraction()), "maintenance"});
    After(absl::Seconds(6), [this, &worker] { Post(core::ResumeWorker{CallId(++calls_), worker.name()}); });
  } else {
    worker.moody = !worker.moody;
  }
}

void SimulatedWorld::CutOff(SimulatedWorker& worker, absl::Duration how_long) {
  ++happened_["cut off"];
  BreakLink(worker);
  worker.connected = false;
  After(how_long, [&worker] { worker.connected = true; });
}

void SimulatedWorld::Crash(SimulatedWorker& worker) {
  ++happened_["worker killed"];
  BreakLink(worker);
  worker.Kill();
  const double back = random_.Fraction();
  After(absl::Seconds(back < 0.8 ? 0.5 + 2 * back : 14), [this, &worker] {
    if (!worker.alive()) worker.Boot(Incarnation(random_.Next() | 1));
  });
}

void SimulatedWorld::EndTrouble() {
  crash_in_turn_ = false;
  for (const auto& worker : workers_) {
    worker->connected = true;
    worker->moody = false;
    if (!worker->alive()) worker->Boot(Incarnation(random_.Next() | 1));
    // A resume that was lost with a master is said again.
    for (int i = 1; i < 6; ++i) {
      After(absl::Seconds(4 * i),
            [this, name = worker->name()] { Post(core::ResumeWorker{CallId(++calls_), name}); });
    }
  }
}

}  // namespace muster::simulation
