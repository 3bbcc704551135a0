// Everything that the author of an executor plugin sees. A plugin is a shared object with one entry point:
//
//   class Hello final : public muster::plugin::Executor { ... };
//   MUSTER_EXECUTOR_PLUGIN("hello", "1.0", Hello)
//
// An executor has three duties: execute, say what it can do, say whether it is well. Execute is asynchronous: it
// returns at once and reports through its Context until it has reported the one Result; Context stays valid until
// then. docs/plugins.md is the guide.
//
// Thread rule: the host calls Execute, Stop, OutputRoom, Capabilities and CheckHealth from its own threads, for many
// attempts at once, and never blocks them for long: neither may the plugin. A Context may be used from any thread.
// Ownership: the host owns the executor (create/destroy) and the Contexts; Execution objects belong to the plugin's
// caller, the host, which destroys them after the Result. Units: absl is not used here; times are std::chrono.
// Depends on the standard library alone: plugin and host must be built with the same C++ library (checked).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::plugin {

// Raised with every change below this line.
inline constexpr uint32_t kAbiVersion = 2;

enum class Stream : uint8_t { kStdout = 1, kStderr = 2 };
enum class Severity : uint8_t { kDebug, kInfo, kWarning, kError };

// How far a command is kept from the worker, the others and the system; each tier holds what the one before it holds.
enum class Isolation : uint8_t { kPlain, kLimited, kStrict };

// For the executor `command`.
struct Command {
  std::vector<std::string> argv;                              // arguments of the batch already put in
  std::vector<std::pair<std::string, std::string>> environment;  // the task's own, then MUSTER_*
  std::string working_directory;                              // empty: task_directory
  std::string stdin_bytes;
  bool shell = false;
  std::string script_name;                                    // empty: no script
  std::string script_content;
};

struct Request {
  std::string task_id;
  uint32_t attempt = 0;
  std::string executor;
  Command command;                      // executor `command` alone
  std::vector<std::string> arguments;   // all others
  std::string parameters_json;          // all others; "{}" when there are none
  std::string task_directory;           // fresh, 0700, removed by the host afterwards
  int64_t memory_limit_bytes = 0;       // 0: none
  int64_t cpu_limit_millis = 0;         // of a core; 0: none. Held where the tier has cgroups
  Isolation isolation = Isolation::kPlain;  // executor `command` alone, and so is what follows
  bool no_network = false;              // needs kStrict
  std::chrono::nanoseconds kill_grace{0};
  // Steady clock; max(): none. The host stops the attempt then by itself.
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
};

enum class EndReason : uint8_t { kExited = 1, kSignaled = 2, kOutOfMemory = 4, kStartFailed = 5 };

struct Usage {
  std::chrono::nanoseconds user_cpu{0};
  std::chrono::nanoseconds system_cpu{0};
  int64_t peak_memory_bytes = 0;
  int64_t read_bytes = 0;
  int64_t written_bytes = 0;
};

struct Result {
  EndReason reason = EndReason::kExited;
  int32_t exit_code = 0;    // kExited
  int32_t signal = 0;       // kSignaled
  int32_t start_errno = 0;  // kStartFailed
  std::string message;      // in words, when there is something to say
  bool by_itself = false;   // it had ended before a stop reached it: then this end counts, and not the stop's reason
  Usage usage;
};

// The host's side of one attempt.
class Context {
 public:
  virtual ~Context() = default;

  // The work has begun. At most once, before any output.
  virtual void Started() = 0;
  // Takes as many of the bytes as there is room for and returns how many. Fewer than given: somebody must not lose a
  // byte and reads slowly; hold the rest until Execution::OutputRoom(stream).
  virtual size_t Output(Stream stream, std::string_view bytes) = 0;
  // How many bytes to write now. Output takes 64 KiB more than this, for the last ones of what has ended.
  virtual size_t Room(Stream stream) const = 0;
  // A line of the attempt's structured log.
  virtual void Log(Severity severity, std::string_view message,
                   const std::vector<std::pair<std::string, std::string>>& fields) = 0;
  // Counters and histograms that the worker exports as muster_executor_<name>. At most 32 names a plugin; more are
  // dropped and counted.
  virtual void Count(std::string_view name, double amount) = 0;
  virtual void Observe(std::string_view name, double value) = 0;
  // Whether a stop was asked for; Execution::Stop tells the same.
  virtual bool Cancelled() const = 0;
  // Exactly once, last.
  virtual void Finish(Result result) = 0;
};

