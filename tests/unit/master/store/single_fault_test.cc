// Every single-bit flip and every cut of a small store ends in one of three ways: `check` reports it with its place, a
// start refuses it with its place, or all contents are exactly as before. Never, in silence, others.
//
// What is flipped: in the database every seventh bit that holds something, so at least one of every such byte of every
// table and index (but for the schema's text, which is compared letter by letter), and a sample of the space that no cell
// has; a sample of a database beside its write-ahead file; in the write-ahead file every bit of its header and of the
// frames' headers, and one bit of every byte of the frames' pages, which lie under one checksum with them; in store.mark
// every third bit. Cut at: every 16th byte, and around every page's end. Sanitized builds take a sample.
//
// MUSTER_FAULT_SEED=N takes the next bits in place of these: 0 to 6 are all of them. MUSTER_EVERY_BIT=1 flips every bit
// of every byte and cuts at every byte: more than an hour of one core, and can be had piece by piece, with
// --gtest_filter='*SingleFaultTest.AFlippedBitInTheMark*/3' (the last number is one of eight parts).
#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <set>

#include "dump.h"
#include "master/store/recovery.h"
#include "master/store/store_check.h"
#include "page_map.h"
#include "small_store.h"
#include "tests/support/sanitized.h"

namespace muster::store {
namespace {

constexpr size_t kShards = 8;              // each a test of its own, so that all cores have some
constexpr size_t kStartsEvery = 211;       // faults that are also given to a real start,
constexpr size_t kExactStartsEvery = 101;  // and, of those that check is content with, one of these
constexpr size_t kDatabaseEvery = 7;       // bits of the database; with 8 to a byte, each in turn
constexpr size_t kMarkEvery = 3;           // bits of the mark
constexpr size_t kFreeSpaceEvery = 61;     // bytes of space that no cell has
constexpr size_t kBesideWalEvery = 23;     // bytes of a database whose newer pages are in the write-ahead file
constexpr size_t kSanitizedEvery = 53;
constexpr size_t kWalHeaderBytes = 32;
constexpr size_t kFrameHeaderBytes = 24;

bool EveryBit() { return std::getenv("MUSTER_EVERY_BIT") != nullptr; }

// One bit in `every`, of those that a file has. Which, says the seed.
bool IsSampled(size_t bit_of_file, size_t every) {
  static const char* const seed = std::getenv("MUSTER_FAULT_SEED");
  return bit_of_file % every == (seed == nullptr ? 0 : std::strtoull(seed, nullptr, 10)) % every;
}

int SampledBits(size_t offset, size_t every) {
  int bits = 0;
  for (size_t bit = 0; bit < 8; ++bit) bits |= IsSampled(offset * 8 + bit, every) ? 1 << bit : 0;
  return bits;
}

// Without what each start writes.
std::vector<std::string> WithoutStart(std::vector<std::string> lines) {
  const auto is_of_start = [](const std::string& line) {
    for (const char* const key : {"epoch", "clean_end", "muster_version"}) {
      if (line.rfind(std::string("meta|3:") + key, 0) == 0) return true;
    }
    return false;
  };
  lines.erase(std::remove_if(lines.begin(), lines.end(), is_of_start), lines.end());
  return lines;
}

// One file of a store, changed in place and put back.
class Patient {
 public:
  explicit Patient(const std::string& path) : content_(ReadAll(path)), descriptor_(open(path.c_str(), O_RDWR)) {}
  ~Patient() { close(descriptor_); }

  void Flip(size_t offset, int bit) {
    const char changed = static_cast<char>(content_[offset] ^ (1 << bit));
    EXPECT_EQ(pwrite(descriptor_, &changed, 1, static_cast<off_t>(offset)), 1);
  }
  void PutBack(size_t offset) { EXPECT_EQ(pwrite(descriptor_, &content_[offset], 1, static_cast<off_t>(offset)), 1); }
  void Cut(size_t size) { EXPECT_EQ(ftruncate(descriptor_, static_cast<off_t>(size)), 0); }
  void PutBackAfter(size_t size) {
    const auto rest = static_cast<ssize_t>(content_.size() - size);
    EXPECT_EQ(pwrite(descriptor_, content_.data() + size, static_cast<size_t>(rest), static_cast<off_t>(size)), rest);
  }
  const std::string& content() const { return content_; }

