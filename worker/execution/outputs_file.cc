#include "worker/execution/outputs_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"

namespace muster::execution {
namespace {

using Written = std::map<std::string_view, std::optional<std::string_view>>;  // by declared name

template <typename... Words>
absl::Status Bad(const Words&... words) {
  return absl::InvalidArgumentError(absl::StrCat(words...));
}

absl::Status TooLarge() { return Bad("the file has more than ", kMostOutputsFileBytes >> 10, " KiB"); }

absl::Status Unreadable(int error) {
  // A link, and a socket: what can be told before it is open.
  if (error == ELOOP || error == ENXIO) return Bad("what MUSTER_OUTPUTS names is no regular file");
  return Bad("the file cannot be read: ", strerror(error));
}

absl::Status TakeLine(std::string_view line, int number, Written* written) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.find_first_not_of(" \t") == std::string_view::npos) return absl::OkStatus();
  const size_t equals = line.find('=');
  const std::string_view name = line.substr(0, equals);
  if (equals == std::string_view::npos || !IsOutputName(name)) return Bad("line ", number, " is no NAME=VALUE");
  const auto place = written->find(name);
  if (place == written->end()) return absl::OkStatus();
  const std::string_view value = line.substr(equals + 1);
  if (value.size() > kMostOutputBytes) return Bad("line ", number, " has a value of more than ", kMostOutputBytes >> 10, " KiB");
  if (!IsOutputValue(value)) return Bad("line ", number, IsUtf8(value) ? " has a NUL byte" : " is not UTF-8");
  place->second = value;
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadRegular(int file) {
  struct stat state {};
  if (fstat(file, &state) < 0) return Unreadable(errno);
  if (!S_ISREG(state.st_mode)) return Unreadable(ELOOP);
  if (state.st_size > static_cast<off_t>(kMostOutputsFileBytes)) return TooLarge();
  std::string text(kMostOutputsFileBytes + 1, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t count = read(file, text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Unreadable(errno);
    if (count == 0) break;
    size += static_cast<size_t>(count);
  }
  if (size > kMostOutputsFileBytes) return TooLarge();
  text.resize(size);
  return text;
}

}  // namespace

absl::StatusOr<NamedValues> ParseOutputs(std::string_view text, const std::vector<std::string>& declared) {
  Written written;
  for (const std::string& name : declared) written.try_emplace(name);
  for (int number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    MUSTER_RETURN_IF_ERROR(TakeLine(text.substr(0, end), number, &written));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  NamedValues values;
  for (const std::string& name : declared) {
    const auto value = std::exchange(written[name], std::nullopt);
    if (value.has_value()) values.push_back({name, std::string(*value)});
  }
  return values;
}

absl::StatusOr<NamedValues> ReadOutputs(int task_directory, const std::vector<std::string>& declared) {
  const int file = openat(task_directory, kOutputsFile, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return NamedValues();
  if (file < 0) return Unreadable(errno);
  const absl::StatusOr<std::string> text = ReadRegular(file);
  close(file);
  MUSTER_RETURN_IF_ERROR(text.status());
  return ParseOutputs(*text, declared);
}

}  // namespace muster::execution
