// Output of many tasks, held until each is printed whole: in memory up to a limit for all of them together, in one
// unlinked file beyond it.
//
//   store.Add(chunk);                                  // a newer attempt drops what an older one wrote
//   store.Take(task_id, [](stream, bytes) { ... });    // stdout first, then stderr, in pieces; then forgotten
//
// Thread rule: one thread. Bounds: memory_limit bytes of output; the file is as large as what waits in it and starts
// anew whenever nothing does. Errors: when the file cannot be written, Add says so and the memory is used.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "muster/v1/task.pb.h"

namespace muster::cli {

class OutputStore {
 public:
  explicit OutputStore(size_t memory_limit_bytes) : memory_limit_bytes_(memory_limit_bytes) {}
  ~OutputStore();
  OutputStore(const OutputStore&) = delete;
  OutputStore& operator=(const OutputStore&) = delete;

  absl::Status Add(const v1::OutputChunk& chunk);
  // False from `write` ends it early.
  using Writer = std::function<bool(v1::OutputStream stream, std::string_view bytes)>;
  bool Take(const std::string& task_id, const Writer& write);
  void Drop(const std::string& task_id);

  size_t memory_bytes() const { return memory_bytes_; }
  int64_t spilled_bytes() const { return spilled_bytes_; }

 private:
  struct Piece {
    std::string memory;
    int64_t offset = 0;  // in the file, when memory is empty
    int64_t bytes = 0;
  };
  struct Held {
    uint32_t attempt = 0;
    int64_t skipped_bytes = 0;
    std::vector<Piece> streams[2];
  };

  absl::Status Spill(std::string_view data, Piece* piece);
  void Release(Held* held);
  bool WritePiece(const Piece& piece, v1::OutputStream stream, const Writer& write) const;

  const size_t memory_limit_bytes_;
  size_t memory_bytes_ = 0;
  int fd_ = -1;
  int64_t file_end_ = 0;
  int64_t spilled_bytes_ = 0;
  absl::flat_hash_map<std::string, Held> held_;
};

// Puts "TAG\t" before each line; one per stream of a task.
class LineTagger {
 public:
  explicit LineTagger(std::string tag) : tag_(std::move(tag) + "\t") {}
  std::string Tag(std::string_view bytes);

 private:
  const std::string tag_;
  bool at_line_start_ = true;
};

// Which tasks may be printed now, when the order of the input is kept.
class InputOrder {
 public:
  // Index `ended` (from 1) is ready; the indexes that can be printed now, in order.
  std::vector<int64_t> Ready(int64_t ended);

 private:
  int64_t next_ = 1;
  std::vector<bool> waiting_;  // from next_ on
  size_t first_ = 0;
};

}  // namespace muster::cli
