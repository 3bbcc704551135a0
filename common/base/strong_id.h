// Numbers that do not convert into one another: a TaskId is never an AttemptNumber by accident.
//
//   using TaskId = StrongId<struct TaskIdTag, uint64_t>;
//   TaskId id(17);  id.value() == 17;  id < TaskId(18);  absl::flat_hash_set<TaskId> works.
//
// Zero means "none". Thread rule: a value type.
#pragma once

#include <compare>
#include <cstdint>
#include <utility>

namespace muster {

template <typename Tag, typename Rep>
class StrongId {
 public:
  using ValueType = Rep;

  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep value) : value_(value) {}

  constexpr Rep value() const { return value_; }
  constexpr explicit operator bool() const { return value_ != Rep{}; }
  constexpr StrongId Next() const { return StrongId(static_cast<Rep>(value_ + 1)); }

  friend constexpr auto operator<=>(StrongId, StrongId) = default;

  template <typename H>
  friend H AbslHashValue(H state, StrongId id) {
    return H::combine(std::move(state), id.value_);
  }

 private:
  Rep value_{};
};

}  // namespace muster
