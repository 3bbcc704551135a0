#include "master/request_handler/failure_groups.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace muster::handler {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::SizeIs;

store::FailedAttempt FailureOf(uint64_t task, const std::string& worker, const std::string& stderr_tail, int seconds = 0,
                               int code = 1, bool last = true) {
  return {{TaskId(task), AttemptNumber(1)}, worker, EndReason::kExited, code, absl::StrCat("exited with ", code),
          stderr_tail, absl::FromUnixSeconds(1'000'000 + seconds), last};
}

TEST(FailureGroupsTest, ABrokenWorkerStandsOutAmongFourHundred) {
  FailureGroups groups;
  for (uint64_t i = 412; i > 0; --i) {
    const bool mount = i > 3;
    groups.Add(FailureOf(i, mount ? "w7" : absl::StrCat("w", i),
                         mount ? absl::StrCat("cat: /data/", i, ".csv: No such file\n") : "KeyError: 'a'\n",
                         static_cast<int>(i)));
  }
  const auto all = groups.Take();
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0].count, 409);
  EXPECT_THAT(all[0].workers, ElementsAre(Pair("w7", 409)));
  EXPECT_EQ(all[0].text, "cat: <path>: No such file");
  EXPECT_EQ(all[0].example, "cat: /data/412.csv: No such file");
  EXPECT_THAT(all[0].examples, ElementsAre(TaskId(412), TaskId(411), TaskId(410)));
  EXPECT_THAT(all[0].to_retry, SizeIs(409));
  EXPECT_EQ(all[1].count, 3);
  EXPECT_THAT(all[1].workers, SizeIs(3));
  EXPECT_EQ(all[1].last - all[1].first, absl::Seconds(2));
}

TEST(FailureGroupsTest, TheSameTextWithAnotherEndIsAnotherCause) {
  FailureGroups groups;
  groups.Add(FailureOf(1, "a", "no", 0, 1));
  groups.Add(FailureOf(2, "a", "no", 0, 2));
  EXPECT_THAT(groups.Take(), SizeIs(2));
}

TEST(FailureGroupsTest, WithoutStderrItsEndTells) {
  FailureGroups groups;
  groups.Add(FailureOf(1, "a", "", 0, 3));
  groups.Add(FailureOf(2, "a", "\n\n", 0, 3));
  const auto all = groups.Take();
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].text, "exited with <n>");
  EXPECT_EQ(all[0].example, "exited with 3");
}

TEST(FailureGroupsTest, ATaskThatWasTriedAgainAlreadyIsNotRetriedAndShownOnce) {
  FailureGroups groups;
  groups.Add(FailureOf(1, "a", "no", 1, 1, false));
  groups.Add(FailureOf(1, "b", "no", 0, 1, false));
  const auto all = groups.Take();
  EXPECT_EQ(all[0].count, 2);
  EXPECT_THAT(all[0].examples, ElementsAre(TaskId(1)));
  EXPECT_EQ(all[0].to_retry_count, 0);
}

TEST(FailureGroupsTest, ACauseHasTheSameNameEachTime) {
  FailureGroups once, again;
  once.Add(FailureOf(1, "a", "line 17 of /x/y"));
  again.Add(FailureOf(2, "b", "line 18 of /z"));
  EXPECT_EQ(once.Take()[0].cause, again.Take()[0].cause);
}

TEST(FailureGroupsTest, ElevenThousandCausesAndTasksAreNotKeptApart) {
  FailureGroups groups;
  std::string word;
  for (uint64_t i = 1; i <= 11'000; ++i) {
    word.clear();
    for (uint64_t n = i; n > 0; n /= 26) word.push_back(static_cast<char>('a' + n % 26));
    groups.Add(FailureOf(i, "a", word));
  }
  const auto all = groups.Take();
  EXPECT_THAT(all, SizeIs(FailureGroups::kMaxGroups + 1));
  EXPECT_EQ(all[0].text, "further causes, too many to tell apart");
  EXPECT_THAT(all[0].to_retry, SizeIs(FailureGroups::kMaxToRetry));
  EXPECT_EQ(all[0].to_retry_count, static_cast<int64_t>(11'000 - FailureGroups::kMaxGroups));
}

}  // namespace
}  // namespace muster::handler
