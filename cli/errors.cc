#include "cli/errors.h"

#include <csignal>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cli/text.h"
#include "common/base/refusal.h"

namespace muster::cli {
namespace {

constexpr char kUsage[] = "CLIENT_USAGE";
constexpr char kInterrupted[] = "CLIENT_INTERRUPTED";
constexpr char kTerminated[] = "CLIENT_TERMINATED";

std::string MessageOf(const absl::Status& status) {
  return OneLine(std::string(status.message().data(), status.message().size()), 2000);
}

// A refusal that passes, in as few words as will do; for what is not in the table, the master's own.
std::string WhatIsFull(const std::string& reason, const absl::Status& status) {
  static constexpr struct {
    const char* reason;
    const char* words;
  } kWords[] = {
      {"QUEUE_FULL", "queue full"},
      {"MASTER_BUSY", "too much waits"},
      {"TOO_MANY_STREAMS", "too many readers"},
      {"TOO_MANY_READS", "too many reads"},
  };
  for (const auto& known : kWords) {
    if (reason == known.reason) return known.words;
  }
  return MessageOf(status);
}

std::string Bracketed(const std::string& reason) { return reason.empty() ? "" : absl::StrCat(" [", reason, "]"); }

}  // namespace

absl::Status UsageError(std::string_view message) {
  return Refuse(absl::StatusCode::kInvalidArgument, kUsage, message);
}

absl::Status Interrupted(int signal) {
  return Refuse(absl::StatusCode::kCancelled, signal == SIGTERM ? kTerminated : kInterrupted, "interrupted");
}

bool IsInterrupted(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kCancelled) return false;
  const std::string reason = ReasonOf(status);
  return reason == kInterrupted || reason == kTerminated;
}

int ExitCodeOf(const absl::Status& status) {
  if (status.ok()) return 0;
  const std::string reason = ReasonOf(status);
  if (reason == kUsage) return kExitUsage;
  if (reason == kInterrupted) return kExitInterrupted;
  if (reason == kTerminated) return 128 + SIGTERM;
  return kExitFailed;
}

std::string ConnectionTrouble(std::string_view message) {
  const absl::string_view text(message.data(), message.size());
  if (absl::StrContains(text, "Connection refused")) return "connection refused";
  if (absl::StrContains(text, "DNS resolution failed") || absl::StrContains(text, "Name or service not known") ||
      absl::StrContains(text, "C-ares")) {
    return "no such host";
  }
  if (absl::StrContains(text, "No route to host")) return "no route to host";
  if (absl::StrContains(text, "Network is unreachable")) return "network is unreachable";
  if (absl::StrContains(text, "Ssl handshake failed") || absl::StrContains(text, "SSL_ERROR") ||
      absl::StrContains(text, "certificate")) {
    return "the TLS handshake failed (do both sides use TLS, with certificates of the same CA?)";
  }
  if (absl::StrContains(text, "Connection timed out") || absl::StrContains(text, "Timeout occurred")) return "connection timed out";
  if (absl::StrContains(text, "Socket closed") || absl::StrContains(text, "Connection reset") ||
      absl::StrContains(text, "Broken pipe")) {
    return "the connection was closed";
  }
  const size_t last = message.rfind(": ");
  return OneLine(std::string(last == std::string_view::npos ? message : message.substr(last + 2)), 200);
}

std::string ErrorLine(const absl::Status& status, std::string_view master) {
  const absl::string_view where(master.data(), master.size());
  const std::string reason = ReasonOf(status);
  if (IsInterrupted(status)) return "";
  if (reason == kUsage) return MessageOf(status);
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      if (reason.empty()) {
        return absl::StrCat("cannot reach ", where, ": ",
                            ConnectionTrouble({status.message().data(), status.message().size()}),
                            "; is muster-master running? `muster dev` starts a cluster here, --master HOST:PORT or "
                            "MUSTER_MASTER names another");
      }
      return absl::StrCat(MessageOf(status), Bracketed(reason), "; try again in a moment");
    case absl::StatusCode::kResourceExhausted: {
      if (reason.empty() && absl::StrContains(status.message(), "larger than max")) {  // gRPC's own words
        return "refused: a part of the call is larger than the master takes in one message (message.max); pass large data in files, or raise it there";
      }
      const std::optional<absl::Duration> delay = RetryAfterOf(status);
      return absl::StrCat("refused: ", MessageOf(status), Bracketed(reason),
                          delay ? absl::StrCat("; try again in ", DurationText(*delay)) : "");
    }
    case absl::StatusCode::kDeadlineExceeded:
      return absl::StrCat("no answer from ", where, " in time; `muster version` shows whether it serves");
    case absl::StatusCode::kUnimplemented:
      return absl::StrCat("the master at ", where, " does not know this call; `muster version` compares versions");
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return absl::StrCat("not allowed: ", MessageOf(status), Bracketed(reason));
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
      return reason.empty() ? MessageOf(status) : absl::StrCat("refused: ", MessageOf(status), Bracketed(reason));
    case absl::StatusCode::kNotFound:
      return absl::StrCat(MessageOf(status), Bracketed(reason));
    default:
      return absl::StrCat(MessageOf(status).empty() ? "the call failed" : MessageOf(status), Bracketed(reason), " (",
                          absl::AsciiStrToLower(absl::StatusCodeToString(status.code())), ")");
  }
}

std::string RetryLine(const absl::Status& status, std::string_view master, absl::Duration delay) {
  const absl::string_view where(master.data(), master.size());
  const std::string reason = ReasonOf(status);
  std::string why;
  if (status.code() == absl::StatusCode::kResourceExhausted) {
    why = absl::StrCat("the master is busy (", WhatIsFull(reason, status), ")");
  } else if (reason.empty()) {
    why = absl::StrCat("cannot reach ", where, " (", ConnectionTrouble({status.message().data(), status.message().size()}), ")");
  } else {
    why = MessageOf(status);
  }
  return absl::StrCat(why, "; trying again in ", DurationText(absl::Ceil(delay, absl::Milliseconds(100))));
}

bool IsPassing(const absl::Status& status) {
  if (status.code() == absl::StatusCode::kUnavailable) return true;
  return status.code() == absl::StatusCode::kResourceExhausted && RetryAfterOf(status).has_value();
}

}  // namespace muster::cli
