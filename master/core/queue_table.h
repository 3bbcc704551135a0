// What is set of the queues: the configuration as the base, and over it what people set by hand, and pauses.
//
// A queue that nobody set anything of has the defaults, and so has one whose settings were reset and whose pause was
// ended: it is forgotten. Bounded: kMostQueuesSet names that something is set of.
// Thread rule: one thread. Cost: O(log n).
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/queue_settings.h"
#include "master/core/transaction.h"

namespace muster::core {

class QueueTable {
 public:
  static constexpr size_t kMostQueuesSet = 10'000;

  explicit QueueTable(std::map<std::string, QueueSettings> configured) : configured_(std::move(configured)) {}

  const QueueSettings& SettingsOf(const std::string& queue) const;
  const QueuePause& PauseOf(const std::string& queue) const;
  bool IsSetByHand(const std::string& queue) const;

  // True: something may be set of it, as of one name more or of one that has its place.
  bool TakesAnother(const std::string& queue) const;
  void SetByHand(const std::string& queue, QueueSettings settings);
  void Reset(const std::string& queue);  // back to the configuration
  void SetPause(const std::string& queue, QueuePause pause);
  // Forgets pauses that are over; the names of which nothing is left.
  std::vector<std::string> ForgetPast(absl::Time now);

  // The row that stores what people set of it, and back; an empty one: nothing.
  QueueSettingRow RowOf(const std::string& queue) const;
  void Restore(const QueueSettingRow& row);

  // Of every queue that is configured or was touched.
  std::map<std::string, QueueSettings> All() const;

 private:
  struct Touched {
    std::optional<QueueSettings> by_hand;
    QueuePause pause;

    bool Empty() const { return !by_hand.has_value() && pause == QueuePause(); }
  };
  void ForgetEmpty(const std::string& queue);

  const std::map<std::string, QueueSettings> configured_;
  std::map<std::string, Touched> touched_;
};

}  // namespace muster::core