 private:
  const std::string content_;
  const int descriptor_;
};

struct Tally {
  size_t faults = 0;
  size_t reported = 0;
  size_t exact = 0;
  size_t starts = 0;
  size_t refused_starts = 0;
};

class SingleFaultTest : public StoreTest, public testing::WithParamInterface<size_t> {
 protected:
  // As after a clean end, all in one file.
  void MakeClosedStore() {
    config_.floor_lag = 0;
    Reopen();
    SmallStore(store_.get()).FillAll();
    EXPECT_TRUE(store_->Maintain().ok());
    core::Transaction end;
    end.clean_end = true;
    Commit(end);
    store_.reset();
    Look(config_.directory);
  }

  // As after a kill: part of it in the write-ahead file. Pages are small, so that it has many frames.
  void MakeCrashedStore() {
    std::filesystem::create_directories(config_.directory);
    Sql("PRAGMA page_size=512; PRAGMA journal_mode=WAL; VACUUM");
    Reopen();
    SmallStore small(store_.get());
    small.FillAll();
    Reopen();  // all of it is in the database file
    SmallStore more(store_.get());
    for (uint64_t id = 50; id < 54; ++id) more.Succeeded(id);
    const std::string copy = root_ + "/crashed";
    std::filesystem::create_directory(copy);
    for (const char* file : {"/muster.db", "/muster.db-wal", "/store.mark"}) {
      std::filesystem::copy(config_.directory + file, copy + file);
    }
    store_.reset();
    config_.directory = copy;
    Look(copy);
  }

  void Look(const std::string& directory) {
    const auto report = CheckStore(directory);
    ASSERT_TRUE(report.ok()) << report.status();
    ASSERT_TRUE(report->sound()) << report->findings.front().Line();
    before_ = DumpStore(directory);
    ASSERT_GT(before_.size(), 150u);
  }

  // The fault is in the files now. What became of it, in words, when it is none of the three.
  std::string Judge(bool also_starts) {
    ++tally_.faults;
    const auto report = CheckStore(config_.directory, {.most_findings = 1});
    if (!report.ok()) return "check itself failed: " + std::string(report.status().message());
    bool is_exact = false;
    if (report->sound()) {
      is_exact = DumpStore(config_.directory) == before_;
      if (!is_exact) return "check is content, and the contents are others";
      ++tally_.exact;
    } else {
      ++tally_.reported;
      if (report->findings.front().file.empty() || report->findings.front().what.empty()) return "a finding has no place";
    }
    const size_t exact_starts_every = kExactStartsEvery * (EveryBit() ? 10 : 1);
    const bool is_one_of_many = is_exact && tally_.exact % exact_starts_every == 0;
    return is_one_of_many || also_starts ? JudgeStart(is_exact) : "";
  }

  // A start either refuses, naming the file, or serves; exactly what was there, unless check has told of it.
  std::string JudgeStart(bool must_be_exact) {
    ++tally_.starts;
    const std::string copy = root_ + "/start";
    std::filesystem::remove_all(copy);
    std::filesystem::create_directory(copy);
    for (const char* file : {"/muster.db", "/muster.db-wal", "/store.mark"}) {
      if (std::filesystem::exists(config_.directory + file)) std::filesystem::copy(config_.directory + file, copy + file);
    }
    StoreConfig config = config_;
    config.directory = copy;
    const auto refused = [&](const absl::Status& status) -> std::string {
      ++tally_.refused_starts;
      const std::string message(status.message());
      return message.find(copy) == std::string::npos ? "a start was refused without a place: " + message : "";
    };
    auto store = OpenSqliteStore(config);
    if (!store.ok()) return refused(store.status());
    const auto state = (*store)->LoadOpen(At(5000));
    if (!state.ok()) return refused(state.status());
    store->reset();
    if (must_be_exact && WithoutStart(DumpStore(copy)) != WithoutStart(before_)) {
      return "the start changed the contents";
    }
    return "";
  }

  // Every offset of the file for which `bits` names some, those of this shard. `flipped` hears of each.
  void FlipAll(const std::string& name, const std::function<int(size_t offset)>& bits,
               const std::function<void(size_t offset)>& flipped = [](size_t) {}) {
    Patient file(config_.directory + name);
    size_t flips = 0;
    for (size_t offset = 0; offset < file.content().size(); ++offset) {
      const int wanted = EveryBit() ? 0xff : bits(offset);
      for (int bit = 0; bit < 8; ++bit) {
        if ((wanted & (1 << bit)) == 0 || !IsMine(flips++)) continue;
        file.Flip(offset, bit);
        flipped(offset);
        const std::string verdict = Judge(tally_.faults % kStartsEvery == 0);
        file.PutBack(offset);
        if (!verdict.empty()) ADD_FAILURE() << name << ", byte " << offset << ", bit " << bit << ": " << verdict;
      }
    }
    Tell(name);
  }

