// Values by id, for ids that are given out one after the other and leave in about that order: 32 neighbours share a page.
//
//   IdPages<TaskId, Note> notes;
//   notes.Add(id, Note{...});                         // null: the id has one
//   if (Note* note = notes.Find(id)) ...
//   notes.VisitUp(first, [](TaskId id, const Note& note) { return true; });  // in order, while that says so
//
// A search walks a tree of pages, 32 times smaller than one of ids, which stays in the processor's cache at a million ids,
// and then touches one line of the page. A page goes with its last value, so what is held follows what is there and not how
// far the ids have come; at worst, where one in 32 is left, each value has the room of 32.
// A value stays where it is until Remove. Thread rule: one thread. Cost: O(log n); a visit O(log n) and what it shows.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/container/btree_map.h"

namespace muster::core {

// `Id` is a StrongId, `T` has a default that owns nothing.
template <typename Id, typename T>
class IdPages {
 public:
  // Null: there is one already, and it stays.
  T* Add(Id id, T value) {
    Page& page = PageFor(NumberOf(id));
    const Taken bit = BitOf(id);
    if ((page.taken & bit) != 0) return nullptr;
    page.taken |= bit;
    ++size_;
    T& place = page.values[PlaceOf(id)];
    place = std::move(value);
    return &place;
  }

  // False: there is none.
  bool Remove(Id id) {
    const auto found = pages_.find(NumberOf(id));
    if (found == pages_.end() || (found->second->taken & BitOf(id)) == 0) return false;
    found->second->values[PlaceOf(id)] = T();
    found->second->taken &= ~BitOf(id);
    if (found->second->taken == 0) pages_.erase(found);
    --size_;
    return true;
  }

  // Null: there is none.
  T* Find(Id id) {
    const auto found = pages_.find(NumberOf(id));
    return found != pages_.end() && (found->second->taken & BitOf(id)) != 0 ? &found->second->values[PlaceOf(id)] : nullptr;
  }
  const T* Find(Id id) const { return const_cast<IdPages*>(this)->Find(id); }

  size_t size() const { return size_; }
  size_t pages() const { return pages_.size(); }

  // From `first` on, in order, for as long as visit(id, value) says so. It must not add or remove.
  template <typename Visit>
  void VisitUp(Id first, const Visit& visit) const {
    for (auto at = pages_.lower_bound(NumberOf(first)); at != pages_.end(); ++at) {
      const Taken from_there = at->first == NumberOf(first) ? ~(BitOf(first) - 1) : ~Taken{0};
      for (Taken left = at->second->taken & from_there; left != 0; left &= left - 1) {
        if (!Show(*at, std::countr_zero(left), visit)) return;
      }
    }
  }

  // Those below `end`, the highest first.
  template <typename Visit>
  void VisitDown(Id end, const Visit& visit) const {
    for (auto at = pages_.upper_bound(NumberOf(end)); at != pages_.begin();) {
      --at;
      Taken left = at->second->taken & (at->first == NumberOf(end) ? BitOf(end) - 1 : ~Taken{0});
      while (left != 0) {
        const int place = std::bit_width(left) - 1;
        if (!Show(*at, place, visit)) return;
        left &= ~(Taken{1} << place);
      }
    }
  }

 private:
  static constexpr uint64_t kPlaces = 32;  // as many as Taken has bits

  using Taken = uint32_t;

  struct Page {
    Taken taken = 0;
    std::array<T, kPlaces> values{};
  };
  using PagesByNumber = absl::btree_map<uint64_t, std::unique_ptr<Page>>;

  static uint64_t NumberOf(Id id) { return id.value() / kPlaces; }
  static size_t PlaceOf(Id id) { return id.value() % kPlaces; }
  static Taken BitOf(Id id) { return Taken{1} << PlaceOf(id); }

  Page& PageFor(uint64_t number) {
    std::unique_ptr<Page>& page = pages_.try_emplace(pages_.end(), number)->second;  // who comes is mostly newer
    if (page == nullptr) page = std::make_unique<Page>();
    return *page;
  }

  template <typename Visit>
  static bool Show(const typename PagesByNumber::value_type& page, int place, const Visit& visit) {
    const auto at = static_cast<uint64_t>(place);
    return visit(Id(page.first * kPlaces + at), std::as_const(page.second->values[at]));
  }

  PagesByNumber pages_;
  size_t size_ = 0;
};

}  // namespace muster::core
