#include "cli/argument_rows.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "cli/errors.h"
#include "cli/text.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"

namespace muster::cli {
namespace {

constexpr size_t kMostLineBytes = 1 << 20;

// The lines of a descriptor, one after the other.
class LineReader {
 public:
  static absl::StatusOr<std::unique_ptr<LineReader>> Open(const std::string& file, char delimiter) {
    const int fd = file == "-" ? STDIN_FILENO : open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return UsageError(absl::StrCat("cannot open ", file, ": ", std::strerror(errno)));
    return std::unique_ptr<LineReader>(new LineReader(fd, file == "-" ? "stdin" : file, delimiter));
  }
  ~LineReader() {
    if (fd_ != STDIN_FILENO) close(fd_);
  }

  absl::StatusOr<bool> Next(std::string* line) {
    while (true) {
      const size_t end = buffer_.find(delimiter_, begin_);
      if (end != std::string::npos || (at_end_ && begin_ < buffer_.size())) {
        const size_t stop = end == std::string::npos ? buffer_.size() : end;
        *line = buffer_.substr(begin_, stop - begin_);
        begin_ = end == std::string::npos ? buffer_.size() : end + 1;
        ++number_;
        if (!IsUtf8(*line)) return UsageError(absl::StrCat(name_, ":", number_, ": not UTF-8; arguments must be text"));
        return true;
      }
      if (at_end_) return false;
      MUSTER_RETURN_IF_ERROR(Fill());
    }
  }

  bool HasMoreNow() {
    if (at_end_ || buffer_.find(delimiter_, begin_) != std::string::npos) return true;
    pollfd input = {fd_, POLLIN, 0};
    return poll(&input, 1, 0) > 0;
  }

 private:
  LineReader(int fd, std::string name, char delimiter) : fd_(fd), name_(std::move(name)), delimiter_(delimiter) {}

  absl::Status Fill() {
    buffer_.erase(0, begin_);
    begin_ = 0;
    if (buffer_.size() > kMostLineBytes) return UsageError(absl::StrCat(name_, ":", number_ + 1, ": longer than ", SizeText(kMostLineBytes)));
    char chunk[65536];
    const ssize_t count = read(fd_, chunk, sizeof(chunk));
    if (count < 0 && errno == EINTR) return absl::OkStatus();
    if (count < 0) return UsageError(absl::StrCat("cannot read ", name_, ": ", std::strerror(errno)));
    if (count == 0) at_end_ = true;
    buffer_.append(chunk, static_cast<size_t>(count));
    return absl::OkStatus();
  }

  const int fd_;
  const std::string name_;
  const char delimiter_;
  std::string buffer_;
  size_t begin_ = 0;
  int64_t number_ = 0;
  bool at_end_ = false;
};

class StreamedRows final : public ArgumentRows {
 public:
  explicit StreamedRows(std::unique_ptr<LineReader> lines) : lines_(std::move(lines)) {}
  absl::StatusOr<bool> Next(std::vector<std::string>* row) override {
    row->resize(1);
    return lines_->Next(row->data());
  }
  bool HasMoreNow() override { return lines_->HasMoreNow(); }
  std::optional<int64_t> total() const override { return std::nullopt; }

 private:
  const std::unique_ptr<LineReader> lines_;
};

// Groups of linked sources, crossed with one another.
class CrossedRows final : public ArgumentRows {
 public:
  explicit CrossedRows(std::vector<ArgumentSource> sources) {
    for (ArgumentSource& source : sources) {
      if (!source.linked || groups_.empty()) groups_.emplace_back().length = source.words.size();
      Group& group = groups_.back();
      group.length = std::min(group.length, source.words.size());
      group.columns.push_back(std::move(source.words));
    }
    total_ = 1;
    for (const Group& group : groups_) {
      if (group.length == 0 || total_ > INT64_MAX / static_cast<int64_t>(group.length)) {
        total_ = group.length == 0 ? 0 : INT64_MAX;
        break;
      }
      total_ *= static_cast<int64_t>(group.length);
    }
  }

  absl::StatusOr<bool> Next(std::vector<std::string>* row) override {
    if (told_ == total_) return false;
    ++told_;
    row->clear();
    for (const Group& group : groups_) {
      for (const std::vector<std::string>& column : group.columns) row->push_back(column[group.at]);
    }
    for (auto group = groups_.rbegin(); group != groups_.rend(); ++group) {
      if (++group->at < group->length) break;
      group->at = 0;
    }
    return true;
  }
  bool HasMoreNow() override { return true; }
  std::optional<int64_t> total() const override { return total_; }

 private:
  struct Group {
    std::vector<std::vector<std::string>> columns;
    size_t length = 0;
    size_t at = 0;
  };
  std::vector<Group> groups_;
  int64_t total_ = 0;
  int64_t told_ = 0;
};

}  // namespace

absl::StatusOr<MapWords> SplitMapWords(const std::vector<std::string>& words) {
  MapWords split;
  bool in_sources = false, files = false, linked = false;
  for (const std::string& word : words) {
    const bool is_mark = word == ":::" || word == ":::+" || word == "::::" || word == "::::+";
    if (is_mark) {
      files = word.size() >= 4 && word[3] == ':';
      linked = word.back() == '+';
      if (linked && split.sources.empty()) return UsageError(absl::StrCat(word, " links to a source before it, and there is none"));
      in_sources = true;
      if (!files) split.sources.push_back({.linked = linked});
    } else if (!in_sources) {
      split.argv.push_back(word);
    } else if (files) {
      split.sources.push_back({.file = word, .linked = linked});
    } else {
      if (!IsUtf8(word)) return UsageError(absl::StrCat("argument ", OneLine(word, 60), " is not UTF-8; arguments must be text"));
      split.sources.back().words.push_back(word);
    }
  }
  return split;
}

absl::StatusOr<std::unique_ptr<ArgumentRows>> ArgumentRows::Open(const std::vector<ArgumentSource>& sources, char delimiter) {
  if (sources.size() == 1 && !sources[0].file.empty()) {
    MUSTER_ASSIGN_OR_RETURN(std::unique_ptr<LineReader> lines, LineReader::Open(sources[0].file, delimiter));
    return std::make_unique<StreamedRows>(std::move(lines));
  }
  std::vector<ArgumentSource> whole = sources;
  for (ArgumentSource& source : whole) {
    if (source.file.empty()) continue;
    MUSTER_ASSIGN_OR_RETURN(const std::unique_ptr<LineReader> lines, LineReader::Open(source.file, delimiter));
    std::string line;
    while (true) {
      MUSTER_ASSIGN_OR_RETURN(const bool found, lines->Next(&line));
      if (!found) break;
      source.words.push_back(line);
    }
  }
  return std::make_unique<CrossedRows>(std::move(whole));
}

}  // namespace muster::cli
