#include "tests/support/simulation/wire.h"

#include <algorithm>
#include <utility>

namespace muster::simulation {
namespace {

constexpr absl::Duration kKeepalive = absl::Seconds(3);
constexpr absl::Duration kKeepaliveSpread = absl::Seconds(9);
constexpr absl::Duration kLongestRetransmission = absl::Seconds(4);

}  // namespace

void Stream::SendAfter(Way way, absl::Duration delay, std::function<void()> deliver) {
  Direction& direction = Of(way);
  direction.last = std::max(direction.last, scene_.now() + delay);
  direction.messages.push_back({direction.last, std::move(deliver)});
  Pump(way);
}

void Stream::Pump(Way way) {
  Direction& direction = Of(way);
  if (direction.pumping || direction.messages.empty() || wire_.cut(Path::kSession, way)) return;
  direction.pumping = true;
  scene_.After(std::max(direction.messages.front().at, direction.resumes) - scene_.now(), [self = shared_from_this(), way] {
    Direction& mine = self->Of(way);
    mine.pumping = false;
    if (mine.messages.empty() || self->wire_.cut(Path::kSession, way)) return;
    if (std::max(mine.messages.front().at, mine.resumes) <= self->scene_.now()) {
      const auto deliver = std::move(mine.messages.front().deliver);
      mine.messages.pop_front();
      deliver();
    }
    self->Pump(way);
  });
}

void Stream::Resume(Way way) {
  Direction& direction = Of(way);
  if (!direction.messages.empty() && scene_.Happens(0.5)) {
    scene_.Count("stream after the cut");
    direction.resumes = scene_.now() + scene_.UpTo(kLongestRetransmission);
  }
  Pump(way);
}

Wire::~Wire() {
  for (const auto& weak : streams_) {
    const StreamPtr stream = weak.lock();
    if (stream == nullptr) continue;
    for (const Way way : {Way::kUp, Way::kDown}) stream->DropUnderWay(way);
  }
}

StreamPtr Wire::Open() {
  std::erase_if(streams_, [](const std::weak_ptr<Stream>& stream) { return stream.expired(); });
  auto stream = std::make_shared<Stream>(&scene_, this);
  streams_.push_back(stream);
  return stream;
}

void Wire::Call(Way way, std::function<void()> deliver) {
  absl::Duration latency = absl::Microseconds(100) + scene_.UpTo(absl::Milliseconds(5));
  if (scene_.Happens(0.01)) latency += scene_.UpTo(absl::Seconds(3));
  if (scene_.Happens(0.01)) {
    scene_.Count("call repeated");
    scene_.After(latency + scene_.UpTo(absl::Seconds(2)), deliver);
  }
  scene_.After(latency, [this, way, deliver = std::move(deliver)]() mutable {
    if (!cut(Path::kRegistry, way)) return deliver();
    if (scene_.Happens(0.5)) held_[static_cast<size_t>(way)].push_back(std::move(deliver));
  });
}

void Wire::CutFor(Path path, Way way, absl::Duration how_long) {
  ++Flag(path, way);
  scene_.After(how_long, [this, path, way, generation = generation_] {
    if (generation == generation_) Heal(path, way);
  });
  if (path != Path::kSession) return;
  const uint64_t cut = ++cut_number_;
  for (const Way end : {Way::kUp, Way::kDown}) {
    scene_.After(kKeepalive + scene_.UpTo(kKeepaliveSpread), [this, cut, end] { Notice(cut, end); });
  }
}

void Wire::Notice(uint64_t cut_number, Way end) {
  if (cut_number != cut_number_ || !cut(Path::kSession)) return;
  for (const auto& weak : streams_) {
    if (const StreamPtr stream = weak.lock()) on_silence(stream, end);
  }
}

void Wire::Heal(Path path, Way way) {
  if (Flag(path, way) > 0) --Flag(path, way);
  if (Flag(path, way) > 0) return;
  if (path == Path::kSession) {
    for (const auto& weak : std::vector<std::weak_ptr<Stream>>(streams_)) {
      if (const StreamPtr stream = weak.lock()) stream->Resume(way);
    }
    return;
  }
  for (auto& call : std::exchange(held_[static_cast<size_t>(way)], {})) {
    scene_.Count("call after the cut");
    scene_.After(scene_.UpTo(kLongestRetransmission), std::move(call));
  }
}

void Wire::Break() {
  for (const auto& weak : std::vector<std::weak_ptr<Stream>>(streams_)) {
    const StreamPtr stream = weak.lock();
    if (stream == nullptr) continue;
    for (const Way end : {Way::kUp, Way::kDown}) {
      stream->DropUnderWay(end);
      on_silence(stream, end);
    }
  }
}

void Wire::HealAll() {
  ++generation_;
  for (const Path path : {Path::kSession, Path::kRegistry}) {
    for (const Way way : {Way::kUp, Way::kDown}) {
      Flag(path, way) = 0;
      Heal(path, way);
    }
  }
}

}  // namespace muster::simulation
