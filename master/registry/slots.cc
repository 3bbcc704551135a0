#include "master/registry/slots.h"

#include "common/domain/resources.h"

namespace muster::registry {
namespace {

const ResourceAmounts kOneSlot{.slots = 1};

}  // namespace

bool TakeRoom(const ResourceAmounts& amounts, WorkerFacts* facts) {
  if (!facts->TakesWork() || (facts->Limited() && facts->FreeSlots() == 0)) return false;
  if (!Fits(facts->offer.capacity, facts->used, amounts)) return false;
  AddTo(&facts->used, amounts);
  return true;
}

bool TakeRoomAhead(uint32_t limit, WorkerFacts* facts) {
  if (!facts->TakesWork() || facts->offer.capacity.slots == 0) return false;
  if (facts->Limited() || facts->FreeSlots() > 0 || facts->prefetched >= limit) return false;
  ++facts->prefetched;
  return true;
}

void AdoptRoom(const ResourceAmounts& amounts, WorkerFacts* facts) {
  if (amounts == kOneSlot && facts->FreeSlots() == 0) {
    ++facts->prefetched;
  } else {
    AddTo(&facts->used, amounts);
  }
}

void ReturnRoom(const ResourceAmounts& amounts, WorkerFacts* facts) {
  if (amounts == kOneSlot && facts->prefetched > 0) {
    --facts->prefetched;  // its slot goes to one that was sent ahead, at once
    return;
  }
  TakeFrom(&facts->used, amounts);
  FillSlotsFromAhead(facts);
}

void LimitSlots(const Standing& standing, WorkerFacts* facts) {
  const bool sound = standing.level == Standing::Level::kSound;
  facts->slot_limit = sound              ? WorkerFacts::kNoLimit
                      : standing.may_try ? facts->used.slots + facts->prefetched + 1
                                         : 0;
  FillSlotsFromAhead(facts);
}

void FillSlotsFromAhead(WorkerFacts* facts) {
  while (facts->prefetched > 0 && facts->FreeSlots() > 0) {
    --facts->prefetched;
    ++facts->used.slots;
  }
}

}  // namespace muster::registry
