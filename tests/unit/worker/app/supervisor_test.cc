// The supervisor with real processes: each test forks one, and looks at what is left when it has gone.
#include "worker/app/supervisor.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <vector>

namespace muster::worker {
namespace {

constexpr unsigned kLongestTestSeconds = 30;  // then the kernel ends it

// A supervisor in a process of its own, and a pipe on which its server can tell pids.
class Supervised {
 public:
  explicit Supervised(const std::function<int(FencePage*, int tell)>& server) {
    EXPECT_EQ(pipe(pipe_), 0);
    pid_ = fork();
    if (pid_ != 0) {
      close(pipe_[1]);
      return;
    }
    alarm(kLongestTestSeconds);
    const int tell = pipe_[1];
    _exit(Supervise([&server, tell](FencePage* page) {
      alarm(kLongestTestSeconds);
      return server(page, tell);
    }));
  }
  ~Supervised() { close(pipe_[0]); }

  pid_t pid() const { return pid_; }
  pid_t NextPid() const {
    pid_t told = 0;
    return read(pipe_[0], &told, sizeof(told)) == sizeof(told) ? told : 0;
  }
  int ExitCode() const {
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  int pipe_[2] = {-1, -1};
  pid_t pid_ = 0;
};

void Tell(int tell, pid_t pid) {
  if (write(tell, &pid, sizeof(pid)) != sizeof(pid)) _exit(99);
}

// A process that leaves its session and ignores what is polite.
void StartStubborn(int tell) {
  const pid_t child = fork();
  if (child != 0) return;
  alarm(kLongestTestSeconds);
  setsid();
  signal(SIGTERM, SIG_IGN);
  Tell(tell, getpid());
  while (true) pause();
}

bool IsGone(pid_t pid) { return kill(pid, 0) != 0 && errno == ESRCH; }

TEST(Supervisor, LeavesWithTheServersStatus) {
  const Supervised supervised([](FencePage*, int) { return 17; });
  EXPECT_EQ(supervised.ExitCode(), 17);
}

TEST(Supervisor, WhenTheServerIsKilledNothingOfItsTasksIsLeft) {
  const Supervised supervised([](FencePage*, int tell) {
    StartStubborn(tell);
    // One whose parent has gone already.
    if (fork() == 0) {
      StartStubborn(tell);
      _exit(0);
    }
    while (true) pause();
    return 0;
  });
  const std::vector<pid_t> tasks = {supervised.NextPid(), supervised.NextPid()};
  ASSERT_NE(tasks[0], 0);
  ASSERT_NE(tasks[1], 0);
  pid_t server = 0;
  {
    // The stubborn one's parent is the server, unless it was orphaned.
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", supervised.pid(), supervised.pid());
    FILE* file = fopen(path, "r");
    if (file == nullptr) GTEST_SKIP() << "no /proc/PID/task/TID/children here";
    EXPECT_EQ(fscanf(file, "%d", &server), 1);
    fclose(file);
  }
  ASSERT_EQ(kill(server, SIGKILL), 0);
  EXPECT_EQ(supervised.ExitCode(), 128 + SIGKILL);
  for (const pid_t task : tasks) EXPECT_TRUE(IsGone(task)) << task;
}

TEST(Supervisor, PassesSignalsOn) {
  const Supervised supervised([](FencePage*, int tell) {
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, nullptr);
    Tell(tell, getpid());
    int signal = 0;
    sigwait(&term, &signal);
    return signal == SIGTERM ? 5 : 6;
  });
  ASSERT_NE(supervised.NextPid(), 0);
  kill(supervised.pid(), SIGTERM);
  EXPECT_EQ(supervised.ExitCode(), 5);
}

TEST(Supervisor, KilledItselfItTakesTheServerAlong) {
  const Supervised supervised([](FencePage*, int tell) {
    Tell(tell, getpid());
    while (true) pause();
    return 0;
  });
  ASSERT_NE(supervised.NextPid(), 0);
  kill(supervised.pid(), SIGKILL);
  EXPECT_EQ(supervised.ExitCode(), -SIGKILL);
  // The pipe closes when the server, which holds its other end, has gone.
  EXPECT_EQ(supervised.NextPid(), 0);
}

TEST(Supervisor, AStoppedServersFencedAttemptsEndWithTheLease) {
  const Supervised supervised([](FencePage* page, int tell) {
    StartStubborn(tell);
    page->patience_ns = 1'000'000;
    page->fenced_running = 1;
    page->lease_until_ns = 1;  // long ago
    raise(SIGSTOP);
    return 0;
  });
  const pid_t task = supervised.NextPid();
  ASSERT_NE(task, 0);
  EXPECT_EQ(supervised.ExitCode(), 128 + SIGKILL);
  EXPECT_TRUE(IsGone(task));
}

TEST(Supervisor, WithoutFencedAttemptsTheEndOfTheLeaseEndsNothing) {
  const Supervised supervised([](FencePage* page, int) {
    page->patience_ns = 0;
    page->lease_until_ns = 1;
    const timespec longer_than_a_look{0, 600'000'000};
    nanosleep(&longer_than_a_look, nullptr);
    return 3;
  });
  EXPECT_EQ(supervised.ExitCode(), 3);
}

}  // namespace
}  // namespace muster::worker
