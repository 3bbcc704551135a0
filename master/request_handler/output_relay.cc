#include "master/request_handler/output_relay.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace muster::handler {
struct OutputRelay::Order {
  enum class What { kSubscribe, kAcknowledge, kPause, kDetach } what;
  WorkerId worker;
  AttemptKey key;
  core::OutputStreamKind stream;
  int64_t offset = 0;
  bool lossless = false;
};

void OutputRelay::Tell(const std::vector<Order>& orders) {
  if (source_ == nullptr) return;
  for (const Order& order : orders) {
    switch (order.what) {
      case Order::What::kSubscribe:
        source_->Subscribe(order.worker, order.key, order.stream, order.offset, order.lossless);
        break;
      case Order::What::kAcknowledge:
        source_->Acknowledge(order.worker, order.key, order.stream, order.offset);
        break;
      case Order::What::kPause: source_->Pause(order.worker, order.key, order.stream); break;
      case Order::What::kDetach: source_->Detach(order.worker, order.key, order.stream); break;
    }
  }
}

void OutputRelay::Subscribe(const std::shared_ptr<OutputReader>& reader, WorkerId worker, AttemptKey key,
                            core::OutputStreamKind stream, int64_t offset, bool lossless) {
  bool any_lossless = lossless;
  std::vector<Order> orders;
  {
    absl::MutexLock lock(&mutex_);
    Attempt& attempt = attempts_[key];
    attempt.worker = worker;
    std::vector<Reading>& readings = attempt.streams[Index(stream)];
    auto it = std::find_if(readings.begin(), readings.end(),
                           [&](const Reading& reading) { return reading.reader == reader; });
    if (it == readings.end()) {
      readings.push_back({.reader = reader, .lossless = lossless, .acknowledged = offset});
      it = readings.end() - 1;
    }
    it->held = false;
    int64_t lowest = std::numeric_limits<int64_t>::max();
    for (const Reading& reading : readings) {
      any_lossless |= reading.lossless;
      if (reading.lossless) lowest = std::min(lowest, reading.acknowledged);
    }
    // A reader that goes on where it was is done with what lies before: the worker may still be waiting to hear so.
    int64_t& told = attempt.acknowledged[Index(stream)];
    if (lossless && lowest > told) {
      told = lowest;
      orders.push_back({Order::What::kAcknowledge, worker, key, stream, lowest});
    }
    by_reader_[reader.get()].insert(key);
    by_worker_[worker].insert(key);
  }
  // Bytes that others have already come again; they drop them by their offset.
  orders.insert(orders.begin(), {Order::What::kSubscribe, worker, key, stream, offset, any_lossless});
  Tell(orders);
}

void OutputRelay::Acknowledge(OutputReader* reader, AttemptKey key, core::OutputStreamKind stream, int64_t offset) {
  std::vector<Order> orders;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = attempts_.find(key);
    if (it == attempts_.end()) return;
    Attempt& attempt = it->second;
    int64_t lowest = std::numeric_limits<int64_t>::max();
    bool reads = false;
    for (Reading& reading : attempt.streams[Index(stream)]) {
      if (reading.reader.get() == reader) {
        reading.acknowledged = std::max(reading.acknowledged, offset);
        reads = true;
      }
      if (reading.lossless) lowest = std::min(lowest, reading.acknowledged);
    }
    int64_t& told = attempt.acknowledged[Index(stream)];
    if (!reads || lowest == std::numeric_limits<int64_t>::max() || lowest <= told) return;
    told = lowest;
    orders.push_back({Order::What::kAcknowledge, attempt.worker, key, stream, lowest});
  }
  Tell(orders);
}

void OutputRelay::Hold(OutputReader* reader, AttemptKey key, core::OutputStreamKind stream) {
  std::vector<Order> orders;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = attempts_.find(key);
    if (it == attempts_.end()) return;
    bool all_held = true;
    for (Reading& reading : it->second.streams[Index(stream)]) {
      if (reading.reader.get() == reader) reading.held = true;
      all_held = all_held && reading.held && !reading.lossless;
    }
    if (!all_held) return;
    orders.push_back({Order::What::kPause, it->second.worker, key, stream});
  }
  Tell(orders);
}

