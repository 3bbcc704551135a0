// The whole terminal, for a view that stays: the alternate screen, keys as they are typed, its size as it changes.
//
// Make it before the first gRPC call: threads inherit the mask, and SIGWINCH must not find one without it. Enter takes
// the terminal; Leave, the destructor, and the signals that end a program without asking it give it back as it was.
// Thread rule: the main thread. One at a time.
#pragma once

#include <csignal>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace muster::cli {

class Interrupts;
class Wakeup;

struct ScreenSize {
  int columns = 80;
  int rows = 24;

  friend bool operator==(const ScreenSize&, const ScreenSize&) = default;
};

class Screen {
 public:
  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // False: stdin or stdout is no terminal that can do this, and nothing was changed.
  bool Enter();
  void Leave();

  ScreenSize size() const;
  // Draws what fits over what was there, by one write: nothing is cleared first, so nothing flickers.
  void Draw(std::string_view frame);

  struct News {
    std::string keys;
    bool resized = false;
    bool rung = false;
    bool interrupted = false;  // a signal waits, and was not taken
    bool hung_up = false;      // the terminal has gone
  };
  // Waits for anything of that, until the deadline.
  News Wait(absl::Time deadline, Wakeup* wakeup, const Interrupts* interrupts);

 private:
  int resized_fd_;
  sigset_t before_;
  bool entered_ = false;
};

}  // namespace muster::cli
