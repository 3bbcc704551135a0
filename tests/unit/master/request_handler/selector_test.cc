#include "master/request_handler/selector.h"

#include <gtest/gtest.h>

#include "common/base/id_text.h"
#include "common/base/refusal.h"
#include "common/rpc/status.h"
#include "tests/unit/master/request_handler/live_master.h"

namespace muster::handler {
namespace {

TEST(ParseSelector, AWordMayBeAnIdOrAName) {
  const auto selector = ParseSelector("4F");
  ASSERT_TRUE(selector.ok());
  EXPECT_EQ(selector->id, TextToId("4F"));
  EXPECT_TRUE(selector->may_be_name);
  EXPECT_EQ(selector->index, 0u);
}

TEST(ParseSelector, APrefixSettlesIt) {
  EXPECT_FALSE(ParseSelector("id:4F")->may_be_name);
  EXPECT_FALSE(ParseSelector("name:4F")->id.has_value());
}

TEST(ParseSelector, ATaskOfABatch) {
  const auto selector = ParseSelector("4F/17");
  ASSERT_TRUE(selector.ok());
  EXPECT_EQ(selector->word, "4F");
  EXPECT_EQ(selector->index, 17u);
}

TEST(ParseSelector, WhatIsNoSelectorIsRefusedWithTheWord) {
  for (const std::string& bad : {std::string(), std::string("a b"), std::string("4F/"), std::string("4F/0"),
                                std::string("4F/x"), std::string("4F/99999999999999999999"), std::string("id:u!"),
                                std::string("id:"), std::string("a\nb"), std::string("a\0b", 3), std::string(200, 'x'),
                                std::string("../x")}) {
    const auto selector = ParseSelector(bad);
    EXPECT_EQ(ReasonOf(selector.status()), "BAD_SELECTOR") << bad;
    EXPECT_EQ(selector.status().message().find('\n'), absl::string_view::npos) << "one line for a person";
  }
}

class ResolveTest : public testing::Test {
 protected:
  absl::StatusOr<Selection> Resolve(const std::string& text, Purpose purpose = Purpose::kRead) {
    SelectorResolver resolver(&master.store(), &master.loop(), absl::Seconds(10));
    return resolver.Resolve(text, purpose);
  }
  std::string SubmitNamed(const std::string& name) {
    return master.Submit([&](v1::SubmitRequest* request) { request->mutable_task()->set_name(name); });
  }
  std::string SubmitBatch(int rows, const std::string& name = "") {
    v1::SubmitBatchRequest request;
    request.mutable_template_()->set_name(name);
    request.mutable_template_()->mutable_command()->add_argv("echo");
    for (int i = 0; i < rows; ++i) request.add_rows()->add_values("x");
    v1::SubmitBatchResponse response;
    grpc::ClientContext context;
    EXPECT_TRUE(master.Stub()->SubmitBatch(&context, request, &response).ok());
    return response.batch().id();
  }
  std::vector<TaskRange> Only(const std::string& id) { return {{TaskId(*TextToId(id)), 1}}; }

  LiveMaster master;
};

TEST_F(ResolveTest, AnId) {
  const std::string id = master.Submit();
  EXPECT_EQ(Resolve(id)->ranges, Only(id));
  EXPECT_EQ(Resolve("id:" + id)->ranges, Only(id));
}

TEST_F(ResolveTest, ABatchAndOneOfItsTasks) {
  const std::string id = SubmitBatch(5);
  const auto whole = Resolve(id);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(whole->batch, TaskId(*TextToId(id)));
  EXPECT_EQ(whole->count(), 5u);
  const auto third = Resolve(id + "/3");
  EXPECT_EQ(third->ranges, (std::vector<TaskRange>{{TaskId(whole->ranges[0].first.value() + 2), 1}}));
  EXPECT_FALSE(third->batch);
  EXPECT_EQ(ReasonOf(Resolve(id + "/6").status()), "NO_SUCH_TASK");
}

TEST_F(ResolveTest, ASingleTaskHasNoPlaces) {
  EXPECT_EQ(ReasonOf(Resolve(master.Submit() + "/1").status()), "NO_SUCH_TASK");
}

TEST_F(ResolveTest, ANameIsTheNewestForThoseWhoRead) {
  SubmitNamed("nightly");
  const std::string newest = SubmitNamed("nightly");
  EXPECT_EQ(Resolve("nightly")->ranges, Only(newest));
}

TEST_F(ResolveTest, ANameOfSeveralOpenTasksIsAmbiguousForThoseWhoChange) {
  SubmitNamed("nightly");
  SubmitNamed("nightly");
  const auto selection = Resolve("nightly", Purpose::kChange);
  EXPECT_TRUE(absl::IsFailedPrecondition(selection.status()));
  EXPECT_EQ(ReasonOf(selection.status()), "AMBIGUOUS_NAME");
}

TEST_F(ResolveTest, TheOnlyOpenTaskOfANameIsMeantThoughNewerOnesHaveEnded) {
  const std::string open = SubmitNamed("nightly");
  const std::string ended = SubmitNamed("nightly");
  v1::CancelRequest request;
  request.add_selectors("id:" + ended);
  v1::CancelResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(master.Stub()->Cancel(&context, request, &response).ok());
  ASSERT_TRUE(master.AwaitState(ended, v1::TASK_STATE_CANCELLED));
  EXPECT_EQ(Resolve("nightly", Purpose::kChange)->ranges, Only(open));
  EXPECT_EQ(Resolve("nightly")->ranges, Only(ended));
}

TEST_F(ResolveTest, TheNameOfABatchIsTheWholeBatch) {
  const std::string id = SubmitBatch(4, "sweep");
  EXPECT_EQ(Resolve("sweep")->count(), 4u);
  EXPECT_EQ(Resolve("sweep", Purpose::kChange)->batch, TaskId(*TextToId(id)));
  EXPECT_EQ(Resolve("sweep/2")->count(), 1u);
}

TEST_F(ResolveTest, AWordThatIsAnIdAndANameMustBeSettled) {
  const std::string id = master.Submit();
  const std::string named = SubmitNamed(id);
  EXPECT_EQ(ReasonOf(Resolve(id).status()), "AMBIGUOUS_NAME");
  EXPECT_EQ(Resolve("id:" + id)->ranges, Only(id));
  EXPECT_EQ(Resolve("name:" + id)->ranges, Only(named));
}

TEST_F(ResolveTest, NothingOfThatName) {
  EXPECT_EQ(ReasonOf(Resolve("nosuch").status()), "NO_SUCH_TASK");
  EXPECT_EQ(ReasonOf(Resolve("ZZZZZZ").status()), "NO_SUCH_TASK");
  EXPECT_TRUE(absl::IsNotFound(Resolve("ZZZZZZZZZZZZZ").status())) << "the largest number there is";
}

}  // namespace
}  // namespace muster::handler
