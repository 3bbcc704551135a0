#include "common/pki/write_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace muster::pki {
namespace {

absl::Status WriteFailed(const std::string& path, int error) {
  return absl::UnavailableError(absl::StrCat("cannot write ", path, ": ", std::strerror(error)));
}

bool WriteWhole(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t size = write(fd, content.data(), content.size());
    if (size < 0 && errno != EINTR) return false;
    if (size > 0) content.remove_prefix(static_cast<size_t>(size));
  }
  return fsync(fd) == 0;
}

}  // namespace

absl::Status WriteFile(const std::string& path, std::string_view content, mode_t mode, IfThere if_there) {
  const std::string aside = absl::StrCat(path, ".new");
  unlink(aside.c_str());
  const int fd = open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return WriteFailed(aside, errno);
  const bool written = WriteWhole(fd, content) && fchmod(fd, mode) == 0;
  const int error = errno;
  close(fd);
  if (written) {
    // A link refuses where a file is already; a rename replaces it.
    const bool placed = if_there == IfThere::kReplace ? rename(aside.c_str(), path.c_str()) == 0
                                                      : link(aside.c_str(), path.c_str()) == 0;
    const int problem = errno;
    unlink(aside.c_str());
    if (placed) return absl::OkStatus();
    if (problem == EEXIST) return absl::AlreadyExistsError(absl::StrCat(path, " is already there"));
    return WriteFailed(path, problem);
  }
  unlink(aside.c_str());
  return WriteFailed(aside, error);
}

}  // namespace muster::pki
