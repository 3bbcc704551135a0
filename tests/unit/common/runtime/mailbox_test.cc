#include "common/runtime/mailbox.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace muster::runtime {
namespace {

TEST(Mailbox, AFullOneRefusesAndLeavesTheItemAlone) {
  Mailbox<std::unique_ptr<int>> mailbox(1);
  EXPECT_TRUE(mailbox.Post(std::make_unique<int>(1)));
  auto second = std::make_unique<int>(2);
  EXPECT_FALSE(mailbox.Post(std::move(second)));
  ASSERT_NE(second, nullptr);
  EXPECT_TRUE(mailbox.PostAlways(std::move(second)));
  std::vector<std::unique_ptr<int>> items;
  EXPECT_TRUE(mailbox.Take(&items, absl::ZeroDuration()));
  EXPECT_EQ(items.size(), 2u);
}

TEST(Mailbox, WhatWasPostedBeforeTheCloseIsStillTaken) {
  Mailbox<int> mailbox(4);
  EXPECT_TRUE(mailbox.Post(1));
  mailbox.Close();
  EXPECT_FALSE(mailbox.Post(2));
  std::vector<int> items;
  EXPECT_TRUE(mailbox.Take(&items, absl::ZeroDuration()));
  EXPECT_EQ(items, std::vector<int>{1});
  items.clear();
  EXPECT_FALSE(mailbox.Take(&items, absl::InfiniteDuration()));
}

TEST(Mailbox, ManySendersLoseNothing) {
  Mailbox<int> mailbox(1'000'000);
  std::vector<std::thread> senders;
  for (int sender = 0; sender < 4; ++sender) {
    senders.emplace_back([&mailbox] {
      for (int i = 0; i < 1000; ++i) ASSERT_TRUE(mailbox.Post(1));
    });
  }
  int sum = 0;
  while (sum < 4000) {
    std::vector<int> items;
    ASSERT_TRUE(mailbox.Take(&items, absl::Seconds(10)));
    sum += static_cast<int>(items.size());
  }
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(sum, 4000);
}

}  // namespace
}  // namespace muster::runtime
