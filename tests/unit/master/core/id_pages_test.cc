// IdPages against std::map, under random histories of ids that grow, leave gaps and leap.
#include "master/core/id_pages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common/base/strong_id.h"

namespace muster::core {
namespace {

using NumberId = StrongId<struct NumberIdTag, uint64_t>;
using Numbers = IdPages<NumberId, std::unique_ptr<uint64_t>>;
using Shown = std::vector<std::pair<uint64_t, uint64_t>>;

class History {
 public:
  explicit History(uint64_t seed) : random_(seed) {}

  void Step() {
    switch (random_() % 8) {
      case 0: return Remove(Known());
      case 1: return Remove(Near(Known()));
      case 2: return RemoveOldest();
      case 3: return Add(Near(Known()));
      default: return Add(Next());
    }
  }

  void Check() {
    ASSERT_EQ(numbers_.size(), model_.size());
    ASSERT_LE(numbers_.pages(), model_.size()) << "an empty page is kept";
    for (const uint64_t id : {Known(), Near(Known()), Next()}) {
      const auto* const found = numbers_.Find(NumberId(id));
      ASSERT_EQ(found != nullptr, model_.contains(id)) << id;
      if (found != nullptr) {
        ASSERT_EQ(**found, model_.at(id));
      }
    }
    const uint64_t from = Near(Known());
    const size_t limit = random_() % 200;
    ASSERT_EQ(Up(from, limit), UpInModel(from, limit)) << "from " << from;
    ASSERT_EQ(Down(from, limit), DownInModel(from, limit)) << "below " << from;
  }

  void RemoveAll() {
    while (!model_.empty()) Remove(Known());
  }
  const Numbers& numbers() const { return numbers_; }

 private:
  void Add(uint64_t id) {
    const uint64_t value = random_();
    const auto* const added = numbers_.Add(NumberId(id), std::make_unique<uint64_t>(value));
    ASSERT_EQ(added != nullptr, model_.emplace(id, value).second) << id;
  }
  void Remove(uint64_t id) { ASSERT_EQ(numbers_.Remove(NumberId(id)), model_.erase(id) == 1) << id; }
  void RemoveOldest() {
    if (!model_.empty()) Remove(model_.begin()->first);
  }

  // Mostly the next one; at times the ids of a whole batch, or of years, are skipped.
  uint64_t Next() {
    const uint64_t dice = random_() % 100;
    return last_ += dice == 0 ? random_() % (uint64_t{1} << 40) : dice < 10 ? random_() % 300 : 1;
  }
  uint64_t Known() {
    if (model_.empty()) return 0;
    const auto found = model_.lower_bound(random_() % (last_ + 1));
    return found == model_.end() ? model_.rbegin()->first : found->first;
  }
  uint64_t Near(uint64_t id) { return id + random_() % 130 - std::min<uint64_t>(id, 65); }

  Shown Up(uint64_t from, size_t limit) const {
    Shown shown;
    numbers_.VisitUp(NumberId(from), [&](NumberId id, const std::unique_ptr<uint64_t>& value) {
      if (shown.size() == limit) return false;
      shown.emplace_back(id.value(), *value);
      return true;
    });
    return shown;
  }
  Shown Down(uint64_t end, size_t limit) const {
    Shown shown;
    numbers_.VisitDown(NumberId(end), [&](NumberId id, const std::unique_ptr<uint64_t>& value) {
      if (shown.size() == limit) return false;
      shown.emplace_back(id.value(), *value);
      return true;
    });
    return shown;
  }
  Shown UpInModel(uint64_t from, size_t limit) const {
    Shown shown;
    for (auto at = model_.lower_bound(from); at != model_.end() && shown.size() < limit; ++at) shown.push_back(*at);
    return shown;
  }
  Shown DownInModel(uint64_t end, size_t limit) const {
    Shown shown;
    auto at = std::make_reverse_iterator(model_.lower_bound(end));
    for (; at != model_.rend() && shown.size() < limit; ++at) shown.push_back(*at);
    return shown;
  }

  std::mt19937_64 random_;
  uint64_t last_ = 0;
  std::map<uint64_t, uint64_t> model_;
  Numbers numbers_;
};

TEST(IdPagesTest, KeepsWhatAMapKeepsAndShowsItInTheSameOrder) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History history(seed);
    for (int step = 0; step < 1500; ++step) {
      history.Step();
      history.Check();
      if (HasFatalFailure()) return;
    }
    history.RemoveAll();
    ASSERT_EQ(history.numbers().size(), 0u);
    ASSERT_EQ(history.numbers().pages(), 0u);
  }
}

TEST(IdPagesTest, AnIdThatIsTakenKeepsWhatItHas) {
  Numbers numbers;
  ASSERT_NE(numbers.Add(NumberId(64), std::make_unique<uint64_t>(1)), nullptr);
  EXPECT_EQ(numbers.Add(NumberId(64), std::make_unique<uint64_t>(2)), nullptr);
  EXPECT_EQ(**numbers.Find(NumberId(64)), 1u);
  EXPECT_EQ(numbers.size(), 1u);
}

TEST(IdPagesTest, WhatIsRemovedIsDestroyedWhileItsNeighboursStay) {
  const auto watched = std::make_shared<int>(1);
  IdPages<NumberId, std::shared_ptr<int>> values;
  values.Add(NumberId(1), watched);
  const std::shared_ptr<int>* const neighbour = values.Add(NumberId(2), watched);
  EXPECT_TRUE(values.Remove(NumberId(1)));
  EXPECT_EQ(watched.use_count(), 2);
  EXPECT_EQ(values.Find(NumberId(2)), neighbour) << "it has moved";
}

TEST(IdPagesTest, AHandfulOfOldOnesDoesNotHoldTheRoomOfAllThatCameSince) {
  IdPages<NumberId, uint64_t> values;
  for (uint64_t id = 1; id <= 1'000'000; ++id) {
    values.Add(NumberId(id), id);
    if (id > 100 && id % 100'000 != 0) values.Remove(NumberId(id));
  }
  EXPECT_LE(values.pages(), 14u);
}

}  // namespace
}  // namespace muster::core
