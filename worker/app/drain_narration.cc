#include "worker/app/drain_narration.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"

namespace muster::worker {
namespace {

constexpr size_t kMostNamed = 8;

std::string Count(size_t count, const char* one, const char* many) {
  return absl::StrCat(count, " ", count == 1 ? one : many);
}

// "task 7 (attempt 1), task 9 (attempt 2) and 3 more"
std::string Names(const std::vector<AttemptKey>& keys) {
  std::string names;
  for (size_t i = 0; i < std::min(keys.size(), kMostNamed); ++i) {
    absl::StrAppend(&names, i == 0 ? "" : ", ", "task ", IdToText(keys[i].task.value()), " (attempt ",
                    keys[i].number.value(), ")");
  }
  if (keys.size() > kMostNamed) absl::StrAppend(&names, " and ", keys.size() - kMostNamed, " more");
  return names;
}

std::vector<AttemptKey> Missing(const std::vector<AttemptKey>& before, const std::vector<AttemptKey>& now) {
  std::vector<AttemptKey> missing;
  for (const AttemptKey& key : before) {
    if (std::find(now.begin(), now.end(), key) == now.end()) missing.push_back(key);
  }
  return missing;
}

std::string Left(absl::Time until, absl::Time now) {
  if (until == absl::InfiniteFuture()) return "no deadline";
  const absl::Duration left = std::max(absl::ZeroDuration(), absl::Ceil(until - now, absl::Seconds(1)));
  return absl::StrCat(absl::ToInt64Seconds(left), " s left");
}

std::string WhatIsLeft(const WorkerCoreView& view, absl::Time now) {
  const DrainView& drain = *view.drain;
  if (!drain.running.empty()) {
    return absl::StrCat(Count(drain.running.size(), "attempt runs: ", "attempts run: "), Names(drain.running), "; ",
                        Left(now < drain.deadline ? drain.deadline : drain.give_up, now));
  }
  if (view.running > 0) {
    return absl::StrCat("no attempt runs, but ", Count(view.running, "direct execution", "direct executions"), "; ",
                        Left(drain.give_up, now));
  }
  if (view.unacknowledged > 0) {
    return absl::StrCat("nothing runs; ", Count(view.unacknowledged, "result waits", "results wait"),
                        " for the master's acknowledgement; ",
                        Left(drain.leaving ? drain.give_up : absl::InfiniteFuture(), now));
  }
  return "nothing runs, and every result is acknowledged";
}

}  // namespace

std::vector<std::string> DrainNarration::Next(const WorkerCoreView& view, absl::Time now) {
  if (!view.drain.has_value()) {
    told_.reset();
    stopping_told_ = false;
    return {};
  }
  std::vector<std::string> lines;
  const DrainView& drain = *view.drain;
  const bool first = !told_.has_value();
  // From what was stopped and not from what runs: that may be over before anybody looks.
  if (!drain.stopped.empty() && !std::exchange(stopping_told_, true)) {
    lines.push_back(absl::StrCat("time is up: stopping ", Names(drain.stopped),
                                 "; it is reported PREEMPTED, which uses up no attempt"));
  }
  if (!first) {
    const std::vector<AttemptKey> ended = Missing(told_->running, drain.running);
    if (!ended.empty()) lines.push_back(absl::StrCat(ended.size() == 1 ? "ended: " : "have ended: ", Names(ended)));
  }
  const bool changed = first || !lines.empty() || told_->unacknowledged != view.unacknowledged;
  if (!changed && now < told_->at + kRepeat) return lines;
  lines.push_back(absl::StrCat(first ? worker_ + " takes nothing new; " : "", WhatIsLeft(view, now)));
  told_ = Told{drain.running, view.unacknowledged, now};
  return lines;
}

}  // namespace muster::worker
