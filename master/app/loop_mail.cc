#include "master/app/loop_mail.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace muster::master {
namespace {

bool IsHeartbeat(const LoopMail::Content& content) {
  const auto* event = std::get_if<core::Event>(&content);
  return event != nullptr && std::holds_alternative<core::WorkerHeartbeat>(*event);
}

bool IsJoin(const LoopMail::Content& content) {
  const auto* event = std::get_if<core::Event>(&content);
  return event != nullptr && std::holds_alternative<core::WorkerJoin>(*event);
}

}  // namespace

LoopMail::LoopMail(size_t most_events, int64_t most_bytes)
    : most_events_(static_cast<int64_t>(most_events)),
      most_bytes_(most_bytes),
      mailbox_(std::numeric_limits<size_t>::max()) {}

bool LoopMail::Post(Content content, int64_t bytes) {
  events_.fetch_add(1, std::memory_order_relaxed);
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
  if (mailbox_.PostAlways({std::move(content), bytes})) return true;
  events_.fetch_sub(1, std::memory_order_relaxed);
  bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  return false;
}

bool LoopMail::IsFull(int64_t bytes) const { return events() >= most_events_ || this->bytes() + bytes > most_bytes_; }

bool LoopMail::IsHalfFull() const { return events() > most_events_ / 2 || bytes() > most_bytes_ / 2; }

bool LoopMail::Take(absl::Duration wait) {
  if (left() == 0) {
    taken_.clear();
    next_ = searched_ = 0;
  }
  return mailbox_.Take(&taken_, wait);
}

void LoopMail::HandleOne(Item* item, Handler handle) {
  if (std::holds_alternative<std::monostate>(item->content)) return;
  events_.fetch_sub(1, std::memory_order_relaxed);
  bytes_.fetch_sub(item->bytes, std::memory_order_relaxed);
  handle(std::exchange(item->content, std::monostate()));
}

size_t LoopMail::Handle(size_t most_events, int64_t most_bytes, Handler handle) {
  size_t events = 0;
  int64_t bytes = 0;
  while (next_ < taken_.size() && events < most_events && bytes < most_bytes) {
    Item& item = taken_[next_++];
    ++events;
    bytes += item.bytes;
    HandleOne(&item, handle);
  }
  return events;
}

void LoopMail::HandleAll(Handler handle) {
  Handle(std::numeric_limits<size_t>::max(), std::numeric_limits<int64_t>::max(), handle);
}

void LoopMail::HandleLeases(Handler handle) {
  for (searched_ = std::max(searched_, next_); searched_ < taken_.size(); ++searched_) {
    Item& item = taken_[searched_];
    if (IsHeartbeat(item.content) || IsJoin(item.content)) HandleOne(&item, handle);
  }
}

void LoopMail::TakeOutHeartbeats(Handler handle) {
  for (Item& item : taken_) {
    if (IsHeartbeat(item.content)) HandleOne(&item, handle);
  }
  taken_.erase(std::remove_if(taken_.begin(), taken_.end(),
                              [](const Item& item) { return std::holds_alternative<std::monostate>(item.content); }),
               taken_.end());
  next_ = searched_ = 0;
}

void LoopMail::Drop() {
  HandleAll([](Content) {});
  taken_.clear();
  next_ = searched_ = 0;
}

}  // namespace muster::master
