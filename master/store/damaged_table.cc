#include "master/store/damaged_table.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <string>
#include <utility>

#include "common/base/status_macros.h"

namespace muster::store {
namespace {

constexpr int kMostProbes = 512;  // for pages between two that are damaged

class DamagedTable {
 public:
  DamagedTable(Database* database, const StoreTable& table, const std::function<absl::Status(const Query&)>& visit)
      : database_(database), table_(table), visit_(visit) {}

  absl::Status Read() {
    todo_.push_back({std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()});
    for (int probes = 0; !todo_.empty(); ++probes) {
      KeyGap part = todo_.front();
      todo_.pop_front();
      MUSTER_ASSIGN_OR_RETURN(const bool whole, ReadFromBothEnds(&part));
      if (whole || part.first > part.last) continue;
      if (part.first == part.last || probes >= kMostProbes || !table_.has_number_key) {
        gaps_.push_back(table_.has_number_key ? part : KeyGap{});
        continue;
      }
      const int64_t middle = part.first / 2 + part.last / 2;
      todo_.push_back({part.first, middle});
      todo_.push_back({middle + 1, part.last});
    }
    return absl::OkStatus();
  }

  std::vector<KeyGap> gaps_;

 private:
  // Narrows the part to what is left. True: all of it was read.
  absl::StatusOr<bool> ReadFromBothEnds(KeyGap* part) {
    MUSTER_ASSIGN_OR_RETURN(const bool up, ReadOneWay(table_.select_up, *part, &part->first, 1));
    if (up) return true;
    return ReadOneWay(table_.select_down, *part, &part->last, -1);
  }

  absl::StatusOr<bool> ReadOneWay(const std::string& sql, KeyGap part, int64_t* next, int64_t step) {
    Query rows(database_, sql.c_str());
    if (table_.has_number_key) {
      rows.Bind(1, part.first);
      rows.Bind(2, part.last);
    }
    while (rows.Next()) {
      MUSTER_RETURN_IF_ERROR(visit_(rows));
      if (table_.has_number_key) *next = After(rows.Int(0), step);
    }
    if (rows.status().ok()) return true;
    if (!absl::IsDataLoss(rows.status())) return rows.status();
    return false;
  }

  // A damaged row may have any key.
  static int64_t After(int64_t key, int64_t step) {
    const int64_t end = step > 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min();
    return key == end ? key : key + step;
  }

  Database* const database_;
  const StoreTable& table_;
  const std::function<absl::Status(const Query&)>& visit_;
  std::deque<KeyGap> todo_;
};

// Parts of one damage are neighbours.
std::vector<KeyGap> Joined(std::vector<KeyGap> gaps) {
  std::sort(gaps.begin(), gaps.end(), [](const KeyGap& a, const KeyGap& b) { return a.first < b.first; });
  std::vector<KeyGap> joined;
  for (const KeyGap& gap : gaps) {
    if (!joined.empty() && gap.first - 1 <= joined.back().last) {
      joined.back().last = std::max(joined.back().last, gap.last);
    } else {
      joined.push_back(gap);
    }
  }
  return joined;
}

}  // namespace

absl::StatusOr<std::vector<KeyGap>> ReadPastDamage(Database* database, const StoreTable& table,
                                                   const std::function<absl::Status(const Query&)>& visit) {
  DamagedTable reader(database, table, visit);
  MUSTER_RETURN_IF_ERROR(reader.Read());
  return Joined(std::move(reader.gaps_));
}

}  // namespace muster::store
