#include "master/balancer/policy.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "master/balancer/load_rank.h"

namespace muster::balancer {
namespace {

uint64_t ShareSent(const WorkerFacts& worker) {
  return ShareTaken(uint64_t{worker.used.slots} + worker.prefetched, worker);
}

// One number for each worker; ids are dense.
class PerWorker {
 public:
  uint64_t& operator[](const WorkerFacts& worker) {
    if (worker.id.value() >= numbers_.size()) numbers_.resize(worker.id.value() + 1);
    return numbers_[worker.id.value()];
  }
  uint64_t at(const WorkerFacts& worker) const {
    return worker.id.value() < numbers_.size() ? numbers_[worker.id.value()] : 0;
  }

 private:
  std::vector<uint64_t> numbers_;
};

class LeastLoaded : public Policy {
 public:
  void Enter(const WorkerFacts&) override {}
  void Picked(const WorkerFacts&, uint64_t) override {}
  uint64_t Rank(const WorkerFacts& worker) const override { return ShareSent(worker); }
  uint64_t RankAhead(const WorkerFacts& worker) const override { return ShareSent(worker); }
  bool OthersWaitFor(const WorkerFacts&) const override { return false; }
  std::string Why(const WorkerFacts& worker, uint64_t) const override {
    std::string ahead = worker.prefetched == 0 ? "" : absl::StrCat(" and ", worker.prefetched, " sent ahead");
    return absl::StrCat("has ", worker.used.slots, " of ", worker.offer.capacity.slots, " slots taken", ahead);
  }
};

class RoundRobin final : public Policy {
 public:
  void Enter(const WorkerFacts&) override {}
  void Picked(const WorkerFacts& worker, uint64_t) override { last_turn_[worker] = ++turns_; }
  uint64_t Rank(const WorkerFacts& worker) const override { return last_turn_.at(worker); }
  // By turns, a worker that stands still would block the others.
  uint64_t RankAhead(const WorkerFacts& worker) const override { return ShareSent(worker); }
  bool OthersWaitFor(const WorkerFacts&) const override { return false; }
  std::string Why(const WorkerFacts& worker, uint64_t) const override {
    const uint64_t turn = last_turn_.at(worker);
    return turn == 0 ? "had no turn yet" : absl::StrCat("had its last turn ", turns_ - turn, " placements ago");
  }

 private:
  PerWorker last_turn_;
  uint64_t turns_ = 0;
};

class Weighted final : public Policy {
 public:
  void Enter(const WorkerFacts& worker) override {
    pass_[worker] = std::max(pass_[worker], virtual_time_ + Step(worker) / 2);
  }
  void Picked(const WorkerFacts& worker, uint64_t) override {
    uint64_t& pass = pass_[worker];
    virtual_time_ = std::max(virtual_time_, pass);
    pass = std::max(pass, EarliestPass()) + Step(worker);
  }
  uint64_t Rank(const WorkerFacts& worker) const override { return pass_.at(worker); }
  uint64_t RankAhead(const WorkerFacts& worker) const override { return pass_.at(worker); }
  // One that is that far behind cannot keep up with its weight.
  bool OthersWaitFor(const WorkerFacts& worker) const override { return pass_.at(worker) >= EarliestPass(); }
  std::string Why(const WorkerFacts& worker, uint64_t) const override {
    return absl::StrCat("is next by its weight of ", worker.weight);
  }

 private:
  // One pick at weight 1: 2^40 of them fit into 64 bits.
  static constexpr uint64_t kStep = uint64_t{1} << 24;
  static constexpr uint32_t kMaxWeight = 1 << 16;
  // A worker that was full catches up on this many picks per unit of weight, and not on more.
  static constexpr uint64_t kCatchUp = 1024 * kStep;

  static uint64_t Step(const WorkerFacts& worker) { return kStep / std::clamp<uint32_t>(worker.weight, 1, kMaxWeight); }
  uint64_t EarliestPass() const { return virtual_time_ > kCatchUp ? virtual_time_ - kCatchUp : 0; }

  PerWorker pass_;             // the virtual time of a worker's next pick
  uint64_t virtual_time_ = 0;  // the furthest pick so far
};

class Locality final : public LeastLoaded {
 public:
  explicit Locality(FormerPlaces former) : last_(std::move(former)) {}

  void Picked(const WorkerFacts& worker, uint64_t fingerprint) override {
    if (fingerprint != 0) last_.NotePlaced(fingerprint, worker.id);
  }
  void Failed(WorkerId worker, uint64_t fingerprint) override {
    if (fingerprint != 0) last_.NoteFailed(fingerprint, worker);
  }
  Favourites FavouritesFor(uint64_t fingerprint) const override {
    return fingerprint == 0 ? Favourites() : last_.Of(fingerprint);
  }
  std::string Why(const WorkerFacts& worker, uint64_t fingerprint) const override {
    const size_t place = FavouritesFor(fingerprint).PlaceOf(worker.id);
    if (place == 0) return "had this kind of command last";
    return place < Favourites::kMost ? "had this kind of command before" : LeastLoaded::Why(worker, fingerprint);
  }

 private:
  FavouriteTable last_;
};

}  // namespace

std::unique_ptr<Policy> MakePolicy(BalancerKind kind, FormerPlaces former) {
  switch (kind) {
    case BalancerKind::kRoundRobin: return std::make_unique<RoundRobin>();
    case BalancerKind::kWeighted: return std::make_unique<Weighted>();
    case BalancerKind::kLocality: return std::make_unique<Locality>(std::move(former));
    case BalancerKind::kLeastLoaded: break;
  }
  return std::make_unique<LeastLoaded>();
}

}  // namespace muster::balancer
