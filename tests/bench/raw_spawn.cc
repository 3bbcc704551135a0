// The bar for commands per second: a bare posix_spawn loop, one thread per slot, output captured, nothing durable.
//
//   raw_spawn COUNT SLOTS PROGRAM [ARG...]     prints commands per second
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

extern char** environ;

namespace {

// Reads both pipes to their end, as anyone must who keeps a command's output.
void Drain(int out, int err) {
  pollfd fds[2] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
  char buffer[65536];
  for (int open = 2; open > 0;) {
    poll(fds, 2, -1);
    for (pollfd& fd : fds) {
      if (fd.fd < 0 || fd.revents == 0) continue;
      if (read(fd.fd, buffer, sizeof(buffer)) <= 0) {
        close(fd.fd);
        fd.fd = -1;
        --open;
      }
    }
  }
}

bool RunOne(char** argv) {
  int out[2], err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) return false;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err[1], 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t pid = 0;
  const int problem = posix_spawn(&pid, argv[0], &actions, &attributes, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(out[1]);
  close(err[1]);
  Drain(out[0], err[0]);
  int status = 0;
  return problem == 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: raw_spawn COUNT SLOTS PROGRAM [ARG...]\n");
    return 2;
  }
  const int count = std::atoi(argv[1]);
  const int slots = std::atoi(argv[2]);
  std::atomic<int> next{0};
  std::atomic<int> failed{0};
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (int slot = 0; slot < slots; ++slot) {
    threads.emplace_back([&] {
      while (next.fetch_add(1) < count) failed += RunOne(argv + 3) ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::printf("%.0f\n", count / seconds.count());
  return failed == 0 ? 0 : 1;
}