// The plugin's side of one attempt.
class Execution {
 public:
  virtual ~Execution() = default;
  // Stop now: politely first, by force after request.kill_grace. Finish is still owed.
  virtual void Stop() = 0;
  // By force, now: nothing of the attempt may be left when Finish is called.
  virtual void Kill() = 0;
  // There is room again in a stream whose Output took less than it was given.
  virtual void OutputRoom(Stream stream) = 0;
};

struct Capabilities {
  std::vector<std::string> names;  // what a task's need can name
  std::string parameter_schema;    // JSON Schema; empty: anything
  std::string note;                // shown to people ("kill: cgroup v2")
  std::string isolation;           // the tiers that its commands can have, shown to people
  bool wants_task_directory = true;  // false: task_directory stays empty, which is quicker
};

struct Health {
  bool healthy = true;
  std::string reason;
};

class Executor {
 public:
  virtual ~Executor() = default;
  // Never null: what cannot start reports kStartFailed through its context. `request` is valid until this returns.
  virtual std::unique_ptr<Execution> Execute(const Request& request, Context* context) = 0;
  virtual Capabilities GetCapabilities() = 0;
  // Asked every few seconds.
  virtual Health CheckHealth() = 0;
};

// The worker's configuration for this executor, key by key, and what it should know of its worker.
struct Options {
  std::string worker_name;
  std::string work_dir;
  uint32_t slots = 1;
  std::map<std::string, std::string> settings;
};

// The C entry point: `const PluginEntry* muster_executor_plugin(void)`.
struct PluginEntry {
  uint32_t abi_version;       // kAbiVersion
  uint32_t request_size;      // sizeof(Request), so that a differently built library is found out
  const char* name;
  const char* version;
  const char* library;        // kLibraryTag
  Executor* (*create)(const Options& options, std::string* error);  // null: error says why
  void (*destroy)(Executor* executor);
};
inline constexpr const char* kEntryPoint = "muster_executor_plugin";

#if defined(_GLIBCXX_RELEASE)
#define MUSTER_STRINGIZE_INNER(x) #x
#define MUSTER_STRINGIZE(x) MUSTER_STRINGIZE_INNER(x)
inline constexpr const char* kLibraryTag = "libstdc++-cxx11abi-" MUSTER_STRINGIZE(_GLIBCXX_USE_CXX11_ABI);
#else
inline constexpr const char* kLibraryTag = "other";
#endif

}  // namespace muster::plugin

// `Type` has a constructor (const muster::plugin::Options&).
#define MUSTER_EXECUTOR_PLUGIN(plugin_name, plugin_version, Type)                                        \
  extern "C" const ::muster::plugin::PluginEntry* muster_executor_plugin() {                             \
    static const ::muster::plugin::PluginEntry entry = {                                                 \
        ::muster::plugin::kAbiVersion, sizeof(::muster::plugin::Request), plugin_name, plugin_version,   \
        ::muster::plugin::kLibraryTag,                                                                   \
        [](const ::muster::plugin::Options& options, std::string* error) -> ::muster::plugin::Executor* { \
          try {                                                                                          \
            return new Type(options);                                                                    \
          } catch (const std::exception& problem) {                                                      \
            *error = problem.what();                                                                     \
            return nullptr;                                                                              \
          }                                                                                              \
        },                                                                                               \
        [](::muster::plugin::Executor* executor) { delete executor; }};                                  \
    return &entry;                                                                                       \
  }
