// muster top: the cluster as it is, again and again: a screen for a person, frames for a file, objects for a program.
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/errors.h"
#include "cli/output.h"
#include "cli/screen.h"
#include "cli/session.h"
#include "cli/top_controls.h"
#include "cli/top_feed.h"
#include "cli/top_frame.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

constexpr absl::Duration kShortestInterval = absl::Milliseconds(100);
constexpr absl::Duration kLongestInterval = absl::Hours(1);

struct TopFlags {
  std::optional<absl::Duration> interval;
  bool once = false;
  std::string format;

  absl::Duration Interval() const { return interval.value_or(absl::Seconds(once ? 1 : 2)); }
};

// What is on the screen, and what came after it.
class TopScreen {
 public:
  TopScreen(Session& session, Client& client, Screen& screen, TopSnapshot first)
      : session_(session), client_(client), screen_(screen), newest_{std::move(first), std::nullopt, ""}, shown_(newest_) {}

  absl::StatusOr<int> Run(absl::Duration interval) {
    TopFeed feed(client_.Impatient(), interval, &client_.wakeup());
    while (true) {
      Draw();
      const Screen::News news = screen_.Wait(absl::InfiniteFuture(), &client_.wakeup(), client_.interrupts());
      if (news.interrupted) return End(Interrupted(client_.interrupts()->Take()));
      if (news.hung_up) return End(Interrupted());
      const TopControls::Wish wish = controls_.Press(news.keys);
      if (wish == TopControls::Wish::kInterrupt) return End(Interrupted());
      if (wish == TopControls::Wish::kQuit) return End(0);
      if (news.rung) Hear(feed.Take());
      if (!controls_.paused()) shown_ = newest_;
    }
  }

 private:
  // The screen first: what else has to end may take a moment.
  absl::StatusOr<int> End(absl::StatusOr<int> how) {
    screen_.Leave();
    return how;
  }

  void Hear(std::optional<absl::StatusOr<TopSnapshot>> news) {
    if (!news) return;
    if (!news->ok()) {
      newest_.trouble = ErrorLine(news->status(), client_.master());
      shown_.trouble = newest_.trouble;
      return;
    }
    newest_.rates = RatesBetween(newest_.snapshot, **news);
    newest_.snapshot = **std::move(news);
    newest_.trouble.clear();
    shown_.trouble.clear();
  }

  void Draw() {
    std::string text = "\033[H";
    const std::vector<StyledLine> frame = TopFrame(shown_, controls_, screen_.size(), true);
    for (size_t i = 0; i < frame.size(); ++i) {
      absl::StrAppend(&text, session_.terminal().Paint(frame[i]), "\033[K", i + 1 < frame.size() ? "\r\n" : "");
    }
    screen_.Draw(text + "\033[J");
  }

  Session& session_;
  Client& client_;
  Screen& screen_;
  TopControls controls_;
  TopView newest_;
  TopView shown_;
};

void PrintFrame(Session& session, const TopFlags& flags, const TopView& view, bool is_first) {
  if (flags.format == "json") {
    PrintAsItIs(absl::StrCat(TopJson(view), "\n"));
  } else {
    if (!is_first) Print("\n");
    for (const StyledLine& line : TopFrame(view, TopControls(), {session.terminal().Width(), 0}, false)) {
      PrintAsItIs(absl::StrCat(session.terminal().Paint(line), "\n"));
    }
  }
  std::fflush(stdout);
}

// Without a screen: one frame after the other.
absl::StatusOr<int> PrintFrames(Session& session, Client& client, const TopFlags& flags, TopSnapshot first) {
  TopView view{std::move(first), std::nullopt, ""};
  if (!flags.once) PrintFrame(session, flags, view, true);
  do {
    MUSTER_RETURN_IF_ERROR(client.Pause(flags.Interval()));
    MUSTER_ASSIGN_OR_RETURN(TopSnapshot next, TakeTopSnapshot(&client));
    view.rates = RatesBetween(view.snapshot, next);
    view.snapshot = std::move(next);
    PrintFrame(session, flags, view, flags.once);
  } while (!flags.once && std::ferror(stdout) == 0);
  return 0;
}

absl::StatusOr<int> Top(Session& session, const TopFlags& flags) {
  if (flags.Interval() < kShortestInterval || flags.Interval() > kLongestInterval) {
    return UsageError("--interval is not in 100ms..1h");
  }
  Screen screen;
  session.HandleInterrupts();
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  MUSTER_ASSIGN_OR_RETURN(TopSnapshot first, TakeTopSnapshot(client));
  const bool wants_screen = !flags.once && flags.format != "json";
  if (!wants_screen || !screen.Enter()) return PrintFrames(session, *client, flags, std::move(first));
  return TopScreen(session, *client, screen, std::move(first)).Run(flags.Interval());
}

}  // namespace

Action SetUpTop(Flags& flags) {
  auto values = std::make_shared<TopFlags>();
  flags.Usage("top [flags]");
  flags.Time("--interval", &values->interval, "D", "Between two looks (2s).");
  flags.Switch("--once", &values->once, "One frame, after one interval (1s), which its rates are of.");
  flags.Choice("-o,--output", &values->format, {"table", "json"}, "How to show it; json: one object a line.");
  flags.Examples(
      "  muster top                       on a terminal: q quits, p pauses, s sorts, / filters\n"
      "  muster top --once                one frame, as text\n"
      "  muster top -o json --interval 10s | jq .rates      for a program; also one frame after the other into a file");
  return [values](Session& session) { return Top(session, *values); };
}

}  // namespace muster::cli
