// A drain in words: what still runs and for how long it may, what was stopped, what waits to be acknowledged.
//
//   DrainNarration narration("w1");
//   for (const std::string& line : narration.Next(loop.view(), clock.Now())) say(line);
//
// A line for each change, and one at least every kRepeat.
// Thread rule: one thread. Pure: the time is given.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "worker/core/worker_core.h"

namespace muster::worker {

class DrainNarration {
 public:
  static constexpr absl::Duration kRepeat = absl::Seconds(5);

  explicit DrainNarration(std::string worker) : worker_(std::move(worker)) {}

  // What there is to say since the last call; nothing while the view does not drain.
  std::vector<std::string> Next(const WorkerCoreView& view, absl::Time now);

 private:
  // Of what the last line told.
  struct Told {
    std::vector<AttemptKey> running;
    uint32_t unacknowledged = 0;
    absl::Time at;
  };

  const std::string worker_;
  std::optional<Told> told_;
  bool stopping_told_ = false;
};

}  // namespace muster::worker