  void CutAll(const std::string& name, size_t page_bytes, size_t header_bytes) {
    Patient file(config_.directory + name);
    size_t cuts = 0;
    for (size_t size = 0; size < file.content().size(); ++size) {
      const size_t in_page = (size - std::min(size, header_bytes)) % page_bytes;
      const bool is_edge = in_page <= 1 || in_page + 1 == page_bytes;
      if (!EveryBit() && size % 16 != 0 && !is_edge) continue;
      if (!IsMine(cuts++)) continue;
      file.Cut(size);
      const std::string verdict = Judge(tally_.faults % kStartsEvery == 0);
      file.PutBackAfter(size);
      if (!verdict.empty()) ADD_FAILURE() << name << " cut to " << size << " bytes: " << verdict;
    }
    Tell(name + ", cut");
  }

  bool IsMine(size_t number) const {
    if (number % kShards != GetParam()) return false;
    return !kSanitized || (number / kShards) % kSanitizedEvery == 0;
  }

  void Tell(const std::string& what) {
    EXPECT_GT(tally_.faults, 0u);
    std::printf("%s: %zu faults, %zu reported, %zu exactly as before; %zu starts, %zu refused\n", what.c_str(),
                tally_.faults, tally_.reported, tally_.exact, tally_.starts, tally_.refused_starts);
    tally_ = {};
  }

  std::vector<std::string> before_;
  Tally tally_;
};

TEST_P(SingleFaultTest, AFlippedBitInTheDatabaseIsNeverSilent) {
  MakeClosedStore();
  const std::string content = ReadAll(DatabasePath());
  const PageMap map(DatabasePath(), content);
  ASSERT_GT(map.known_pages(), 20u);
  std::set<std::string> hurt;
  FlipAll(
      "/muster.db",
      [&](size_t offset) {
        if (!map.IsUsed(offset)) return offset % kFreeSpaceEvery == 0 ? 1 << offset % 8 : 0;
        return SampledBits(offset, kDatabaseEvery);
      },
      [&](size_t offset) { hurt.insert(map.OwnerOf(offset)); });
  if (kSanitized) return;
  EXPECT_THAT(hurt, testing::IsSupersetOf(map.owners()));  // every table and every index
}

TEST_P(SingleFaultTest, AFlippedBitInTheWriteAheadFileIsNeverSilent) {
  MakeCrashedStore();
  FlipAll("/muster.db-wal", [](size_t offset) {
    if (offset < kWalHeaderBytes) return 0xff;
    const size_t in_frame = (offset - kWalHeaderBytes) % (kFrameHeaderBytes + 512);
    return in_frame < kFrameHeaderBytes ? 0xff : 1 << offset % 8;
  });
}

TEST_P(SingleFaultTest, AFlippedBitInADatabaseBesideItsWriteAheadFileIsNeverSilent) {
  MakeCrashedStore();
  FlipAll("/muster.db", [](size_t offset) { return offset % kBesideWalEvery == 0 ? 1 << offset / kBesideWalEvery % 8 : 0; });
}

TEST_P(SingleFaultTest, AFlippedBitInTheMarkIsNeverSilent) {
  MakeCrashedStore();
  FlipAll("/store.mark", [](size_t offset) { return SampledBits(offset, kMarkEvery); });
}

TEST_P(SingleFaultTest, ACutDatabaseIsNeverSilent) {
  MakeClosedStore();
  CutAll("/muster.db", 4096, 0);
}

TEST_P(SingleFaultTest, ACutWriteAheadFileIsNeverSilent) {
  MakeCrashedStore();
  CutAll("/muster.db-wal", kFrameHeaderBytes + 512, kWalHeaderBytes);
}

TEST_P(SingleFaultTest, ACutMarkIsNeverSilent) {
  MakeCrashedStore();
  CutAll("/store.mark", 512, 0);
}

INSTANTIATE_TEST_SUITE_P(Shards, SingleFaultTest, testing::Range(size_t{0}, kShards));

}  // namespace
}  // namespace muster::store
