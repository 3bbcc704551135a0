// A directory in memory for targets whose product code opens files by name. Made once, reused by every input.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "tests/fuzz/fuzz.h"

namespace muster::fuzz {

class Scratch {
 public:
  Scratch() {
    char path[] = "/dev/shm/muster-fuzz.XXXXXX";
    MUSTER_CLAIM(mkdtemp(path) != nullptr, path);
    path_ = path;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string At(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

  void Write(const std::string& name, std::string_view content) const {
    const int fd = open(At(name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MUSTER_CLAIM(fd >= 0 && write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()), name);
    close(fd);
  }
  void Remove(const std::string& name) const { unlink(At(name).c_str()); }

 private:
  std::string path_;
};

}  // namespace muster::fuzz
