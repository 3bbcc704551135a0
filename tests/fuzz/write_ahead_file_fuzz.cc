// SQLite's write-ahead file, as it is found at a start: a real one of some transactions, changed by a list of edits.
//
// Claim: SQLite itself, which opens the same files afterwards, finds exactly the frames that were counted as whole; and
// what is called damaged does hide frames of later transactions from it.
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "master/store/wal_check.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/scratch.h"

namespace muster::fuzz {
namespace {

constexpr size_t kHeader = 32, kFrameHeader = 24, kPage = 512, kFrame = kFrameHeader + kPage;
constexpr int kMostEdits = 16;

class Connection {
 public:
  explicit Connection(const std::string& path) {
    MUSTER_CLAIM(sqlite3_open(path.c_str(), &handle_) == SQLITE_OK, path);
  }
  ~Connection() { sqlite3_close(handle_); }
  int Run(const char* sql) { return sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr); }
  // Frames of the write-ahead file that SQLite takes for good; -1 when it cannot open the database.
  int Frames() {
    int frames = -1, moved = 0;
    if (Run("PRAGMA schema_version") != SQLITE_OK) return -1;  // reads page 1, and with it the write-ahead file
    return sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE, &frames, &moved) == SQLITE_OK ? frames
                                                                                                               : -1;
  }

 private:
  sqlite3* handle_ = nullptr;
};

std::string Content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// A database and its write-ahead file with seven transactions, of which the last has several frames.
struct Sample {
  std::string database, wal;

  explicit Sample(const Scratch& scratch) {
    Connection connection(scratch.At("sample"));
    MUSTER_CLAIM(connection.Run("PRAGMA page_size=512; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;"
                                "CREATE TABLE t (a INTEGER PRIMARY KEY, b);") == SQLITE_OK,
                 "");
    for (int i = 0; i < 5; ++i) MUSTER_CLAIM(connection.Run("INSERT INTO t (b) VALUES (randomblob(40))") == SQLITE_OK, "");
    MUSTER_CLAIM(connection.Run("INSERT INTO t (b) VALUES (zeroblob(1500))") == SQLITE_OK, "");
    database = Content(scratch.At("sample"));
    wal = Content(scratch.At("sample-wal"));
    MUSTER_CLAIM(wal.size() > kHeader + 7 * kFrame && (wal.size() - kHeader) % kFrame == 0, absl::StrCat(wal.size()));
  }
};

uint32_t Word(const std::string& bytes, size_t at, bool big_endian) {
  std::array<uint32_t, 4> b;
  for (size_t i = 0; i < 4; ++i) b[i] = static_cast<uint8_t>(bytes[at + i]);
  return big_endian ? b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3] : b[3] << 24 | b[2] << 16 | b[1] << 8 | b[0];
}

void SetWord(std::string* bytes, size_t at, uint32_t word) {
  for (size_t i = 0; i < 4; ++i) (*bytes)[at + i] = static_cast<char>(word >> (24 - 8 * i));
}

// Makes the checksums of the header, or of a frame and all after it, agree with what they stand for.
struct Sums {
  uint32_t a = 0, b = 0;
  void Add(const std::string& bytes, size_t at, size_t size, bool big_endian) {
    for (size_t i = 0; i + 8 <= size; i += 8) {
      a += Word(bytes, at + i, big_endian) + b;
      b += Word(bytes, at + i + 4, big_endian) + a;
    }
  }
};

void Repair(std::string* wal, size_t from_frame) {
  if (wal->size() < kHeader) return;
  const bool big_endian = (static_cast<uint8_t>((*wal)[3]) & 1) != 0;
  Sums sums;
  if (from_frame == 0) {
    sums.Add(*wal, 0, 24, big_endian);
    SetWord(wal, 24, sums.a);
    SetWord(wal, 28, sums.b);
  } else if (kHeader + (from_frame - 1) * kFrame + kFrame <= wal->size()) {
    const size_t before = from_frame == 1 ? 24 : kHeader + (from_frame - 2) * kFrame + 16;
    sums = {Word(*wal, before, true), Word(*wal, before + 4, true)};
  }
  for (size_t at = kHeader + (from_frame == 0 ? 0 : from_frame - 1) * kFrame; at + kFrame <= wal->size(); at += kFrame) {
    sums.Add(*wal, at, 8, big_endian);
    sums.Add(*wal, at + kFrameHeader, kPage, big_endian);
    SetWord(wal, at + 16, sums.a);
    SetWord(wal, at + 20, sums.b);
  }
}

void Edit(Input& input, std::string* wal) {
  const uint8_t what = input.Number<uint8_t>();
  const size_t at = wal->empty() ? 0 : input.Number<uint16_t>() % wal->size();
  const size_t frames = wal->size() < kHeader ? 0 : (wal->size() - kHeader) / kFrame;
  switch (what % 7) {
    case 0:
      if (!wal->empty()) (*wal)[at] = static_cast<char>((*wal)[at] ^ input.Number<uint8_t>());
      break;
    case 1: wal->resize(at); break;
    case 2: {
      const size_t size = std::min<size_t>(input.Number<uint8_t>(), wal->size() - at);
      wal->replace(at, size, size, '\0');
      break;
    }
    case 3:
      if (wal->size() < 64 * 1024) wal->append(*wal, at, input.Number<uint16_t>());
      break;
    case 4:  // a frame over another one
      if (frames > 0) {
        const std::string frame = wal->substr(kHeader + at % frames * kFrame, kFrame);
        wal->replace(kHeader + input.Number<uint8_t>() % frames * kFrame, kFrame, frame);
      }
      break;
    case 5:
      if (wal->size() >= kHeader) SetWord(wal, 4 * (at % 6), input.Number<uint32_t>());
      break;
    case 6: Repair(wal, at % (frames + 1)); break;
  }
}

}  // namespace
}  // namespace muster::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace muster;
  static const fuzz::Scratch scratch;
  static const fuzz::Sample sample(scratch);
  fuzz::Input input(data, size);
  std::string wal = sample.wal;
  for (int i = 0; i < fuzz::kMostEdits && !input.empty(); ++i) fuzz::Edit(input, &wal);

  scratch.Remove("db-shm");
  scratch.Write("db", sample.database);
  scratch.Write("db-wal", wal);
  const absl::StatusOr<store::WalFindings> findings = store::CheckWal(scratch.At("db-wal"));
  const int frames = fuzz::Connection(scratch.At("db")).Frames();
  if (frames < 0) return 0;
  if (findings.ok()) {
    MUSTER_CLAIM(findings->frames == static_cast<uint64_t>(frames),
                 absl::StrCat(findings->frames, " counted, SQLite finds ", frames));
  } else {
    MUSTER_CLAIM(absl::IsDataLoss(findings.status()) && fuzz::IsOneLine(std::string(findings.status().message())),
                 findings.status().ToString());
    const size_t all = (wal.size() - fuzz::kHeader) / fuzz::kFrame;
    MUSTER_CLAIM(static_cast<size_t>(frames) + 2 < all, absl::StrCat(frames, " of ", all));
  }
  return 0;
}
