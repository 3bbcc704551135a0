// What the server tells its supervisor through shared memory: until when the lease holds, and how many attempts must
// not outlive it. So they end even when the server is stopped or stuck.
//
// Thread rule: any thread, both processes. Units: nanoseconds of CLOCK_BOOTTIME.
#pragma once

#include <atomic>
#include <cstdint>

namespace muster::worker {

struct FencePage {
  std::atomic<int64_t> lease_until_ns{0};
  // After it: how long the server may take to end those attempts itself. A part of the kill grace that the master
  // handed out, so that all is over before the master counts this worker as lost.
  std::atomic<int64_t> patience_ns{1'000'000'000};
  std::atomic<uint32_t> fenced_running{0};  // raised before such an attempt starts, lowered after it has ended
};
static_assert(std::atomic<int64_t>::is_always_lock_free && std::atomic<uint32_t>::is_always_lock_free);

}  // namespace muster::worker
