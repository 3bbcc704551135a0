#include "common/domain/task_state.h"

#include <array>

namespace muster {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

constexpr uint16_t Bit(TaskState state) { return static_cast<uint16_t>(1u << static_cast<unsigned>(state)); }
template <typename... States>
constexpr uint16_t Bits(States... states) {
  return static_cast<uint16_t>((Bit(states) | ...));
}

// Row: from; bits: to. The rows of docs/states.md.
constexpr std::array<uint16_t, 13> kMoves = [] {
  using enum TaskState;
  std::array<uint16_t, 13> moves{};
  auto row = [&moves](TaskState from) -> uint16_t& { return moves[static_cast<size_t>(from)]; };
  row(kNone) = Bits(kPending, kQueued);
  row(kPending) = Bits(kQueued, kCancelled, kTimedOut);
  row(kQueued) = Bits(kDispatched, kTimedOut, kCancelled);
  // A result may come before any started report: RUNNING's moves are open from DISPATCHED through RUNNING.
  row(kDispatched) = Bits(kQueued, kRunning, kPending, kUnknown, kPoisoned, kCancelled, kFailed);
  row(kRunning) = Bits(kValidating, kSucceeded, kFailed, kPending, kTimedOut, kQueued, kUnknown, kPoisoned, kCancelled);
  row(kValidating) = Bits(kSucceeded, kFailed, kPending, kQueued, kUnknown, kPoisoned, kCancelled, kTimedOut);
  row(kUnknown) = Bits(kRunning, kQueued, kLost, kCancelled);
  return moves;
}();

constexpr std::array<std::string_view, 13> kTaskStateNames = {
    "NONE",      "PENDING", "QUEUED",    "DISPATCHED", "RUNNING", "VALIDATING", "UNKNOWN",
    "SUCCEEDED", "FAILED",  "CANCELLED", "TIMED_OUT",  "LOST",    "POISONED"};

}  // namespace

TaskState StateOf(const StateData& data) {
  return std::visit(Overloaded{
                        [](const Pending&) { return TaskState::kPending; },
                        [](const Queued&) { return TaskState::kQueued; },
                        [](const Dispatched&) { return TaskState::kDispatched; },
                        [](const Running&) { return TaskState::kRunning; },
                        [](const Validating&) { return TaskState::kValidating; },
                        [](const Unknown&) { return TaskState::kUnknown; },
                        [](const Ended& ended) { return ended.state; },
                    },
                    data);
}

bool IsTerminal(TaskState state) { return state >= TaskState::kSucceeded; }

std::string_view TaskStateName(TaskState state) {
  const auto index = static_cast<size_t>(state);
  return index < kTaskStateNames.size() ? kTaskStateNames[index] : "NONE";
}

bool CanMove(TaskState from, TaskState to) {
  const auto index = static_cast<size_t>(from);
  return index < kMoves.size() && (kMoves[index] & Bit(to)) != 0;
}

}  // namespace muster
