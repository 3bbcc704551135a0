// What goes wrong, as one line (what, why, what to type next) and an exit code.
//
// Verbs return absl::Status; three of its kinds are made here and told apart by a stable reason: wrong usage (2), the
// user left (130), and everything else, which muster could not do (125).
// Thread rule: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace muster::cli {

inline constexpr int kExitUsage = 2;
inline constexpr int kExitTimedOut = 124;
inline constexpr int kExitFailed = 125;
inline constexpr int kExitInterrupted = 130;
inline constexpr int kExitPipeClosed = 141;

absl::Status UsageError(std::string_view message);
// `signal`: SIGINT or SIGTERM; 0 counts as SIGINT.
absl::Status Interrupted(int signal = 0);
bool IsInterrupted(const absl::Status& status);

int ExitCodeOf(const absl::Status& status);
// Without "muster: " in front; empty when there is nothing to say (the user left). `master` is the address that was
// called, for what could not be reached.
std::string ErrorLine(const absl::Status& status, std::string_view master);

// "connection refused" out of the transport's long sentence.
std::string ConnectionTrouble(std::string_view message);

// Why a call is repeated, and when: "the master is busy (queue full); trying again in 2s".
std::string RetryLine(const absl::Status& status, std::string_view master, absl::Duration delay);

// Worth another try of the same call: the master is away or asks to come back.
bool IsPassing(const absl::Status& status);

}  // namespace muster::cli
