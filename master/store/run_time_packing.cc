#include "master/store/run_time_packing.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "master/store/packing.h"

namespace muster::store {
namespace {

// More than the scheduler keeps (run_times.h), so that it may keep more one day.
constexpr uint64_t kMostTimes = 1024;
constexpr uint64_t kMostPlaces = 64;

}  // namespace

std::string FingerprintText(uint64_t fingerprint) { return absl::StrCat(absl::Hex(fingerprint, absl::kZeroPad16)); }

void PackRunTimes(const LearnedRunTimes& learned, std::string* out) {
  Packer pack(out);
  pack.Unsigned(learned.newest.size());
  for (const absl::Duration time : learned.newest) pack.Unsigned(static_cast<uint64_t>(absl::ToInt64Microseconds(time)));
  pack.Unsigned(learned.places.size());
  for (const LearnedRunTimes::Place& place : learned.places) {
    pack.Bytes(place.worker);
    pack.Unsigned(place.runs);
  }
}

bool UnpackRunTimes(std::string_view bytes, LearnedRunTimes* learned) {
  Unpacker unpack(bytes);
  const uint64_t times = unpack.Unsigned();
  if (!unpack.ok() || times > kMostTimes) return false;
  for (uint64_t i = 0; i < times && unpack.ok(); ++i) {
    const uint64_t micros = unpack.Unsigned();
    if (micros > static_cast<uint64_t>(INT64_MAX)) return false;
    learned->newest.push_back(absl::Microseconds(static_cast<int64_t>(micros)));
  }
  const uint64_t places = unpack.Unsigned();
  if (!unpack.ok() || places > kMostPlaces) return false;
  for (uint64_t i = 0; i < places && unpack.ok(); ++i) {
    LearnedRunTimes::Place& place = learned->places.emplace_back();
    place.worker = std::string(unpack.Bytes());
    place.runs = unpack.Unsigned();
  }
  return unpack.ok();
}

}  // namespace muster::store
