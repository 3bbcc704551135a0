#include "cli/output_store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"

namespace muster::cli {
namespace {

constexpr size_t kReadBytes = 256 << 10;

size_t SlotOf(v1::OutputStream stream) { return stream == v1::OUTPUT_STREAM_STDERR ? 1 : 0; }

}  // namespace

OutputStore::~OutputStore() {
  if (fd_ >= 0) close(fd_);
}

absl::Status OutputStore::Spill(std::string_view data, Piece* piece) {
  if (fd_ < 0) {
    std::error_code ignored;
    std::string path = absl::StrCat(std::filesystem::temp_directory_path(ignored).string(), "/muster-map-XXXXXX");
    fd_ = mkostemp(path.data(), O_CLOEXEC);
    if (fd_ < 0) return absl::UnavailableError(absl::StrCat("cannot make a temporary file: ", std::strerror(errno)));
    unlink(path.c_str());
  }
  size_t done = 0;
  while (done < data.size()) {
    const ssize_t count = pwrite(fd_, data.data() + done, data.size() - done, file_end_ + static_cast<int64_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return absl::UnavailableError(absl::StrCat("cannot write the temporary file: ", std::strerror(errno)));
    done += static_cast<size_t>(count);
  }
  piece->offset = file_end_;
  piece->bytes = static_cast<int64_t>(data.size());
  file_end_ += piece->bytes;
  spilled_bytes_ += piece->bytes;
  return absl::OkStatus();
}

absl::Status OutputStore::Add(const v1::OutputChunk& chunk) {
  Held& held = held_[chunk.task_id()];
  if (chunk.attempt() < held.attempt) return absl::OkStatus();
  if (chunk.attempt() > held.attempt) {
    Release(&held);
    held.attempt = chunk.attempt();
  }
  held.skipped_bytes += chunk.skipped_bytes();
  if (chunk.data().empty()) return absl::OkStatus();
  std::vector<Piece>& pieces = held.streams[SlotOf(chunk.stream())];
  absl::Status spilled = absl::OkStatus();
  if (memory_bytes_ + chunk.data().size() > memory_limit_bytes_) {
    Piece piece;
    spilled = Spill(chunk.data(), &piece);
    if (spilled.ok()) {
      pieces.push_back(std::move(piece));
      return spilled;
    }
  }
  if (pieces.empty() || pieces.back().memory.empty()) pieces.emplace_back();
  pieces.back().memory.append(chunk.data());
  memory_bytes_ += chunk.data().size();
  return spilled;
}

void OutputStore::Release(Held* held) {
  for (std::vector<Piece>& pieces : held->streams) {
    for (const Piece& piece : pieces) {
      memory_bytes_ -= piece.memory.size();
      spilled_bytes_ -= piece.bytes;
    }
    pieces.clear();
  }
  if (spilled_bytes_ == 0 && file_end_ > 0) {
    file_end_ = 0;
    [[maybe_unused]] int truncated = ftruncate(fd_, 0);
  }
}

bool OutputStore::WritePiece(const Piece& piece, v1::OutputStream stream, const Writer& write) const {
  if (!piece.memory.empty()) return write(stream, piece.memory);
  std::string buffer(std::min<size_t>(kReadBytes, static_cast<size_t>(piece.bytes)), '\0');
  for (int64_t done = 0; done < piece.bytes;) {
    const size_t want = std::min<size_t>(buffer.size(), static_cast<size_t>(piece.bytes - done));
    const ssize_t count = pread(fd_, buffer.data(), want, piece.offset + done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    if (!write(stream, std::string_view(buffer.data(), static_cast<size_t>(count)))) return false;
    done += count;
  }
  return true;
}

bool OutputStore::Take(const std::string& task_id, const Writer& write) {
  const auto found = held_.find(task_id);
  if (found == held_.end()) return true;
  bool all = true;
  for (const v1::OutputStream stream : {v1::OUTPUT_STREAM_STDOUT, v1::OUTPUT_STREAM_STDERR}) {
    for (const Piece& piece : found->second.streams[SlotOf(stream)]) all = all && WritePiece(piece, stream, write);
  }
  Release(&found->second);
  held_.erase(found);
  return all;
}

void OutputStore::Drop(const std::string& task_id) {
  const auto found = held_.find(task_id);
  if (found == held_.end()) return;
  Release(&found->second);
  held_.erase(found);
}

std::string LineTagger::Tag(std::string_view bytes) {
  std::string tagged;
  tagged.reserve(bytes.size() + tag_.size());
  while (!bytes.empty()) {
    if (at_line_start_) tagged += tag_;
    const size_t end = bytes.find('\n');
    const size_t length = end == std::string_view::npos ? bytes.size() : end + 1;
    tagged.append(bytes.substr(0, length));
    at_line_start_ = end != std::string_view::npos;
    bytes.remove_prefix(length);
  }
  return tagged;
}

std::vector<int64_t> InputOrder::Ready(int64_t ended) {
  const size_t place = first_ + static_cast<size_t>(ended - next_);
  if (place >= waiting_.size()) waiting_.resize(place + 1, false);
  waiting_[place] = true;
  std::vector<int64_t> ready;
  while (first_ < waiting_.size() && waiting_[first_]) {
    ready.push_back(next_++);
    ++first_;
  }
  if (first_ > 4096 && first_ * 2 > waiting_.size()) {
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<long>(first_));
    first_ = 0;
  }
  return ready;
}

}  // namespace muster::cli
