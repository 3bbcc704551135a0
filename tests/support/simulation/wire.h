// What lies between one worker's machine and the master: two paths (the session's streams, which the master opens, and
// the registry calls, which the worker makes), each of which can be cut in either direction by itself.
//
// A stream keeps its order: what is sent while its direction is cut waits and arrives after the cut, at once or when the
// sender tries again, seconds later, unless one end has given up by then. A message may arrive long after the master opened a newer stream. A call is one message each
// way with a delay of its own: calls overtake one another, get lost in a cut or arrive seconds after it, though the
// process that made them has died since; now and then one arrives twice.
// Thread rule: one thread. Ownership: a Stream is shared by its two ends; the Wire must outlive both.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "tests/support/simulation/scene.h"

namespace muster::simulation {

class SimulatedMachine;

enum class Path : uint8_t { kSession, kRegistry };
enum class Way : uint8_t { kUp, kDown };  // worker to master, master to worker

class Wire;

// One session's stream.
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  Stream(Scene* scene, Wire* wire) : scene_(*scene), wire_(*wire) {}

  void Send(Way way, std::function<void()> deliver) { SendAfter(way, Latency(), std::move(deliver)); }
  void SendAfter(Way way, absl::Duration delay, std::function<void()> deliver);
  // What is under way is lost with the connection.
  void DropUnderWay(Way way) { Of(way).messages.clear(); }
  void Pump(Way way);
  // Its direction is whole again.
  void Resume(Way way);

  // --- For the ends; the stream itself does not look at them.
  SimulatedMachine* machine = nullptr;
  WorkerId worker;
  Epoch epoch;
  SessionNumber session;
  uint64_t master_life = 0;
  uint64_t server_life = 0;  // 0: it has not arrived
  uint64_t id = 0;           // at the worker
  bool open_at_master = true;
  bool open_at_worker = false;
  bool greeted = false;      // Hello has arrived at the master
  bool told = false;         // its end is known to the core, or nobody's business

 private:
  struct Message {
    absl::Time at;
    std::function<void()> deliver;
  };
  struct Direction {
    std::deque<Message> messages;
    absl::Time last = absl::InfinitePast();
    absl::Time resumes = absl::InfinitePast();
    bool pumping = false;
  };
  Direction& Of(Way way) { return directions_[static_cast<size_t>(way)]; }
  absl::Duration Latency() { return absl::Microseconds(100) + scene_.UpTo(absl::Milliseconds(2)); }

  Scene& scene_;
  Wire& wire_;
  std::array<Direction, 2> directions_;
};
using StreamPtr = std::shared_ptr<Stream>;

class Wire {
 public:
  explicit Wire(Scene* scene) : scene_(*scene) {}
  ~Wire();  // what is still under way keeps its own stream alive

  StreamPtr Open();
  void Call(Way way, std::function<void()> deliver);

  bool cut(Path path, Way way) const { return Flag(path, way) > 0; }
  bool cut(Path path) const { return cut(path, Way::kUp) || cut(path, Way::kDown); }
  void CutFor(Path path, Way way, absl::Duration how_long);
  void HealAll();
  void Break();  // every stream, as by a reset
  // Told when a cut of the session's path has lasted long enough for both ends' keepalives to notice.
  std::function<void(const StreamPtr&, Way end)> on_silence;

 private:
  int& Flag(Path path, Way way) { return cuts_[static_cast<size_t>(path)][static_cast<size_t>(way)]; }
  int Flag(Path path, Way way) const { return cuts_[static_cast<size_t>(path)][static_cast<size_t>(way)]; }
  void Heal(Path path, Way way);
  void Notice(uint64_t cut, Way end);

  Scene& scene_;
  int cuts_[2][2] = {};      // how many hold
  uint64_t cut_number_ = 0;  // of the session's path; a new one with each that begins
  uint64_t generation_ = 0;  // HealAll ended the cuts of earlier ones
  std::vector<std::weak_ptr<Stream>> streams_;
  std::vector<std::function<void()>> held_[2];  // calls, by way
};

}  // namespace muster::simulation
