// One map, from its first row to its last end: submits, follows, prints, halts, logs, counts.
//
// Thread rule: the main thread (MapSubmitter has one of its own). Memory: a byte or two per task, eight MiB of output.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/argument_rows.h"
#include "cli/attachment.h"
#include "cli/halt_policy.h"
#include "cli/job_log.h"
#include "cli/map_submitter.h"
#include "cli/output_store.h"
#include "cli/session.h"

namespace muster::cli {

struct MapOptions {
  v1::TaskSpec task_template;
  std::string request_id;
  int64_t most_open = 0;
  bool keep_order = false;
  bool tag = false;
  bool ungroup = false;
  std::string job_log_file;
  HaltPolicy halt;
};

class MapRun {
 public:
  MapRun(Session& session, Client& client, MapOptions options, std::unique_ptr<ArgumentRows> rows);
  ~MapRun();
  // The exit code: the highest of the tasks'.
  absl::StatusOr<int> Run();

 private:
  // What is left to be printed of a task that has ended.
  struct Ended {
    std::string id;
    std::string tag;
  };

  void HearSubmitter();
  void HearTask(const v1::Task& task);
  std::optional<int> HearOutput(const v1::OutputChunk& chunk);
  void CountEnd(const v1::Task& task, const std::vector<std::string>& row);
  std::optional<int> PrintReady();
  std::optional<int> PrintTask(const Ended& ended);
  std::optional<int> Write(int fd, std::string_view bytes);
  void ConsiderHalt();
  void CancelNotStarted();
  std::vector<std::string> StillWanted();
  void Cancel(const std::string& reason);
  int Leave(int signal);
  void ShowProgress();
  bool AllEnded() const;
  uint8_t& StateOf(int64_t index);  // a v1::TaskState
  std::string Counts() const;

  Session& session_;
  Client& client_;
  const MapOptions options_;
  const std::unique_ptr<ArgumentRows> rows_;
  const absl::Time begin_;
  JobLog job_log_;
  std::unique_ptr<MapSubmitter> submitter_;
  MapSubmitter::Progress submitted_;
  int64_t attached_ = 0;  // rows that the attachment knows of
  bool told_broken_off_ = false;
  Attachment attachment_;
  OutputStore store_;
  InputOrder order_;
  std::vector<uint8_t> states_;  // by index - 1: v1::TaskState
  int64_t counts_[v1::TaskState_ARRAYSIZE] = {};
  int64_t ended_count_ = 0, failed_count_ = 0, succeeded_count_ = 0;
  int exit_code_ = 0;
  Halt halted_ = Halt::kNot;
  bool cancelled_rest_ = false;
  absl::flat_hash_map<int64_t, Ended> ended_;  // not yet printed
  std::vector<int64_t> ready_;                 // to be printed now
  absl::flat_hash_map<std::string, std::pair<LineTagger, LineTagger>> live_tags_;
  absl::Time progress_at_ = absl::InfinitePast();
  bool told_spill_ = false;
};

// "40: 123/10000 done, 4 running, 2 failed, 512/s, 19s left". `total` is unknown while input is read.
std::string ProgressText(const std::string& batch_id, int64_t done, std::optional<int64_t> total, int64_t running, int64_t failed,
                         absl::Duration elapsed);

}  // namespace muster::cli
