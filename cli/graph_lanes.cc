#include "cli/graph_lanes.h"

#include <algorithm>

namespace muster::cli {
namespace {

constexpr uint32_t kFree = UINT32_MAX;

class LaneDrawing {
 public:
  explicit LaneDrawing(const std::vector<std::vector<uint32_t>>& needs) : needs_(needs), waiting_(needs.size()) {
    for (const std::vector<uint32_t>& of_one : needs) {
      for (const uint32_t line : of_one) ++waiting_[line];
    }
  }

  // False: too wide.
  bool Add(uint32_t line, std::string* text) {
    for (const uint32_t need : needs_[line]) --waiting_[need];
    const size_t column = ColumnOf(line);
    if (column >= kMostLanes) return false;
    size_t first = column, last = column;
    for (const uint32_t need : needs_[line]) {
      const size_t at = LaneOf(need);
      first = std::min(first, at);
      last = std::max(last, at);
    }
    for (size_t at = 0; at < lanes_.size(); ++at) {
      *text += at != column ? Crossing(line, at, first, column, last) : needs_[line].empty() ? "○" : "●";
      *text += at >= first && at < last ? "─" : " ";
    }
    for (uint32_t& lane : lanes_) {
      if (lane != kFree && waiting_[lane] == 0) lane = kFree;
    }
    lanes_[column] = waiting_[line] > 0 ? line : kFree;
    before_ = column;
    return true;
  }

 private:
  size_t LaneOf(uint32_t line) const {
    return static_cast<size_t>(std::find(lanes_.begin(), lanes_.end(), line) - lanes_.begin());
  }

  // Where the first of its needs stood that nobody else needs any more; else the first that is free, but not right below a
  // node that it does not need: it would look as if it did.
  size_t ColumnOf(uint32_t line) {
    size_t column = lanes_.size();
    for (const uint32_t need : needs_[line]) {
      if (waiting_[need] == 0) column = std::min(column, LaneOf(need));
    }
    if (column < lanes_.size()) return column;
    column = LaneOf(kFree);
    if (column == before_ && !needs_[line].empty()) {
      column = static_cast<size_t>(std::find(lanes_.begin() + static_cast<ptrdiff_t>(column) + 1, lanes_.end(), kFree) - lanes_.begin());
    }
    if (column == lanes_.size()) lanes_.push_back(kFree);
    return column;
  }

  const char* Crossing(uint32_t line, size_t at, size_t first, size_t column, size_t last) const {
    const uint32_t lane = lanes_[at];
    const bool inside = at >= first && at <= last;
    if (lane == kFree) return inside ? "─" : " ";
    const std::vector<uint32_t>& needs = needs_[line];
    if (std::find(needs.begin(), needs.end(), lane) == needs.end()) return "│";  // passes behind
    const bool ends = waiting_[lane] == 0;
    if (at == first && at < column) return ends ? "└" : "├";
    if (at == last && at > column) return ends ? "┘" : "┤";
    return ends ? "┴" : "┼";
  }

  const std::vector<std::vector<uint32_t>>& needs_;
  std::vector<uint32_t> waiting_;  // lines below that still need it
  std::vector<uint32_t> lanes_;    // whose they are
  size_t before_ = SIZE_MAX;       // where the node of the line before stands
};

}  // namespace

std::optional<std::vector<std::string>> DrawLanes(const std::vector<std::vector<uint32_t>>& needs) {
  LaneDrawing drawing(needs);
  std::vector<std::string> texts(needs.size());
  std::vector<size_t> widths(needs.size());
  size_t widest = 0;
  for (uint32_t line = 0; line < needs.size(); ++line) {
    if (!drawing.Add(line, &texts[line])) return std::nullopt;
    for (const char c : texts[line]) widths[line] += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
    widest = std::max(widest, widths[line]);
  }
  for (uint32_t line = 0; line < needs.size(); ++line) texts[line].append(widest - widths[line], ' ');
  return texts;
}

}  // namespace muster::cli
