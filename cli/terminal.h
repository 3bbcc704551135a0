// The user's terminal, or what stands in for it: colours when wanted, messages on stderr, prompts, width.
//
// Thread rule: the main thread; Say is safe from any.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace muster::cli {

enum class Colour { kPlain, kBold, kDim, kRed, kGreen, kYellow, kBlue };

// A line before it is painted: words with their colours.
struct Span {
  std::string text;
  Colour colour = Colour::kPlain;
};
using StyledLine = std::vector<Span>;

class Terminal {
 public:
  // `mode`: auto, always, never. auto: on a terminal, unless NO_COLOR is set or TERM is dumb.
  explicit Terminal(std::string_view mode = "auto");

  // One line on stderr whatever is in it, "muster: ..." in front; clears a progress line first.
  void Say(std::string_view line);
  // The line that is drawn over itself; nothing when stderr is no terminal.
  void Progress(std::string_view line);
  void ClearProgress();

  bool out_is_terminal() const { return out_is_terminal_; }
  bool err_is_terminal() const { return err_is_terminal_; }
  bool in_is_terminal() const { return in_is_terminal_; }
  // For stdout; the text itself when it has no colours. What would order a terminal in it is shown as '?'.
  std::string Paint(Colour colour, std::string_view text) const;
  std::string Paint(const StyledLine& line) const;
  // Columns of stdout's terminal; 0: it is none.
  int Width() const;
  // Columns of stderr's.
  int ErrWidth() const;

  // Asks on the terminal. True at once when there is no terminal to ask on.
  bool Confirm(std::string_view question);

 private:
  void ClearLocked();

  bool out_is_terminal_, err_is_terminal_, in_is_terminal_;
  bool colour_out_, colour_err_;
  std::mutex mutex_;
  bool progress_shown_ = false;  // guarded by mutex_
};

// Everything, or false: the reader has gone (EPIPE) or the disk is full. Waits in poll, so that `stop_fd` (-1: none)
// becoming readable ends it early; `written` counts what went out.
enum class WriteEnd { kDone, kStopped, kClosed, kFailed };
WriteEnd WriteAll(int fd, std::string_view data, int stop_fd, size_t* written);

}  // namespace muster::cli
