// Turns rows of arguments into one batch, call by call, on a thread of its own: input may be endless, and the main
// thread has output to print meanwhile.
//
// A call carries up to 2 MiB of rows and leaves early when the input pauses. With a limit on open tasks it waits for
// ends before it sends more.
// Thread rule: made, told and asked by the main thread; it rings the client's bell when there is news. Ownership: rows
// and client must outlive it. The destructor waits for the thread, which may be waiting for input: who leaves early
// leaves the process.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "cli/argument_rows.h"
#include "cli/batch_calls.h"
#include "cli/client.h"
#include "muster/v1/task.pb.h"

namespace muster::cli {

class MapSubmitter {
 public:
  struct Options {
    v1::TaskSpec task_template;
    int64_t most_open = 0;   // 0: as many as one reader can follow
    std::string request_id;  // empty: one of its own for each call
    bool detached = false;   // nobody tells of ends
    bool keep_rows = false;  // for RowOf
    bool waits_for_room = true;  // as BatchCalls does
  };
  MapSubmitter(Options options, ArgumentRows* rows, Client* main_client);
  ~MapSubmitter();

  struct Progress {
    std::string batch_id;   // empty until the first call was answered
    int64_t submitted = 0;
    bool finished = false;  // no more will come
    absl::Status status;    // why it broke off
    std::vector<std::string> warnings;  // of the first answer: why nothing can run it now
  };
  Progress progress() const;
  // So many have ended; may let more go out.
  void SetEnded(int64_t ended);
  // The arguments of a row, which states do not carry; Take forgets them.
  std::vector<std::string> RowOf(int64_t index) const;
  std::vector<std::string> TakeRow(int64_t index);
  // Sends nothing more.
  void Stop();

 private:
  void Run();
  bool IsStopping() const;
  absl::Status SubmitAll();
  // The rows of the next call; false at the end of the input.
  absl::StatusOr<bool> Collect(v1::SubmitBatchRequest* request);
  void Prepare(v1::SubmitBatchRequest* request);
  // False: it was told to stop.
  bool NoteAccepted(const v1::SubmitBatchRequest& request, const v1::SubmitBatchResponse& response);
  // How many rows may go out now; 0: stopped.
  int64_t AwaitRoom();

  const Options options_;
  ArgumentRows* const rows_;
  Wakeup& bell_;
  const std::unique_ptr<Client> client_;
  BatchCalls calls_;              // its own thread's, with the next
  int64_t calls_accepted_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Progress progress_;  // guarded by mutex_, with the rest
  int64_t ended_ = 0;
  bool stopping_ = false;
  int64_t collected_ = 0;
  absl::flat_hash_map<int64_t, std::vector<std::string>> rows_kept_;
  std::thread thread_;
};

}  // namespace muster::cli
