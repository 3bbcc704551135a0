#include "master/store/wal_check.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/planted_fault.h"

namespace muster::store {
namespace {

constexpr size_t kHeaderBytes = 32;
constexpr size_t kFrameHeaderBytes = 24;
constexpr uint32_t kMagic = 0x377f0682;  // the lowest bit: checksums of big-endian words
constexpr uint32_t kMaxPageBytes = 65536;

uint32_t BigEndian(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}
uint32_t LittleEndian(const uint8_t* bytes) {
  return uint32_t{bytes[3]} << 24 | uint32_t{bytes[2]} << 16 | uint32_t{bytes[1]} << 8 | bytes[0];
}

using Sum = std::array<uint32_t, 2>;

Sum Add(Sum sum, const uint8_t* bytes, size_t size, bool big_endian) {
  for (size_t i = 0; i < size; i += 8) {
    const uint32_t a = big_endian ? BigEndian(bytes + i) : LittleEndian(bytes + i);
    const uint32_t b = big_endian ? BigEndian(bytes + i + 4) : LittleEndian(bytes + i + 4);
    sum[0] += a + sum[1];
    sum[1] += b + sum[0];
  }
  return sum;
}

Sum Stored(const uint8_t* bytes) { return {BigEndian(bytes), BigEndian(bytes + 4)}; }

class Descriptor {
 public:
  explicit Descriptor(const std::string& path) : value_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  bool Read(uint8_t* bytes, size_t size) const {
    return value_ >= 0 && read(value_, bytes, size) == static_cast<ssize_t>(size);
  }

 private:
  const int value_;
};

}  // namespace

absl::StatusOr<WalFindings> CheckWal(const std::string& path) {
  WalFindings findings;
  const Descriptor file(path);
  std::array<uint8_t, kHeaderBytes> header;
  if (!file.Read(header.data(), header.size())) return findings;
  const uint32_t magic = BigEndian(header.data());
  const uint32_t page_bytes = BigEndian(header.data() + 8);
  const bool big_endian = (magic & 1) != 0;
  Sum sum = Add({0, 0}, header.data(), 24, big_endian);
  if ((magic & ~1u) != kMagic || sum != Stored(header.data() + 24) || page_bytes < 512 ||
      page_bytes > kMaxPageBytes || (page_bytes & (page_bytes - 1)) != 0) {
    return findings;
  }

  std::vector<uint8_t> frame(kFrameHeaderBytes + page_bytes);
  uint64_t number = 0;
  uint64_t newest = 0;
  uint64_t first_bad = 0;
  uint64_t commits_behind = 0;
  while (file.Read(frame.data(), frame.size())) {
    ++number;
    // Frames of an earlier round of the file carry other salts.
    const bool current = std::equal(frame.begin() + 8, frame.begin() + 16, header.begin() + 16);
    sum = Add(sum, frame.data(), 8, big_endian);
    sum = Add(sum, frame.data() + kFrameHeaderBytes, page_bytes, big_endian);
    const bool has_page = BigEndian(frame.data()) != 0;
    const bool good = current && has_page && sum == Stored(frame.data() + 16);
    const bool ends_transaction = BigEndian(frame.data() + 4) != 0;
    if (!good && first_bad == 0) first_bad = number;
    if (first_bad == 0 && ends_transaction) {
      findings.frames = number;
    } else if (first_bad != 0 && good && ends_transaction) {
      ++commits_behind;
    }
    if (current) newest = number;
    sum = Stored(frame.data() + 16);  // each frame goes on from what the one before says
  }
  // One end may be the torn transaction's own: its pages reach the disk in any order. The mutant takes all damage for
  // a torn tail.
  if (commits_behind >= 2 && !Mutated("torn_tail")) {
    const uint64_t offset = kHeaderBytes + (first_bad - 1) * frame.size();
    return absl::DataLossError(absl::StrCat("store ", path, " is damaged: bad frame ", first_bad, " at offset ",
                                            offset, ", before ", commits_behind, " later commits that are whole"));
  }
  findings.torn_frames = newest > findings.frames ? newest - findings.frames : 0;
  return findings;
}

}  // namespace muster::store