void OutputRelay::LeaveLocked(OutputReader* reader, AttemptKey key, Why why, std::vector<Order>* orders) {
  const auto it = attempts_.find(key);
  if (it == attempts_.end()) return;
  Attempt& attempt = it->second;
  for (const core::OutputStreamKind stream : core::kOutputStreams) {
    std::vector<Reading>& readings = attempt.streams[Index(stream)];
    const auto mine = std::find_if(readings.begin(), readings.end(),
                                   [&](const Reading& reading) { return reading.reader.get() == reader; });
    if (mine == readings.end()) continue;
    const bool was_lossless = mine->lossless;
    readings.erase(mine);
    const bool lossless_left =
        std::any_of(readings.begin(), readings.end(), [](const Reading& reading) { return reading.lossless; });
    if (why == Why::kEnded) continue;
    if (was_lossless && why == Why::kDetached && !lossless_left) {
      orders->push_back({Order::What::kDetach, attempt.worker, key, stream});
    } else if (readings.empty()) {
      orders->push_back({Order::What::kPause, attempt.worker, key, stream});
    }
  }
  if (!attempt.streams[0].empty() || !attempt.streams[1].empty()) return;
  const auto on_worker = by_worker_.find(attempt.worker);
  if (on_worker != by_worker_.end()) {
    on_worker->second.erase(key);
    if (on_worker->second.empty()) by_worker_.erase(on_worker);
  }
  attempts_.erase(it);
}

void OutputRelay::Leave(OutputReader* reader, AttemptKey key, Why why) {
  std::vector<Order> orders;
  {
    absl::MutexLock lock(&mutex_);
    const auto mine = by_reader_.find(reader);
    if (mine == by_reader_.end() || mine->second.erase(key) == 0) return;
    if (mine->second.empty()) by_reader_.erase(mine);
    LeaveLocked(reader, key, why, &orders);
  }
  Tell(orders);
}

void OutputRelay::LeaveAll(OutputReader* reader, Why why) {
  std::vector<Order> orders;
  {
    absl::MutexLock lock(&mutex_);
    const auto mine = by_reader_.find(reader);
    if (mine == by_reader_.end()) return;
    const absl::flat_hash_set<AttemptKey> keys = std::move(mine->second);
    by_reader_.erase(mine);
    for (const AttemptKey& key : keys) LeaveLocked(reader, key, why, &orders);
  }
  Tell(orders);
}

void OutputRelay::OnOutput(AttemptKey key, core::OutputStreamKind stream, int64_t offset, const std::string& bytes,
                           int64_t skipped) {
  std::vector<std::shared_ptr<OutputReader>> readers;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = attempts_.find(key);
    if (it == attempts_.end()) return;
    for (const Reading& reading : it->second.streams[Index(stream)]) readers.push_back(reading.reader);
  }
  for (const auto& reader : readers) reader->OnOutput(key, stream, offset, bytes, skipped);
}

void OutputRelay::OnWorkerReachable(WorkerId worker) {
  struct Stream {
    AttemptKey key;
    core::OutputStreamKind stream;
    int64_t acknowledged = 0;
    bool lossless = false;
    std::vector<std::shared_ptr<OutputReader>> readers;
  };
  std::vector<Stream> streams;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = by_worker_.find(worker);
    if (it == by_worker_.end()) return;
    for (const AttemptKey& key : it->second) {
      const Attempt& attempt = attempts_.find(key)->second;
      for (const core::OutputStreamKind kind : core::kOutputStreams) {
        Stream stream{.key = key, .stream = kind, .acknowledged = attempt.acknowledged[Index(kind)]};
        for (const Reading& reading : attempt.streams[Index(kind)]) {
          stream.readers.push_back(reading.reader);
          stream.lossless |= reading.lossless;
        }
        if (!stream.readers.empty()) streams.push_back(std::move(stream));
      }
    }
  }
  std::vector<Order> orders;
  for (const Stream& stream : streams) {
    int64_t lowest = std::numeric_limits<int64_t>::max();
    for (const auto& reader : stream.readers) {
      const int64_t wanted = reader->WantedOffset(stream.key, stream.stream);
      if (wanted >= 0) lowest = std::min(lowest, wanted);
    }
    if (lowest == std::numeric_limits<int64_t>::max()) continue;
    orders.push_back({Order::What::kSubscribe, worker, stream.key, stream.stream, lowest, stream.lossless});
    // What was acknowledged while the worker was away did not reach it.
    if (stream.acknowledged == 0) continue;
    orders.push_back({Order::What::kAcknowledge, worker, stream.key, stream.stream, stream.acknowledged});
  }
  Tell(orders);
}

size_t OutputRelay::attempt_count() const {
  absl::MutexLock lock(&mutex_);
  return attempts_.size();
}

}  // namespace muster::handler
