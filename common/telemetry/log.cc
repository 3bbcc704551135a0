#include "common/telemetry/log.h"

#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/const_init.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace muster::telemetry {
namespace {

// What the process logs to. Made by StartLogging, read by everyone; replaced only at start and end.
struct Sinks {
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::logger> logger;
  bool json = false;
  std::string program;
};
std::atomic<Sinks*> g_sinks{nullptr};
std::atomic<int> g_level{static_cast<int>(Level::kWarning)};
absl::Mutex g_mutex(absl::kConstInit);  // start and end, and what looks into a pool

// Threads that still hold an old pointer may finish a line, so what was logged to lives as long as the process. Under g_mutex.
void KeepForever(std::unique_ptr<Sinks> sinks) {
  static auto* const kept = new std::vector<std::unique_ptr<Sinks>>;
  kept->push_back(std::move(sinks));
}

spdlog::level::level_enum ToSpdlog(Level level) {
  switch (level) {
    case Level::kTrace: return spdlog::level::trace;
    case Level::kDebug: return spdlog::level::debug;
    case Level::kInfo: return spdlog::level::info;
    case Level::kWarning: return spdlog::level::warn;
    case Level::kError: return spdlog::level::err;
  }
  return spdlog::level::info;
}

absl::StatusOr<Level> ParseLevel(const std::string& text) {
  if (text == "trace") return Level::kTrace;
  if (text == "debug") return Level::kDebug;
  if (text == "info") return Level::kInfo;
  if (text == "warning") return Level::kWarning;
  if (text == "error") return Level::kError;
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is no log level; use trace, debug, info, warning or error"));
}

// Printable ASCII as it is, the rest as \n, \t, \", \\ or \u00XX: a line stays a line, whatever a peer sent.
void AppendEscaped(std::string_view text, std::string* out) {
  constexpr char kHex[] = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '"': *out += "\\\""; break;
      case '\\': *out += "\\\\"; break;
      case '\n': *out += "\\n"; break;
      case '\t': *out += "\\t"; break;
      case '\r': *out += "\\r"; break;
      default:
        if (byte < 0x20 || byte >= 0x7f) {
          *out += "\\u00";
          *out += kHex[byte >> 4];
          *out += kHex[byte & 15];
        } else {
          *out += c;
        }
    }
  }
}

bool NeedsQuotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7f || c == '"' || c == '\\' || c == '=') return true;
  }
  return false;
}

std::string JsonTail(std::string_view message, Fields fields) {
  std::string line = "\"message\":\"";
  AppendEscaped(message, &line);
  line += '"';
  for (const auto& [key, value] : fields) {
    line += ",\"";
    AppendEscaped(key, &line);
    line += "\":\"";
    AppendEscaped(value.text(), &line);
    line += '"';
  }
  return line;
}

std::string TextTail(std::string_view message, Fields fields) {
  std::string line;
  AppendEscaped(message, &line);
  for (const auto& [key, value] : fields) {
    line += ' ';
    line += key;
    line += '=';
    if (NeedsQuotes(value.text())) {
      line += '"';
      AppendEscaped(value.text(), &line);
      line += '"';
    } else {
      line += value.text();
    }
  }
  return line;
}

}  // namespace

absl::Status StartLogging(const LogConfig& config) {
  const absl::StatusOr<Level> level = ParseLevel(config.level);
  if (!level.ok()) return level.status();
  auto sinks = std::make_unique<Sinks>();
  sinks->json = config.format == "json";
  sinks->program = config.program;
  std::vector<spdlog::sink_ptr> outputs;
  if (config.file.empty() || config.stderr_too) outputs.push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  if (!config.file.empty()) {
    try {
      outputs.push_back(std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
          config.file, static_cast<size_t>(config.file_size_bytes), static_cast<size_t>(config.file_count)));
    } catch (const spdlog::spdlog_ex& problem) {
      return absl::InvalidArgumentError(absl::StrCat("cannot log to ", config.file, ": ", problem.what()));
    }
  }
  sinks->pool = std::make_shared<spdlog::details::thread_pool>(static_cast<size_t>(config.queue_lines), 1);
  // overrun_oldest: a full queue drops and counts, and nobody waits.
  sinks->logger = std::make_shared<spdlog::async_logger>(config.program, outputs.begin(), outputs.end(), sinks->pool,
                                                         spdlog::async_overflow_policy::overrun_oldest);
  sinks->logger->set_level(ToSpdlog(*level));
  sinks->logger->flush_on(spdlog::level::info);
  sinks->logger->set_pattern(sinks->json ? "{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\",\"level\":\"%l\",\"program\":\"%n\",%v}"
                                         : "%Y-%m-%dT%H:%M:%S.%eZ %-7l %n: %v",
                             spdlog::pattern_time_type::utc);
  StopLogging();
  absl::MutexLock lock(&g_mutex);
  g_level.store(static_cast<int>(*level), std::memory_order_relaxed);
  g_sinks.store(sinks.get(), std::memory_order_release);
  KeepForever(std::move(sinks));
  return absl::OkStatus();
}

void StopLogging() {
  absl::MutexLock lock(&g_mutex);
  if (Sinks* sinks = g_sinks.exchange(nullptr)) {
    sinks->logger->flush();
    sinks->logger->set_level(spdlog::level::off);  // a line that comes now would find no pool
    sinks->pool.reset();                           // writes out what is queued and joins
  }
}

bool LogEnabled(Level level) {
  return static_cast<int>(level) >= g_level.load(std::memory_order_relaxed) &&
         g_sinks.load(std::memory_order_acquire) != nullptr;
}

void Log(Level level, std::string_view message, Fields fields) {
  Sinks* sinks = g_sinks.load(std::memory_order_acquire);
  if (sinks == nullptr) return;
  const std::string line = sinks->json ? JsonTail(message, fields) : TextTail(message, fields);
  sinks->logger->log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

uint64_t DroppedLogLines() {
  absl::MutexLock lock(&g_mutex);
  Sinks* sinks = g_sinks.load(std::memory_order_acquire);
  return sinks == nullptr ? 0 : sinks->pool->overrun_counter();
}

}  // namespace muster::telemetry
