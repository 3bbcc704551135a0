// One direction of a gRPC callback stream: one write in flight, a bounded queue behind it, finished exactly once.
//
// The three reactor kinds that write (client bidi, server bidi, server writer) each own an Outbox<Message> and give
// it how to start a write and how to finish. gRPC wants one write at a time and Finish at most once; only this class
// knows that.
//
//   Outbox<SessionRequest> outbox({.limit_bytes = 8 << 20, .start_write = [this](const auto* m) { StartWrite(m); },
//                                  .finish = [this](grpc::Status s) { Finish(s); }});
//   outbox.Push(std::move(message), bytes)    false: over the limit or finishing; nothing was taken
//   outbox.Fill(fn)                           pull style: fn(Message*) -> bool is asked for the next message each
//                                             time a write completes, so that what waits travels together
//   outbox.OnWriteDone(ok)                    from the reactor
//   outbox.Finish(status)                     after what is queued has been written; Abort(status) drops it
//
// Thread rule: any thread. The functions are called without its lock held. A client reactor must AddHold until its
// finish function ran: OnDone may otherwise come between a write's start and its return. Ownership: it owns the message in flight.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <utility>

#include <grpcpp/support/status.h>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace muster::rpc {

template <typename Message>
class Outbox {
 public:
  struct Options {
    size_t limit_bytes = size_t{8} << 20;
    std::function<void(const Message*)> start_write;
    std::function<void(grpc::Status)> finish;
    // Asked when nothing is queued and no write is in flight; true: it filled the message.
    std::function<bool(Message*)> fill;
  };

  explicit Outbox(Options options) : options_(std::move(options)) {}

  bool Push(Message message, size_t bytes) {
    {
      absl::MutexLock lock(&mutex_);
      if (closing_ || (queued_bytes_ > 0 && queued_bytes_ + bytes > options_.limit_bytes)) return false;
      queued_bytes_ += bytes;
      queue_.emplace_back(std::move(message), bytes);
    }
    Pump();
    return true;
  }

  // Something new may be there for `fill`.
  void Wake() { Pump(); }

  void OnWriteDone(bool ok) {
    {
      absl::MutexLock lock(&mutex_);
      in_flight_ = false;
      queued_bytes_ -= flight_bytes_;
      flight_bytes_ = 0;
      if (!ok) {
        broken_ = true;
        DropQueue();
      }
    }
    Pump();
  }

  void Finish(grpc::Status status) {
    {
      absl::MutexLock lock(&mutex_);
      if (closing_) return;
      closing_ = std::move(status);
    }
    Pump();
  }

  void Abort(grpc::Status status) {
    {
      absl::MutexLock lock(&mutex_);
      DropQueue();
      broken_ = true;
      if (!closing_) closing_ = std::move(status);
    }
    Pump();
  }

  size_t queued_bytes() const {
    absl::MutexLock lock(&mutex_);
    return queued_bytes_;
  }

 private:
  void DropQueue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (auto& [message, bytes] : queue_) queued_bytes_ -= bytes;
    queue_.clear();
  }

  // What to do next, decided under the lock and done without it.
  enum class Step { kNothing, kWrite, kAskFill, kFinish };

  Step NextStep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    again_ = false;
    if (in_flight_ || finished_) return Step::kNothing;
    if (!queue_.empty()) {
      current_ = std::move(queue_.front().first);
      flight_bytes_ = queue_.front().second;
      queue_.pop_front();
      in_flight_ = true;
      return Step::kWrite;
    }
    if (closing_) {
      finished_ = true;
      return Step::kFinish;
    }
    return options_.fill && !broken_ ? Step::kAskFill : Step::kNothing;
  }

  // Starts what can start. One caller pumps at a time; the others leave a note that there is more.
  void Pump() {
    while (true) {
      Step step = Step::kNothing;
      grpc::Status status;
      {
        absl::MutexLock lock(&mutex_);
        if (pumping_) {
          again_ = true;
          return;
        }
        step = NextStep();
        if (step == Step::kNothing) return;
        if (step == Step::kFinish) status = *closing_;
        pumping_ = step != Step::kFinish;
      }
      if (step == Step::kFinish) {
        options_.finish(std::move(status));  // the reactor may be gone after this
        return;
      }
      if (step == Step::kAskFill) {
        current_.Clear();
        if (options_.fill(&current_)) {
          absl::MutexLock lock(&mutex_);
          in_flight_ = true;
          step = Step::kWrite;
        }
      }
      if (step == Step::kWrite) options_.start_write(&current_);
      absl::MutexLock lock(&mutex_);
      pumping_ = false;
      if (!again_) return;
    }
  }

  const Options options_;
  mutable absl::Mutex mutex_;
  std::deque<std::pair<Message, size_t>> queue_ ABSL_GUARDED_BY(mutex_);
  size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t flight_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool in_flight_ ABSL_GUARDED_BY(mutex_) = false;
  bool pumping_ ABSL_GUARDED_BY(mutex_) = false;
  bool again_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<grpc::Status> closing_ ABSL_GUARDED_BY(mutex_);
  Message current_;  // touched only by the one who pumps, and by gRPC while in flight
};

}  // namespace muster::rpc
