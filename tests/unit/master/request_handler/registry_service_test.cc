// What a worker may say of itself when it joins.
#include "master/request_handler/registry_service.h"

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/refusal.h"
#include "muster/v1/registry_service.pb.h"

namespace muster::handler {
namespace {

v1::JoinRequest Good() {
  v1::JoinRequest request;
  request.set_name("w1");
  request.set_incarnation(7);
  request.set_address("10.0.0.1:7071");
  v1::WorkerOffer* offer = request.mutable_offer();
  offer->set_slots(4);
  offer->set_cpu(3.5);
  offer->set_memory_bytes(int64_t{1} << 34);
  v1::Resource* resource = offer->add_resources();
  resource->set_name("gpu");
  resource->set_amount(2);
  v1::ExecutorOffer* executor = offer->add_executors();
  executor->set_name("command");
  executor->add_capabilities("cgroup");
  return request;
}

// The field that is named for what was spoiled.
std::string Spoiled(const std::function<void(v1::WorkerOffer*)>& spoil) {
  v1::JoinRequest request = Good();
  spoil(request.mutable_offer());
  const absl::Status status = CheckJoin(request);
  return ViolationsOf(status).empty() ? "" : ViolationsOf(status).front().field;
}

TEST(CheckJoin, AGoodWorkerMayJoin) { EXPECT_TRUE(CheckJoin(Good()).ok()) << CheckJoin(Good()); }

TEST(CheckJoin, CoresThatAreNoNumberAreRefused) {
  for (const double cores : {-1.0, std::nan(""), std::numeric_limits<double>::infinity(), 1e18}) {
    EXPECT_EQ(Spoiled([cores](auto* offer) { offer->set_cpu(cores); }), "offer.cpu") << cores;
  }
}

TEST(CheckJoin, AmountsThatCannotBeAddedUpAreRefused) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(Spoiled([](auto* offer) { offer->set_memory_bytes(kMost); }), "offer.memory_bytes");
  EXPECT_EQ(Spoiled([](auto* offer) { offer->set_disk_bytes(-1); }), "offer.disk_bytes");
  EXPECT_EQ(Spoiled([](auto* offer) { offer->mutable_resources(0)->set_amount(kMost); }), "offer.resources");
}

TEST(CheckJoin, AResourceThatIsNamedTwiceIsRefused) {
  EXPECT_EQ(Spoiled([](auto* offer) { *offer->add_resources() = offer->resources(0); }), "offer.resources");
}

TEST(CheckJoin, TextsWithoutEndAreRefused) {
  const std::string endless(1 << 20, 'x');
  EXPECT_EQ(Spoiled([&](auto* offer) { offer->add_capabilities(endless); }), "offer.capabilities");
  EXPECT_EQ(Spoiled([&](auto* offer) { offer->add_labels()->set_value(endless); }), "offer.labels");
  EXPECT_EQ(Spoiled([&](auto* offer) { offer->mutable_executors(0)->add_capabilities(endless); }),
            "offer.executors.capabilities");
  EXPECT_EQ(Spoiled([&](auto* offer) { offer->mutable_executors(0)->set_version(endless); }),
            "offer.executors.version");
}

}  // namespace
}  // namespace muster::handler
