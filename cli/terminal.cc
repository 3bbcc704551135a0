#include "cli/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "cli/text.h"

namespace muster::cli {
namespace {

const char* CodeOf(Colour colour) {
  switch (colour) {
    case Colour::kPlain: return "";
    case Colour::kBold: return "\033[1m";
    case Colour::kDim: return "\033[2m";
    case Colour::kRed: return "\033[31m";
    case Colour::kGreen: return "\033[32m";
    case Colour::kYellow: return "\033[33m";
    case Colour::kBlue: return "\033[34m";
  }
  return "";
}

std::string Painted(bool on, Colour colour, std::string_view text) {
  const std::string words = Harmless(text);
  if (!on || colour == Colour::kPlain || text.empty()) return words;
  return absl::StrCat(CodeOf(colour), words, "\033[0m");
}

int WidthOf(int fd) {
  winsize size = {};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col == 0 ? 80 : size.ws_col;
}

void WriteErr(std::string_view text) {
  size_t written = 0;
  WriteAll(STDERR_FILENO, text, -1, &written);
}

}  // namespace

Terminal::Terminal(std::string_view mode)
    : out_is_terminal_(isatty(STDOUT_FILENO) == 1),
      err_is_terminal_(isatty(STDERR_FILENO) == 1),
      in_is_terminal_(isatty(STDIN_FILENO) == 1) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool wanted = (no_colour == nullptr || *no_colour == '\0') && !(term != nullptr && std::strcmp(term, "dumb") == 0);
  colour_out_ = mode == "always" || (mode != "never" && out_is_terminal_ && wanted);
  colour_err_ = mode == "always" || (mode != "never" && err_is_terminal_ && wanted);
}

void Terminal::Say(std::string_view line) {
  std::lock_guard<std::mutex> lock(mutex_);
  ClearLocked();
  WriteErr(absl::StrCat(Painted(colour_err_, Colour::kBold, "muster:"), " ", OneLine(std::string(line), kAnyWidth), "\n"));
}

void Terminal::Progress(std::string_view line) {
  if (!err_is_terminal_) return;
  std::lock_guard<std::mutex> lock(mutex_);
  const int width = std::max(20, ErrWidth()) - 1;
  WriteErr(absl::StrCat("\r\033[K", OneLine(std::string(line), static_cast<size_t>(width))));
  progress_shown_ = true;
}

void Terminal::ClearProgress() {
  std::lock_guard<std::mutex> lock(mutex_);
  ClearLocked();
}

void Terminal::ClearLocked() {
  if (!progress_shown_) return;
  progress_shown_ = false;
  WriteErr("\r\033[K");
}

std::string Terminal::Paint(Colour colour, std::string_view text) const { return Painted(colour_out_, colour, text); }
std::string Terminal::Paint(const StyledLine& line) const {
  std::string text;
  for (const Span& span : line) text += Paint(span.colour, span.text);
  return text;
}
int Terminal::Width() const { return out_is_terminal_ ? WidthOf(STDOUT_FILENO) : 0; }
int Terminal::ErrWidth() const { return err_is_terminal_ ? WidthOf(STDERR_FILENO) : 0; }

bool Terminal::Confirm(std::string_view question) {
  if (!in_is_terminal_ || !err_is_terminal_) return true;
  ClearProgress();
  WriteErr(absl::StrCat("muster: ", OneLine(std::string(question), kAnyWidth), " [y/N] "));
  char answer[64] = {};
  if (std::fgets(answer, sizeof(answer), stdin) == nullptr) return false;
  return answer[0] == 'y' || answer[0] == 'Y';
}

WriteEnd WriteAll(int fd, std::string_view data, int stop_fd, size_t* written) {
  struct stat info;
  // A pipe that polls writable has room for PIPE_BUF at least; more in one call could block past a Ctrl-C.
  const bool may_block = fstat(fd, &info) != 0 || !S_ISREG(info.st_mode);
  *written = 0;
  while (*written < data.size()) {
    size_t step = data.size() - *written;
    if (may_block) {
      pollfd waiting[2] = {{fd, POLLOUT, 0}, {stop_fd, POLLIN, 0}};
      if (poll(waiting, 2, -1) < 0) {
        if (errno == EINTR) continue;
        return WriteEnd::kFailed;
      }
      if (waiting[1].revents != 0) return WriteEnd::kStopped;
      if (stop_fd >= 0) step = std::min<size_t>(step, 4096);
    }
    const ssize_t count = write(fd, data.data() + *written, step);
    if (count < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return errno == EPIPE ? WriteEnd::kClosed : WriteEnd::kFailed;
    }
    *written += static_cast<size_t>(count);
  }
  return WriteEnd::kDone;
}

}  // namespace muster::cli
