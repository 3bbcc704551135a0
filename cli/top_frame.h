// One frame of `muster top`: what is known, laid out for a screen of so many columns and rows. Nothing that a peer sent
// reaches it as it came: every word is a line's part without anything that a terminal acts on.
//
// Pure: the same view and size give the same lines. Thread rule: one thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/screen.h"
#include "cli/terminal.h"
#include "cli/top_controls.h"
#include "cli/top_feed.h"

namespace muster::cli {

struct TopView {
  TopSnapshot snapshot;
  std::optional<TopRates> rates;
  std::string trouble;  // why there is nothing newer; empty: there is no reason
};

// At most size.rows lines of at most size.columns characters; 0 of either: as many as it takes. With `keys` it says what
// may be pressed.
std::vector<StyledLine> TopFrame(const TopView& view, const TopControls& controls, ScreenSize size, bool keys);

// The same as one object: {"time":...,"summary":{...},"rates":{...},"workers":[...],"queues":[...],"longest_running":[...]}
std::string TopJson(const TopView& view);

// How many of `room` rows each gets who wants so many: in turns, so that the small ones are served whole.
std::vector<size_t> ShareRows(const std::vector<size_t>& wanted, size_t room);

}  // namespace muster::cli
