#include "common/rpc/unix_socket.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace muster::rpc {
namespace {

constexpr std::string_view kUnix = "unix:";

std::string PathOf(const std::string& listen) {
  std::string path = listen.substr(kUnix.size());
  return absl::StartsWith(path, "//") ? path.substr(2) : path;
}

absl::Status Bad(const std::string& path, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("grpc.listen: ", path, " ", absl::string_view(what.data(), what.size())));
}

}  // namespace

bool IsUnixSocket(const std::string& listen) { return absl::StartsWith(listen, "unix:"); }

absl::Status PrepareSocketDirectory(const std::string& listen) {
  const std::string path = PathOf(listen);
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0 || path.front() != '/') {
    return Bad(path, "must be an absolute path in a directory of its own, as unix:/run/muster/master.sock");
  }
  const std::string directory = path.substr(0, slash);
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return Bad(directory, absl::StrCat("cannot be made: ", std::strerror(errno)));
  }
  struct stat status{};
  if (lstat(directory.c_str(), &status) != 0) return Bad(directory, std::strerror(errno));
  if (!S_ISDIR(status.st_mode)) return Bad(directory, "is no directory");
  if (status.st_uid != geteuid()) return Bad(directory, "belongs to another user; choose a directory of this one");
  if ((status.st_mode & 077) != 0) return Bad(directory, absl::StrCat("is open to others; chmod 700 ", directory));
  return absl::OkStatus();
}

absl::Status CloseSocketToOthers(const std::string& listen) {
  const std::string path = PathOf(listen);
  if (chmod(path.c_str(), 0600) == 0) return absl::OkStatus();
  return Bad(path, absl::StrCat("cannot be closed to others: ", std::strerror(errno)));
}

}  // namespace muster::rpc
