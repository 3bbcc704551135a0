// One declaration per key gives the YAML key, the flag of the same dotted name, the environment variable, the
// default, the check, the help text and docs/configuration.md.
//
//   struct MasterConfig { std::string grpc_listen; absl::Duration heartbeat; std::vector<ExecutorEntry> executors; };
//   Schema schema("muster-master", "MUSTER");
//   schema.Text("grpc.listen", &config.grpc_listen, "127.0.0.1:7070", "Where clients and workers connect.");
//   schema.Time("workers.heartbeat", &config.heartbeat, absl::Seconds(2), "Between heartbeats.", {.least = ...});
//   Loaded loaded = schema.Load(argc, argv);   // file, then environment, then flags
//
// Precedence: flag > environment > file > default. Unknown keys, wrong types and broken bounds are refused with
// file, line, key and what would be valid. Flags: --help, --version, --config FILE, --check-config, --config-example,
// --config-reference, --KEY=VALUE.
// Thread rule: one thread, at start. Ownership: the schema keeps pointers into the caller's struct.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace muster::config {

// A list's element in YAML: a map of plain values ("name: http", "path: /x.so"), or a plain value under key "".
using Entry = std::map<std::string, std::string>;

struct Bounds {
  std::optional<double> least;
  std::optional<double> most;
};

class Schema {
 public:
  // `environment_prefix` "MUSTER": the key grpc.listen is MUSTER_GRPC_LISTEN.
  Schema(std::string program, std::string summary, std::string environment_prefix = "MUSTER");
  ~Schema();

  void Text(std::string key, std::string* target, std::string default_value, std::string help);
  void Choice(std::string key, std::string* target, std::string default_value, std::vector<std::string> choices,
              std::string help);
  void Number(std::string key, int64_t* target, int64_t default_value, std::string help, Bounds bounds = {});
  void Real(std::string key, double* target, double default_value, std::string help, Bounds bounds = {});
  void Flag(std::string key, bool* target, bool default_value, std::string help);
  // "2s", "1m30s", "500ms"; bounds in seconds.
  void Time(std::string key, absl::Duration* target, absl::Duration default_value, std::string help,
            Bounds bounds = {});
  // "64MiB", "2G", "4096".
  void Size(std::string key, int64_t* target, int64_t default_value, std::string help, Bounds bounds = {});
  // A map of plain values: YAML map, or "a=b,c=d" in flags and environment.
  void Map(std::string key, std::map<std::string, std::string>* target, std::string help);
  // A list of plain values: YAML list, or "a,b".
  void List(std::string key, std::vector<std::string>* target, std::string help);
  // A list of maps, YAML only; each entry's keys must be among `fields` ("settings.*" allows any under it, flattened
  // to dotted keys).
  void Entries(std::string key, std::vector<Entry>* target, std::vector<std::string> fields, std::string help);

  // A check over several keys, run after all are read; its status names the keys.
  void Check(std::function<absl::Status()> check);

  struct Outcome {
    bool done = false;  // --help, --version, --check-config and the like were answered on stdout: exit with `exit_code`
    int exit_code = 0;
  };
  // Reads everything. `version` is what --version prints. The error is one line for a person.
  absl::StatusOr<Outcome> Load(int argc, const char* const* argv, const std::string& version);

  // "key = value   # from file.yaml:3", one line a key.
  std::string Effective() const;
  // The keys as a table for docs/configuration.md.
  std::string Markdown() const;
  // A commented example file with every default.
  std::string ExampleYaml() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// "1500ms", "2s", "1m", "1h30m", "2d"; plain numbers are seconds.
absl::StatusOr<absl::Duration> ParseDuration(const std::string& text);
// "64MiB", "64M" (2^20), "64MB" (10^6), "4096".
absl::StatusOr<int64_t> ParseSize(const std::string& text);

}  // namespace muster::config
