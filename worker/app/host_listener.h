// What the execution host says, sent on: to the loop as events, to the relay as output, or to the person whose direct
// call it concerns.
//
// Thread rule: the host's threads. Ownership: what it is given must outlive the host.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "worker/app/output_relay.h"
#include "worker/app/worker_loop.h"
#include "worker/app/worker_metrics.h"
#include "worker/execution/execution_host.h"
#include "worker/session/worker_service.h"

namespace muster::worker {

class HostListener final : public execution::Listener {
 public:
  HostListener(WorkerLoop* loop, WorkerService* service, OutputRelay* relay, WorkerMetrics* metrics,
               std::function<void()> offer_changed)
      : loop_(loop),
        service_(service),
        relay_(relay),
        metrics_(metrics),
        offer_changed_(std::move(offer_changed)) {}

  void OnStarted(AttemptKey key, absl::Time time) override;
  void OnOutput(AttemptKey key, plugin::Stream stream, int64_t offset, std::string bytes, int64_t skipped) override;
  void OnWorkEnded(AttemptKey key, absl::Time time) override;
  void OnEnded(AttemptReportPtr report) override;
  void OnLog(AttemptKey key, absl::Time time, plugin::Severity severity, std::string message,
             std::vector<std::pair<std::string, std::string>> fields) override;
  void OnOfferChanged() override { offer_changed_(); }

 private:
  WorkerLoop* const loop_;
  WorkerService* const service_;
  OutputRelay* const relay_;
  WorkerMetrics* const metrics_;
  const std::function<void()> offer_changed_;
};

}  // namespace muster::worker
