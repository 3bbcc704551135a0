#include "cli/top_controls.h"

#include <algorithm>

namespace muster::cli {
namespace {

constexpr char kCtrlC = 3;
constexpr char kBackspace = 8;
constexpr char kEscape = 27;
constexpr char kDelete = 127;
constexpr size_t kMostFilter = 60;

}  // namespace

TopControls::Wish TopControls::Press(std::string_view keys) {
  // An arrow, or Alt with something: one press that means nothing here.
  if (keys.size() > 1 && keys[0] == kEscape) return Wish::kNone;
  Wish wish = Wish::kNone;
  for (const char key : keys) wish = std::max(wish, PressOne(key));
  return wish;
}

TopControls::Wish TopControls::PressOne(char key) {
  if (key == kCtrlC) return Wish::kInterrupt;
  if (typing_) {
    Type(key);
    return Wish::kRedraw;
  }
  switch (key) {
    case 'q':
    case 'Q': return Wish::kQuit;
    case 'p': paused_ = !paused_; break;
    case 's': order_ = static_cast<TopOrder>((static_cast<int>(order_) + 1) % 3); break;
    case '/': typing_ = true; break;
    case kEscape: filter_.clear(); break;
    default: return Wish::kNone;
  }
  return Wish::kRedraw;
}

void TopControls::Type(char key) {
  if (key == '\r' || key == '\n') {
    typing_ = false;
  } else if (key == kEscape) {
    typing_ = false;
    filter_.clear();
  } else if (key == kBackspace || key == kDelete) {
    while (!filter_.empty() && (static_cast<unsigned char>(filter_.back()) & 0xC0) == 0x80) filter_.pop_back();
    if (!filter_.empty()) filter_.pop_back();
  } else if (static_cast<unsigned char>(key) >= 0x20 && filter_.size() < kMostFilter) {
    filter_.push_back(key);
  }
}

}  // namespace muster::cli
