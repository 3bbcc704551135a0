#include "master/app/loop_mail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace muster::master {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kPlenty = std::numeric_limits<int64_t>::max();

class LoopMailTest : public ::testing::Test {
 protected:
  static core::Event Submit(uint64_t call) { return core::SubmitTasks{.call = CallId(call)}; }
  static core::Event Beat(const std::string& worker) { return core::WorkerHeartbeat{.name = worker}; }
  static core::Event Join(const std::string& worker) { return core::WorkerJoin{.name = worker}; }

  // Notes what it is given, in order.
  auto Note() {
    return [this](LoopMail::Content content) { seen_.push_back(NameOf(content)); };
  }
  std::vector<std::string> Seen() { return std::exchange(seen_, {}); }

  void Take() { EXPECT_TRUE(mail_.Take(absl::ZeroDuration())); }

  LoopMail mail_{4, 1000};

 private:
  static std::string NameOf(const LoopMail::Content& content) {
    const auto* event = std::get_if<core::Event>(&content);
    if (event == nullptr) return "look";
    if (const auto* submit = std::get_if<core::SubmitTasks>(event)) return absl::StrCat("submit ", submit->call.value());
    if (const auto* beat = std::get_if<core::WorkerHeartbeat>(event)) return "beat " + beat->name;
    if (const auto* join = std::get_if<core::WorkerJoin>(event)) return "join " + join->name;
    return "another";
  }

  std::vector<std::string> seen_;
};

TEST_F(LoopMailTest, WhatATurnLeavesStandsBeforeWhatIsNew) {
  for (uint64_t i = 1; i <= 3; ++i) mail_.Post(Submit(i), 10);
  Take();
  EXPECT_EQ(mail_.Handle(2, kPlenty, Note()), 2u);
  EXPECT_EQ(mail_.left(), 1u);
  mail_.Post(Submit(4), 10);
  Take();
  mail_.HandleAll(Note());
  EXPECT_THAT(Seen(), ElementsAre("submit 1", "submit 2", "submit 3", "submit 4"));
}

TEST_F(LoopMailTest, ATurnEndsWithTheEventThatPassesItsBytes) {
  for (uint64_t i = 1; i <= 3; ++i) mail_.Post(Submit(i), 60);
  Take();
  EXPECT_EQ(mail_.Handle(10, 100, Note()), 2u);
}

TEST_F(LoopMailTest, ItIsFullByCountOrByBytesUntilSomethingIsHandled) {
  EXPECT_FALSE(mail_.IsFull(1000));
  EXPECT_TRUE(mail_.IsFull(1001));
  for (uint64_t i = 1; i <= 4; ++i) mail_.Post(Submit(i), 1);
  EXPECT_TRUE(mail_.IsFull(1));
  EXPECT_TRUE(mail_.IsHalfFull());
  Take();
  EXPECT_TRUE(mail_.IsFull(1)) << "what is taken still waits";
  mail_.Handle(1, kPlenty, Note());
  EXPECT_FALSE(mail_.IsFull(1));
  EXPECT_EQ(mail_.events(), 3);
  EXPECT_EQ(mail_.bytes(), 3);
}

TEST_F(LoopMailTest, LeasesPassAFloodOnceAndTheRestKeepsItsOrder) {
  for (core::Event& event : std::vector<core::Event>{Submit(1), Beat("a"), Submit(2), Join("b")}) {
    mail_.Post(std::move(event), 1);
  }
  Take();
  mail_.HandleLeases(Note());
  EXPECT_THAT(Seen(), ElementsAre("beat a", "join b"));
  EXPECT_EQ(mail_.events(), 2);
  mail_.Post(Beat("c"), 1);
  Take();
  mail_.HandleLeases(Note());
  EXPECT_THAT(Seen(), ElementsAre("beat c"));
  mail_.HandleAll(Note());
  EXPECT_THAT(Seen(), ElementsAre("submit 1", "submit 2"));
}

TEST_F(LoopMailTest, HeartbeatsAreTakenOutOfWhatATurnHasBegun) {
  for (core::Event& event : std::vector<core::Event>{Submit(1), Submit(2), Beat("a"), Join("b"), Submit(3)}) {
    mail_.Post(std::move(event), 1);
  }
  Take();
  mail_.Handle(1, kPlenty, Note());
  mail_.TakeOutHeartbeats(Note());
  EXPECT_THAT(Seen(), ElementsAre("submit 1", "beat a"));
  mail_.HandleAll(Note());
  EXPECT_THAT(Seen(), ElementsAre("submit 2", "join b", "submit 3"));
  EXPECT_EQ(mail_.events(), 0);
}

TEST_F(LoopMailTest, AQuestionThatIsNeverAskedTellsItsAsker) {
  auto token = std::make_shared<int>();
  const std::weak_ptr<int> alive = token;
  mail_.Post(LoopMail::Look([token](const core::ClusterCore&, absl::Time) {}), 1);
  token.reset();
  mail_.Close();
  EXPECT_FALSE(mail_.Post(Submit(1), 1));
  Take();
  EXPECT_FALSE(alive.expired());
  mail_.Drop();
  EXPECT_TRUE(alive.expired());
  EXPECT_THAT(Seen(), IsEmpty());
  EXPECT_EQ(mail_.events(), 0);
  EXPECT_FALSE(mail_.Take(absl::ZeroDuration()));
}

}  // namespace
}  // namespace muster::master
