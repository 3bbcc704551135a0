// What a task of the crash tests runs: it leaves marks outside the cluster, so that what ran can be held against what
// was reported.
//
//   crash_mark FILE MILLISECONDS CODE
//
// Appends "begin TASK ATTEMPT WORKER NANOSECONDS 0", lives for the time, appends "end ... CODE", and exits with CODE.
// Each line is one write, and time is CLOCK_MONOTONIC, the same for all processes of the machine. While it lives it
// holds a lock that carries its task's name (a range of FILE.lock), which the kernel frees at its death, however it
// dies: "overlap ..." follows the begin when another copy of the task was alive then. Exits with 99 when it cannot
// mark, which no test takes for an answer.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

namespace {

constexpr int kCannotMark = 99;

const char* Environment(const char* name) {
  const char* const value = getenv(name);
  return value != nullptr ? value : "-";
}

void Mark(int fd, const char* kind, int code) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  char line[256];
  const int size = snprintf(line, sizeof(line), "%s %s %s %s %lld %d\n", kind, Environment("MUSTER_TASK_ID"),
                            Environment("MUSTER_ATTEMPT"), Environment("MUSTER_WORKER"),
                            static_cast<long long>(now.tv_sec) * 1'000'000'000 + now.tv_nsec, code);
  if (write(fd, line, static_cast<size_t>(size)) != size) _exit(kCannotMark);
}

// FNV-1a of the task's name, as an offset in the file of locks.
off_t PlaceOf(const char* task) {
  uint64_t hash = 0xcbf29ce484222325;
  for (; *task != '\0'; ++task) hash = (hash ^ static_cast<unsigned char>(*task)) * 0x100000001b3;
  return static_cast<off_t>(hash >> 2);
}

bool LockTask(const char* marks) {
  char path[4096];
  snprintf(path, sizeof(path), "%s.lock", marks);
  const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) _exit(kCannotMark);
  struct flock range{};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = PlaceOf(Environment("MUSTER_TASK_ID"));
  range.l_len = 1;
  return fcntl(fd, F_SETLK, &range) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return kCannotMark;
  const int fd = open(argv[1], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return kCannotMark;
  const bool alone = LockTask(argv[1]);
  Mark(fd, "begin", 0);
  if (!alone) Mark(fd, "overlap", 0);
  const long milliseconds = atol(argv[2]);
  timespec life{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  while (nanosleep(&life, &life) != 0) {
  }
  const int code = atoi(argv[3]);
  Mark(fd, "end", code);
  return code;
}
