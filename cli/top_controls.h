// The keys of `muster top`, and what they have set. Pure.
// Thread rule: one thread.
#pragma once

#include <string>
#include <string_view>

namespace muster::cli {

enum class TopOrder { kByName, kByLoad, kByTrouble };

class TopControls {
 public:
  enum class Wish { kNone, kRedraw, kQuit, kInterrupt };
  // One key, or the bytes of several.
  Wish Press(std::string_view keys);

  bool paused() const { return paused_; }
  TopOrder order() const { return order_; }
  const std::string& filter() const { return filter_; }
  // The filter is being typed.
  bool typing() const { return typing_; }

 private:
  Wish PressOne(char key);
  void Type(char key);

  bool paused_ = false;
  bool typing_ = false;
  TopOrder order_ = TopOrder::kByName;
  std::string filter_;
};

}  // namespace muster::cli
