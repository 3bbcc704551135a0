// Follows tasks and their output without losing a byte: one Attach stream, and another one with the place where the
// first broke off when the master restarts.
//
//   Attachment attachment(client, {.say = ...});
//   attachment.Add("3F");
//   while (attachment.Next(&response, deadline) == Attachment::News::kEvents) {
//     for each event: write the bytes, then attachment.Done(chunk);   // lets the command go on
//   }
//
// What Next returns has no byte twice: chunks that were told before are dropped or cut, gaps show as skipped_bytes.
// Task events may repeat after a reconnection. Acknowledgements leave in bundles, at the latest before waiting.
// Thread rule: the client's thread. Bounds: what is unacknowledged is held by the worker, not here.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "cli/backoff.h"
#include "cli/client.h"
#include "common/domain/task_set.h"

namespace muster::cli {

struct AttachmentOptions {
  bool states_only = false;
  // How long a broken connection is mended.
  absl::Duration patience = absl::Minutes(10);
  // One line for the user; told when the master has been away for a second, and when it is back.
  std::function<void(const std::string&)> say;
  // What to attach to after a reconnection; unset: all that was added.
  std::function<std::vector<std::string>()> still_wanted;
};

class Attachment {
 public:
  Attachment(Client* client, AttachmentOptions options);
  ~Attachment();

  // Also later; again for a batch that has grown.
  void Add(const std::string& selector);

  enum class News { kEvents, kNothing, kInterrupt, kFailed };
  News Next(v1::AttachResponse* response, absl::Time deadline);
  // Why it failed.
  const absl::Status& status() const { return status_; }

  // The reader has done with this chunk.
  void Done(const v1::OutputChunk& chunk);
  // Nothing more of this task is wanted: output of it that is told again after a reconnection is dropped.
  void Forget(const std::string& task_id);
  // Leaves: commands go on without waiting for a reader.
  void Detach();

 private:
  struct Place {
    int64_t told = 0;    // handed to the caller below this
    int64_t offset = 0;  // and done with below this
    bool unsent = false;
  };
  using StreamKey = std::pair<uint32_t, v1::OutputStream>;
  using Places = std::vector<std::pair<StreamKey, Place>>;  // a task has a handful

  Place& PlaceOf(const v1::OutputChunk& chunk);
  void Open();
  void SendAcknowledgements();
  // Drops or cuts what was told before; false: nothing is left of it.
  bool Trim(v1::OutputChunk* chunk);
  bool Mend(absl::Time deadline, News* news);

  Client* const client_;
  const AttachmentOptions options_;
  std::unique_ptr<AttachStream> stream_;
  std::vector<std::string> selectors_;
  std::vector<std::string> unsent_selectors_;
  absl::flat_hash_map<std::string, Places> places_;
  TaskSet forgotten_;
  absl::flat_hash_set<std::string> unacknowledged_;  // tasks with an unsent place
  int64_t unacknowledged_bytes_ = 0;
  Backoff backoff_;
  bool ever_heard_ = false;
  absl::Time broken_since_ = absl::InfiniteFuture();
  absl::Time retry_at_ = absl::InfinitePast();
  bool told_ = false;
  absl::Status status_;
};

}  // namespace muster::cli
