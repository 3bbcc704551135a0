#include "master/core/request_window.h"

namespace muster::core {

const AcceptedRequest* RequestWindow::Find(const RequestKey& key) const {
  const auto found = accepted_.find(Name(key.owner, key.id));
  return found == accepted_.end() ? nullptr : &found->second;
}

void RequestWindow::Add(const RequestKey& key, AcceptedRequest request, absl::Time now) {
  Name name(key.owner, key.id);
  by_time_.emplace_back(now, name);
  accepted_.insert_or_assign(std::move(name), std::move(request));
}

void RequestWindow::Forget(absl::Time now) {
  while (!by_time_.empty() && by_time_.front().first + kKept < now) {
    accepted_.erase(by_time_.front().second);
    by_time_.pop_front();
  }
}

}  // namespace muster::core
