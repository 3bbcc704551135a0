// The command that validates an attempt, as the context of its plugin: keeps the last words of what it says, and hands
// its end on. Its output is no part of the attempt's.
//
// Thread rule: any thread; its mutex is held for short moments and never while something is called. Ownership: shared
// by its attempt and whoever is calling; owns the plugin's Execution, and lets go of it with the attempt.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "worker/plugin_api/executor.h"

namespace muster::execution {

class ValidationRun final : public plugin::Context {
 public:
  static constexpr size_t kWordsBytes = 4096;

  // `ended`: once, with the last line that the command has said.
  using Ended = std::function<void(plugin::Result result, std::string last_line)>;
  explicit ValidationRun(Ended ended) : ended_(std::move(ended)) {}

  void Run(plugin::Executor* executor, const plugin::Request& request);
  void Stop(bool by_force);

  // plugin::Context.
  void Started() override {}
  size_t Output(plugin::Stream stream, std::string_view bytes) override;
  size_t Room(plugin::Stream) const override { return kReadBytes; }
  void Log(plugin::Severity, std::string_view, const std::vector<std::pair<std::string, std::string>>&) override {}
  void Count(std::string_view, double) override {}
  void Observe(std::string_view, double) override {}
  bool Cancelled() const override;
  void Finish(plugin::Result result) override;

 private:
  static constexpr size_t kReadBytes = 64 * 1024;
  enum class Wish : uint8_t { kNone, kStop, kKill };

  const Ended ended_;

  mutable absl::Mutex mutex_;
  std::shared_ptr<plugin::Execution> execution_ ABSL_GUARDED_BY(mutex_);
  std::string words_ ABSL_GUARDED_BY(mutex_);
  Wish wish_ ABSL_GUARDED_BY(mutex_) = Wish::kNone;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

// What a validation command shares with the work that it follows.
plugin::Request SurroundingsOf(const plugin::Request& work);
// `line` for a shell, with what is kept of the work's output as its input.
plugin::Request ValidationRequest(plugin::Request surroundings, const std::string& line, int exit_code, std::string input);

}  // namespace muster::execution
