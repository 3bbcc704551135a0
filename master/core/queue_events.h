// Queues being set, paused and resumed: checked, stored, and in force at once.
//
// Thread rule: one thread. Errors, in the answers: BAD_QUEUE_SETTINGS, TOO_MANY_QUEUES; then nothing happened.
#pragma once

#include <string>

#include "master/core/cluster.h"
#include "master/core/events.h"

namespace muster::core {

class QueueEvents {
 public:
  explicit QueueEvents(Cluster* cluster) : cluster_(*cluster) {}

  // Once, after a start: puts in force what is configured and stored.
  void Start(const Moment& turn);

  void OnUpdate(const Moment& turn, const UpdateQueue& event);
  void OnPause(const Moment& turn, const PauseQueue& event);
  void OnResume(const Moment& turn, const ResumeQueue& event);

 private:
  bool AnswerTooMany(const Moment& turn, CallId call, const std::string& queue);
  // Nothing is set of it, and nothing was to be taken away.
  void AnswerAsItIs(const Moment& turn, CallId call, const std::string& queue);
  // Stores, logs and answers what was just set.
  void Settle(const Moment& turn, CallId call, const std::string& queue, const std::string& by);

  Cluster& cluster_;
};

}  // namespace muster::core
