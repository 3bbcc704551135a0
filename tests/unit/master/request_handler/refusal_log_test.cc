#include "master/request_handler/refusal_log.h"

#include <gtest/gtest.h>

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/base/refusal.h"

namespace muster::handler {
namespace {

// A mailbox that keeps what is posted, after it was full so many times.
class Mailbox final : public core::EventSink {
 public:
  bool Post(core::Event event) override {
    absl::MutexLock lock(&mutex_);
    if (full_times_ > 0 && full_times_-- > 0) return false;
    notes_.push_back(std::get<core::NoteRefusals>(std::move(event)));
    return true;
  }
  void PostAlways(core::Event) override { FAIL() << "refusals are not worth more than the mailbox has room for"; }

  void BeFull(int times) {
    absl::MutexLock lock(&mutex_);
    full_times_ = times;
  }
  std::vector<core::NoteRefusals> notes() const {
    absl::MutexLock lock(&mutex_);
    return notes_;
  }
  bool AwaitNotes(size_t count) const {
    const auto there = [this, count]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return notes_.size() >= count; };
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Seconds(20));
  }

 private:
  mutable absl::Mutex mutex_;
  int full_times_ = 0;
  std::vector<core::NoteRefusals> notes_;
};

class RefusalLogTest : public ::testing::Test {
 protected:
  void Refuse(const std::string& cause, const std::string& by) {
    log_.Count(RefuseForNow(cause, "no", absl::Seconds(1)), by);
  }
  int64_t CountOf(const std::string& cause, const std::string& by) const {
    int64_t count = 0;
    for (const auto& note : mailbox_.notes()) count += note.cause == cause && note.by == by ? note.count : 0;
    return count;
  }

  telemetry::Metrics metrics_;
  Mailbox mailbox_;
  RefusalLog log_{&mailbox_, &metrics_};
};

TEST_F(RefusalLogTest, ManyRefusalsAreOneRecordPerCauseAndIdentity) {
  for (int i = 0; i < 1000; ++i) Refuse("QUEUE_FULL", "ann");
  Refuse("QUEUE_FULL", "bob");
  Refuse("QUEUE_SLOW", "ann");
  log_.Flush();
  EXPECT_EQ(mailbox_.notes().size(), 3u);
  EXPECT_EQ(CountOf("QUEUE_FULL", "ann"), 1000);
  EXPECT_EQ(CountOf("QUEUE_FULL", "bob"), 1);
  EXPECT_EQ(CountOf("QUEUE_SLOW", "ann"), 1);
  log_.Flush();
  EXPECT_EQ(mailbox_.notes().size(), 3u) << "each is told once";
}

TEST_F(RefusalLogTest, EachCauseHasItsSeries) {
  for (int i = 0; i < 5; ++i) Refuse("QUEUE_FULL", "ann");
  Refuse("QUEUE_SLOW", "ann");
  const std::string text = metrics_.Text();
  EXPECT_TRUE(absl::StrContains(text, "muster_requests_refused_total{cause=\"QUEUE_FULL\"} 5")) << text;
  EXPECT_TRUE(absl::StrContains(text, "muster_requests_refused_total{cause=\"QUEUE_SLOW\"} 1")) << text;
}

TEST_F(RefusalLogTest, AFullMailboxLosesNone) {
  mailbox_.BeFull(2);
  Refuse("MASTER_BUSY", "ann");
  log_.Flush();
  Refuse("MASTER_BUSY", "ann");
  EXPECT_TRUE(mailbox_.AwaitNotes(1)) << "it tries again by itself";
  EXPECT_EQ(CountOf("MASTER_BUSY", "ann"), 2);
}

TEST_F(RefusalLogTest, AMillionIdentitiesTakeNoMoreThanTheBound) {
  for (size_t i = 0; i < 10 * RefusalLog::kMostKeys; ++i) Refuse("QUEUE_FULL", absl::StrCat("owner-", i));
  log_.Flush();
  EXPECT_LE(mailbox_.notes().size(), RefusalLog::kMostKeys + 1);
  EXPECT_EQ(CountOf("QUEUE_FULL", "others"), static_cast<int64_t>(9 * RefusalLog::kMostKeys));
}

}  // namespace
}  // namespace muster::handler
