#include "common/domain/resources.h"

#include <algorithm>

#include "common/base/check.h"

namespace muster {
namespace {

int64_t& NamedEntry(ResourceAmounts* amounts, const std::string& name) {
  auto place = std::lower_bound(amounts->named.begin(), amounts->named.end(), name,
                                [](const auto& entry, const std::string& key) { return entry.first < key; });
  if (place == amounts->named.end() || place->first != name) place = amounts->named.insert(place, {name, 0});
  return place->second;
}

uint32_t LackOfOne(int64_t free, int64_t want) {
  if (want <= 0 || free >= want) return 0;
  const double lack = static_cast<double>(want - std::max<int64_t>(0, free)) / static_cast<double>(want);
  return std::max(1u, static_cast<uint32_t>(lack * 1000));
}

}  // namespace

int64_t AmountOf(const ResourceAmounts& amounts, const std::string& name) {
  for (const auto& entry : amounts.named) {
    if (entry.first == name) return entry.second;
  }
  return 0;
}

ResourceAmounts Subtract(const ResourceAmounts& capacity, const ResourceAmounts& used) {
  ResourceAmounts rest = capacity;
  rest.slots = capacity.slots > used.slots ? capacity.slots - used.slots : 0;
  rest.cpu_millis = std::max<int64_t>(0, capacity.cpu_millis - used.cpu_millis);
  rest.memory_bytes = std::max<int64_t>(0, capacity.memory_bytes - used.memory_bytes);
  rest.disk_bytes = std::max<int64_t>(0, capacity.disk_bytes - used.disk_bytes);
  for (auto& entry : rest.named) entry.second = std::max<int64_t>(0, entry.second - AmountOf(used, entry.first));
  return rest;
}

bool Fits(const ResourceAmounts& capacity, const ResourceAmounts& used, const ResourceAmounts& want) {
  if (want.slots > int64_t{capacity.slots} - used.slots) return false;
  if (want.cpu_millis > 0 && want.cpu_millis > capacity.cpu_millis - used.cpu_millis) return false;
  if (want.memory_bytes > 0 && want.memory_bytes > capacity.memory_bytes - used.memory_bytes) return false;
  if (want.disk_bytes > 0 && want.disk_bytes > capacity.disk_bytes - used.disk_bytes) return false;
  for (const auto& entry : want.named) {
    if (entry.second > AmountOf(capacity, entry.first) - AmountOf(used, entry.first)) return false;
  }
  return true;
}

uint32_t LackOf(const ResourceAmounts& capacity, const ResourceAmounts& used, const ResourceAmounts& want) {
  uint32_t lack = std::max({LackOfOne(int64_t{capacity.slots} - used.slots, want.slots),
                            LackOfOne(capacity.cpu_millis - used.cpu_millis, want.cpu_millis),
                            LackOfOne(capacity.memory_bytes - used.memory_bytes, want.memory_bytes),
                            LackOfOne(capacity.disk_bytes - used.disk_bytes, want.disk_bytes)});
  for (const auto& entry : want.named) {
    const int64_t free = AmountOf(capacity, entry.first) - AmountOf(used, entry.first);
    lack = std::max(lack, LackOfOne(free, entry.second));
  }
  return lack;
}

void AddTo(ResourceAmounts* amounts, const ResourceAmounts& more) {
  amounts->slots += more.slots;
  amounts->cpu_millis += more.cpu_millis;
  amounts->memory_bytes += more.memory_bytes;
  amounts->disk_bytes += more.disk_bytes;
  for (const auto& entry : more.named) NamedEntry(amounts, entry.first) += entry.second;
}

void TakeFrom(ResourceAmounts* amounts, const ResourceAmounts& less) {
  MUSTER_CHECK(amounts->slots >= less.slots);
  MUSTER_CHECK(amounts->cpu_millis >= less.cpu_millis);
  MUSTER_CHECK(amounts->memory_bytes >= less.memory_bytes);
  MUSTER_CHECK(amounts->disk_bytes >= less.disk_bytes);
  amounts->slots -= less.slots;
  amounts->cpu_millis -= less.cpu_millis;
  amounts->memory_bytes -= less.memory_bytes;
  amounts->disk_bytes -= less.disk_bytes;
  for (const auto& entry : less.named) {
    int64_t& rest = NamedEntry(amounts, entry.first);
    MUSTER_CHECK(rest >= entry.second);
    rest -= entry.second;
  }
  std::erase_if(amounts->named, [](const auto& entry) { return entry.second == 0; });
}

}  // namespace muster
