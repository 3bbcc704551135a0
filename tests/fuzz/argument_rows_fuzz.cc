// The words of `muster map`, one a line, and a file of lines for its "::::".
//
// Claims: a refusal is one line; there are as many rows as was said, each as wide as the sources; a shell reads a value
// that was put into its line as exactly that value; lines come out of a file as they went in.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/argument_rows.h"
#include "common/domain/batch_arguments.h"
#include "tests/fuzz/fuzz.h"

namespace muster::fuzz {
namespace {

constexpr size_t kMostRows = 64;
constexpr size_t kMostColumns = 8;

// What /bin/sh makes of a word of quoted and escaped parts; nothing when it would do more than that.
std::optional<std::string> ShellReads(std::string_view line) {
  std::string word;
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '\'') {
      quoted = !quoted;
    } else if (quoted) {
      word += c;
    } else if (c == '\\' && i + 1 < line.size() && line[i + 1] == '\'') {
      word += line[++i];
    } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      word += c;
    } else {
      return std::nullopt;
    }
  }
  if (quoted) return std::nullopt;
  return word;
}

void CheckShell(const std::vector<std::string>& row, uint64_t index) {
  for (const char* form : {"a{1}b", "{2}", "{1.}", "x{1/}", "{1//}", "{2/.}y", "{#}"}) {
    const std::vector<std::string> plain = FillArguments({form}, row, index, FillFor::kExec);
    const std::vector<std::string> shell = FillArguments({form}, row, index, FillFor::kShell);
    MUSTER_CLAIM(plain.size() == 1 && shell.size() == 1, form);
    MUSTER_CLAIM(ShellReads(shell[0]) == plain[0], absl::StrCat(form, " of ", absl::StrJoin(row, "|"), " is ", shell[0]));
  }
}

void CheckRows(const cli::MapWords& words) {
  const auto rows = cli::ArgumentRows::Open(words.sources, '\n');
  MUSTER_CLAIM(rows.ok(), rows.status().ToString());
  std::vector<std::string> row;
  size_t count = 0;
  for (; count < kMostRows; ++count) {
    const absl::StatusOr<bool> more = (*rows)->Next(&row);
    MUSTER_CLAIM(more.ok(), more.status().ToString());
    if (!*more) break;
    MUSTER_CLAIM(row.size() == words.sources.size(), absl::StrCat(row.size()));
    const std::vector<std::string> argv = FillArguments(words.argv, row, count + 1);
    MUSTER_CLAIM(argv.size() == words.argv.size() || argv.size() == words.argv.size() + row.size(), "");
    CheckShell(row, count + 1);
  }
  const int64_t total = (*rows)->total().value_or(-1);
  MUSTER_CLAIM(count == kMostRows ? total >= static_cast<int64_t>(count) : total == static_cast<int64_t>(count),
               absl::StrCat(total, " for ", count));
}

void CheckLines(std::string_view content) {
  const int fd = memfd_create("lines", MFD_CLOEXEC);
  MUSTER_CLAIM(fd >= 0 && write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()), "");
  const auto rows = cli::ArgumentRows::Open({{.file = absl::StrCat("/proc/self/fd/", fd)}}, '\n');
  close(fd);
  MUSTER_CLAIM(rows.ok(), rows.status().ToString());
  std::string joined;
  std::vector<std::string> row;
  while (true) {
    const absl::StatusOr<bool> more = (*rows)->Next(&row);
    if (!more.ok()) {
      MUSTER_CLAIM(IsOneLine(std::string(more.status().message())), more.status().ToString());
      return;
    }
    if (!*more) break;
    absl::StrAppend(&joined, row.at(0), "\n");
  }
  const bool ends = content.empty() || content.back() == '\n';
  MUSTER_CLAIM(joined == std::string(content) + (ends ? "" : "\n"), joined);
}

}  // namespace
}  // namespace muster::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace muster;
  fuzz::Input input(data, size);
  const std::vector<std::string> words = absl::StrSplit(std::string(input.Part()), '\n');
  fuzz::CheckLines(input.Rest());
  const absl::StatusOr<cli::MapWords> split = cli::SplitMapWords(words);
  if (!split.ok()) {
    MUSTER_CLAIM(fuzz::IsOneLine(std::string(split.status().message())), split.status().ToString());
    return 0;
  }
  const auto is_file = [](const cli::ArgumentSource& source) { return !source.file.empty(); };
  if (split->sources.empty() || split->sources.size() > fuzz::kMostColumns ||
      std::any_of(split->sources.begin(), split->sources.end(), is_file)) {
    return 0;  // no input names files of this machine
  }
  fuzz::CheckRows(*split);
  return 0;
}
