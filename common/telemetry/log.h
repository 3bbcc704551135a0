// Logs of the daemons: spdlog behind one small face. Asynchronous with a bounded queue: when it is full, lines are
// dropped and counted, and nobody waits. Text or JSON, to stderr, to a rotating file, or both. Per-task lines are
// debug.
//
//   MUSTER_LOG(kInfo, "worker joined", {{"worker", name}, {"address", address}});
//
// The message is fixed text; what varies goes into fields (task, attempt, worker, call, ...), so that nothing from a
// peer is ever a format string. Field values may be bytes; they are escaped.
// Thread rule: any thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"

namespace muster::telemetry {

enum class Level : uint8_t { kTrace, kDebug, kInfo, kWarning, kError };

// A field's value from whatever is printed often.
class FieldValue {
 public:
  FieldValue(std::string_view text) : text_(text) {}                 // NOLINT(google-explicit-constructor)
  FieldValue(const std::string& text) : text_(text) {}               // NOLINT(google-explicit-constructor)
  FieldValue(const char* text) : text_(text) {}                      // NOLINT(google-explicit-constructor)
  template <typename T>
    requires std::is_arithmetic_v<T>
  FieldValue(T number) : text_(std::to_string(number)) {}            // NOLINT(google-explicit-constructor)
  std::string_view text() const { return text_; }

 private:
  std::string text_;
};
using Fields = std::initializer_list<std::pair<std::string_view, FieldValue>>;

struct LogConfig {
  std::string program;          // "muster-master"
  std::string level = "info";   // trace, debug, info, warning, error
  std::string format = "text";  // text, json
  std::string file;             // empty: stderr alone
  bool stderr_too = true;       // with a file
  int64_t file_size_bytes = int64_t{64} << 20;
  int64_t file_count = 5;
  int64_t queue_lines = 8192;
};

absl::Status StartLogging(const LogConfig& config);
void StopLogging();  // flushes
bool LogEnabled(Level level);
void Log(Level level, std::string_view message, Fields fields);
uint64_t DroppedLogLines();

}  // namespace muster::telemetry

#define MUSTER_LOG(level, message, ...)                                                     \
  do {                                                                                      \
    if (::muster::telemetry::LogEnabled(::muster::telemetry::Level::level))                 \
      ::muster::telemetry::Log(::muster::telemetry::Level::level, message, ##__VA_ARGS__);  \
  } while (false)
