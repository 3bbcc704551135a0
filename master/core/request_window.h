// The calls with a request id that were accepted a moment ago: a client that tries again gets the same answer, though
// the edge looked into the store before the first try was durable. What is older is the store's to know.
//
// Keeps every call of the last minute and at most kLimit; at the limit new ids are refused, not forgotten.
// Thread rule: one thread.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "common/base/digest.h"
#include "common/domain/ids.h"
#include "master/core/events.h"

namespace muster::core {

struct AcceptedRequest {
  Digest digest{};
  std::vector<TaskRange> tasks;
  TaskId batch;
  uint64_t batch_size = 0;
};

class RequestWindow {
 public:
  static constexpr size_t kLimit = 1'000'000;
  static constexpr absl::Duration kKept = absl::Seconds(60);

  const AcceptedRequest* Find(const RequestKey& key) const;
  bool full() const { return accepted_.size() >= kLimit; }
  void Add(const RequestKey& key, AcceptedRequest request, absl::Time now);
  // Drops what is older than a minute.
  void Forget(absl::Time now);

 private:
  using Name = std::pair<std::string, std::string>;  // owner, id

  absl::flat_hash_map<Name, AcceptedRequest> accepted_;
  std::deque<std::pair<absl::Time, Name>> by_time_;
};

}  // namespace muster::core
