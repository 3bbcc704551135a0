// The worker's loop with its real parts but a host that only records and a clock that the test moves.
#include "worker/app/worker_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "common/rpc/server.h"
#include "common/telemetry/metrics.h"
#include "tests/unit/worker/app/attempt_key.h"
#include "tests/unit/worker/app/fake_execution_host.h"
#include "tests/unit/worker/app/fake_master.h"
#include "worker/app/host_listener.h"

namespace muster::worker {
namespace {

using ::testing::HasSubstr;

const absl::Time kStart = absl::FromUnixSeconds(1'000'000);
constexpr absl::Duration kLease = absl::Seconds(20);

v1::TaskSpec TrueWith(v1::OnWorkerLoss loss) {
  v1::TaskSpec spec;
  spec.mutable_command()->add_argv("true");
  spec.set_on_worker_loss(loss);
  return spec;
}

// Stands still; once the supervisor can see that a fenced attempt is about to start, it may jump: the process was
// stopped there, and goes on after its lease.
class StoppedOnceClock final : public runtime::Clock {
 public:
  explicit StoppedOnceClock(const FencePage* page) : page_(*page) {}

  absl::Time Now() const override {
    if (stops_for_ > absl::ZeroDuration() && page_.fenced_running.load() > 0) was_stopped_ = true;
    return was_stopped_ ? kStart + stops_for_ : kStart;
  }
  absl::Time Calendar() const override { return Now(); }

  // Before the loop starts.
  void StopFor(absl::Duration time) { stops_for_ = time; }

 private:
  const FencePage& page_;
  absl::Duration stops_for_;
  mutable std::atomic<bool> was_stopped_{false};
};

class WorkerLoopTest : public ::testing::Test {
 protected:
  void Start() {
    auto server = rpc::Server::Start({.listen = "127.0.0.1:0"}, {&service_});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    relay_.SetHost(&host_);
    loop_.Start({.clock = &clock_,
                 .host = &host_,
                 .service = &service_,
                 .relay = &relay_,
                 .metrics = &metrics_,
                 .fence = &page_,
                 .drained = [](uint32_t) {},
                 .load_changed = [] {}});
    loop_.Post(LeaseExtended{kStart + kLease});
  }
  void TearDown() override {
    service_.EndAll();
    if (server_ != nullptr) server_->Stop(absl::ZeroDuration());
    loop_.Stop();
  }

  FencePage page_;
  StoppedOnceClock clock_{&page_};
  telemetry::Metrics registry_;
  WorkerLoop loop_{"w1", {.slots = 1}};
  OutputRelay relay_{&clock_, [this] { loop_.Post(SessionMessage()); }};
  WorkerMetrics metrics_{&registry_, 1, [this] { return loop_.view(); }, [this] { return relay_.relayed_bytes(); }};
  WorkerService service_{{.here = {.worker = "w1", .master = ""},
                          .incarnation = Incarnation(5),
                          .clock = &clock_,
                          .sink = [this](SessionMessage message) { loop_.Post(std::move(message)); }}};
  HostListener listener_{&loop_, &service_, &relay_, &metrics_, [] {}};
  FakeExecutionHost host_{&listener_};
  std::unique_ptr<rpc::Server> server_;
};

TEST_F(WorkerLoopTest, AFencedAttemptStartsWithinTheLeaseAndTheSupervisorKnowsOfIt) {
  clock_.StopFor(kLease - absl::Nanoseconds(1));
  Start();
  FakeSession session(server_->address(), 1);
  session.Assign(TrueWith(v1::ON_WORKER_LOSS_RERUN_AFTER_FENCE), 7);
  ASSERT_TRUE(host_.WaitUntilRunning(Key(7)));
  EXPECT_EQ(page_.fenced_running.load(), 1u);
}

TEST_F(WorkerLoopTest, AServerThatWasStoppedBetweenDecisionAndStartStartsNothingAfterItsLease) {
  clock_.StopFor(kLease);
  Start();
  FakeSession session(server_->address(), 1);
  session.Assign(TrueWith(v1::ON_WORKER_LOSS_RERUN_AFTER_FENCE), 7);
  session.Assign(TrueWith(v1::ON_WORKER_LOSS_RERUN), 8);
  ASSERT_TRUE(session.ReadUntil([](const auto& all) { return all.results_size() == 1; }));
  const v1::AttemptResult& result = session.all().results(0);
  EXPECT_EQ(result.key().task(), 7u);
  EXPECT_EQ(result.end().reason(), v1::END_REASON_REJECTED);
  EXPECT_THAT(result.end().message(), HasSubstr("lease ended"));
  EXPECT_FALSE(result.started());
  ASSERT_TRUE(host_.WaitUntilRunning(Key(8))) << "its slot is free for what may outlive the lease";
  EXPECT_FALSE(host_.IsRunning(Key(7)));
  EXPECT_EQ(host_.started(), 1) << "and it never ran";
  EXPECT_EQ(page_.fenced_running.load(), 0u);
}

}  // namespace
}  // namespace muster::worker
