#include "cli/screen.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/interrupts.h"
#include "cli/terminal.h"
#include "cli/wakeup.h"

namespace muster::cli {
namespace {

// The alternate screen, no cursor, and no wrapping: a character that is wider than we think moves no line.
constexpr char kEnter[] = "\033[?1049h\033[?25l\033[?7l\033[H\033[2J";
constexpr char kLeave[] = "\033[?7h\033[?25h\033[?1049l";
constexpr int kFatalSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGHUP, SIGQUIT};

termios terminal_before;  // while a screen is entered; for the handler, which can be given nothing

// Everything here is safe in a signal handler.
void GiveBack() {
  [[maybe_unused]] const ssize_t written = write(STDOUT_FILENO, kLeave, sizeof(kLeave) - 1);
  tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
}

extern "C" void GiveBackAndDie(int signal) {
  GiveBack();
  raise(signal);  // SA_RESETHAND: this time it ends the program
}

void SetFatalHandlers(void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int signal : kFatalSignals) sigaction(signal, &action, nullptr);
}

void DrainSignals(int fd) {
  signalfd_siginfo info;
  while (read(fd, &info, sizeof(info)) == sizeof(info)) {
  }
}

}  // namespace

Screen::Screen() {
  sigset_t ours;
  sigemptyset(&ours);
  sigaddset(&ours, SIGWINCH);
  pthread_sigmask(SIG_BLOCK, &ours, &before_);
  resized_fd_ = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
}

Screen::~Screen() {
  Leave();
  if (resized_fd_ >= 0) close(resized_fd_);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

bool Screen::Enter() {
  const char* const term = std::getenv("TERM");
  if (term == nullptr || *term == '\0' || std::strcmp(term, "dumb") == 0) return false;
  if (isatty(STDOUT_FILENO) == 0 || tcgetattr(STDIN_FILENO, &terminal_before) != 0) return false;
  termios raw = terminal_before;
  // Ctrl-C comes as a key, too: a signal could find us between two frames, and Ctrl-Z would leave the screen as it is.
  raw.c_lflag &= static_cast<tcflag_t>(~(ICANON | ECHO | ISIG | IEXTEN));
  raw.c_iflag &= static_cast<tcflag_t>(~(IXON | ICRNL));
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  SetFatalHandlers(GiveBackAndDie);
  tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  entered_ = true;
  Draw(kEnter);
  return true;
}

void Screen::Leave() {
  if (!entered_) return;
  entered_ = false;
  GiveBack();
  SetFatalHandlers(SIG_DFL);
}

ScreenSize Screen::size() const {
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

void Screen::Draw(std::string_view frame) {
  size_t written = 0;
  WriteAll(STDOUT_FILENO, frame, -1, &written);
}

Screen::News Screen::Wait(absl::Time deadline, Wakeup* wakeup, const Interrupts* interrupts) {
  News news;
  pollfd waiting[] = {{STDIN_FILENO, POLLIN, 0},
                      {resized_fd_, POLLIN, 0},
                      {wakeup->fd(), POLLIN, 0},
                      {interrupts != nullptr ? interrupts->fd() : -1, POLLIN, 0}};
  const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now() + absl::Microseconds(999));
  if (poll(waiting, std::size(waiting), static_cast<int>(std::clamp<int64_t>(left, 0, 3'600'000))) <= 0) return news;
  if (waiting[0].revents != 0) {
    char keys[256];
    const ssize_t count = read(STDIN_FILENO, keys, sizeof(keys));
    if (count > 0) {
      news.keys.assign(keys, static_cast<size_t>(count));
    } else {
      news.hung_up = true;
    }
  }
  if (waiting[1].revents != 0) {
    DrainSignals(resized_fd_);
    news.resized = true;
  }
  if (waiting[2].revents != 0) {
    wakeup->Clear();
    news.rung = true;
  }
  news.interrupted = waiting[3].revents != 0;
  return news;
}

}  // namespace muster::cli
