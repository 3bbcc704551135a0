// Sends many tasks in calls that the master takes: one that brings more than may ever wait at a time is cut in halves,
// and so is every later one; one for which there is no room just now waits for it.
//
//   BatchCalls calls(&client, {});
//   status = calls.Send(std::move(request), name_it, [&](const auto& sent, const auto& response) { ...; return true; });
//
// A refused call has made nothing: its first part may go by the same request id.
// Thread rule: one thread. Ownership: the client outlives it. Errors: the master's and the client's.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/client.h"

namespace muster::cli {

class BatchCalls {
 public:
  struct Options {
    // Once something was accepted: for as long as a full queue takes to drain; else as any call.
    bool waits_for_room = true;
    std::function<bool()> stopped;  // asked while it waits; null: never
  };
  BatchCalls(Client* client, Options options) : client_(client), options_(std::move(options)) {}

  // Puts the request id, and the template or the batch, into a call that is about to leave.
  using Prepare = std::function<void(v1::SubmitBatchRequest*)>;
  // False: send no more.
  using Accepted = std::function<bool(const v1::SubmitBatchRequest&, const v1::SubmitBatchResponse&)>;
  absl::Status Send(v1::SubmitBatchRequest call, const Prepare& prepare, const Accepted& accepted);

  // Tasks or rows that a call may have, as far as it is known: what more are collected for one is cut again.
  int most_items() const { return most_items_; }

 private:
  absl::StatusOr<v1::SubmitBatchResponse> SendOne(const v1::SubmitBatchRequest& call);
  bool IsStopped() const { return options_.stopped != nullptr && options_.stopped(); }

  Client* const client_;
  const Options options_;
  bool accepted_any_ = false;
  int most_items_ = INT32_MAX;
};

}  // namespace muster::cli
