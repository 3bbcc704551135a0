// One command from its start to the moment when nothing of it is left.
//
//   queued ─▶ (spawner thread) Begin ─▶ running ─▶ main process exits ─▶ draining (2 s at most, for whoever still holds
//   the pipes) ─▶ clearing (kill until the tree is empty) ─▶ emptying (what is left in the pipes) ─▶ Finish
//
// A command is mostly over before anyone looks at its pipes: they are put under watch four milliseconds after the
// start, so that a short one costs a single wake-up.
// Thread rule: Begin on a spawner thread, once; Stop, Kill and Room from any thread; all else on the loop's thread.
// Ownership: shared by the queue, the loop and its handle; the context is not used after Finish.
#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "worker/plugin_api/executor.h"
#include "worker/plugins/command/child.h"
#include "worker/plugins/command/event_loop.h"
#include "worker/plugins/command/isolation.h"
#include "worker/plugins/command/launch.h"
#include "worker/plugins/command/memory_limit.h"
#include "worker/plugins/command/process_tree.h"
#include "worker/plugins/isolate/isolate_plan.h"

namespace muster::command {

// What all runs of an executor share.
struct RunServices {
  EventLoop* loop = nullptr;
  ProcessForest* forest = nullptr;
  MemoryLimits* memory = nullptr;
  BoundsTable* bounds = nullptr;
  Users* users = nullptr;
  IsolationSettings isolation;
  std::vector<ChildLimit> limits, limits_of_users;  // of every command; of those that have a user of their own
  plugin::Isolation best_isolation = plugin::Isolation::kPlain;
  int null_fd = -1;
  EnvironmentDefaults environment;
  std::chrono::nanoseconds drain{std::chrono::seconds(2)};
  std::unique_ptr<char[]> read_buffer;  // the loop's thread alone
};

class CommandRun final : public Watcher, public std::enable_shared_from_this<CommandRun> {
 public:
  CommandRun(const RunServices* services, plugin::Request request, plugin::Context* context);

  void Begin(const ChildStack& stack, uint64_t ignored_signals);
  void Stop() { Ask(Wish::kStop); }
  void Kill() { Ask(Wish::kKill); }
  void Room(plugin::Stream stream);

  void OnReady(uint32_t tag, uint32_t events) override;

 private:
  static constexpr uint32_t kPidfdTag = 2;  // after those of the pipes

  enum class Wish : uint8_t { kNone, kStop, kKill };
  enum class Phase : uint8_t { kRunning, kDraining, kClearing, kEmptying, kFinished };
  struct Pipe {
    plugin::Stream stream;
    Descriptor fd;
    EventLoop::Watch watch = 0;
    bool blocked = false;  // no room: not under watch, or its hang-up would spin the loop
    bool rest_taken = false;
    bool open() const { return fd.valid(); }
  };
  enum class ReadEnd : uint8_t { kEndOfFile, kEmpty, kNoRoom, kMore };

  // Spawner thread.
  std::string TakePlaces();
  std::string TakeUser();
  ChildOutcome StartMain(const ChildStack& stack, uint64_t ignored_signals, std::string* problem);
  bool MakePipes(Descriptor* out, Descriptor* err, Descriptor* in);
  ChildPlan MakePlan(int in, int out, int err);
  isolate::Plan MakeIsolatedPlan() const;
  ChildOutcome StartOnce(const ChildPlan& plan, const ChildStack& stack, std::string* problem);
  void FailStart(int error, std::string message);
  bool WishedBeforeStart();
  void HandOver();

  void Ask(Wish wish);
  void Obey();
  void Terminate(bool by_force);

  void LookCloser();  // it was not over at once
  void WatchPipe(Pipe* pipe);
  void ReadPipe(Pipe* pipe);
  ReadEnd ReadSome(Pipe* pipe);
  void ClosePipe(Pipe* pipe);
  void EmptyPipes();
  ReadEnd TakeRest(Pipe* pipe);
  bool Reap();
  void OnMainExit();
  void Drained();
  void Clear();
  void FinishRun();
  void GiveBackPlaces();
  void WatchMemory();
  int64_t PeakBytes() const;
  plugin::Result MakeResult();
  bool PipesOpen() const { return pipes_[0].open() || pipes_[1].open(); }

  // Never change after construction.
  const RunServices* const services_;
  const plugin::Request request_;
  plugin::Context* const context_;
  const plugin::Isolation tier_;  // that it asks for, or the least of this worker

  std::mutex mutex_;  // guards the two below
  Wish wish_ = Wish::kNone;
  bool handed_over_ = false;

  // The spawner's until HandOver, then the loop's.
  std::unique_ptr<Launch> launch_;
  std::unique_ptr<ProcessTree> tree_;
  std::unique_ptr<MemoryLimit> memory_limit_;
  int64_t memory_limit_bytes_ = 0;
  std::unique_ptr<Bounds> bounds_;
  std::optional<User> user_;  // whom it runs as, if not as the worker
  Pipe pipes_[2];
  pid_t pid_ = -1;
  Descriptor pidfd_;
  EventLoop::Watch pidfd_watch_ = 0;
  Phase phase_ = Phase::kRunning;
  Wish obeyed_ = Wish::kNone;
  bool exited_by_itself_ = false;
  bool out_of_memory_ = false;
  int clear_rounds_ = 0;
  int64_t sampled_peak_bytes_ = 0;
  EventLoop::Timer kill_timer_{}, drain_timer_{}, clear_timer_{}, memory_timer_{};
  int exit_code_ = 0;
  int exit_signal_ = 0;
  rusage usage_{};
};

}  // namespace muster::command
