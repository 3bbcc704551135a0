// Counting what attempts take of a worker's capacity, on the facts of one worker.
//
// An attempt takes its amounts from the capacity. A one-slot attempt may be sent ahead of a free slot (prefetched); it
// takes the next slot that is returned, as it does on the worker. So used.slots + prefetched is what was sent, one-slot
// attempts are interchangeable, and ReturnRoom() need not know which of them ended.
//
// Thread rule: pure functions. Errors: false when there is no room; nothing is taken then.
#pragma once

#include <cstdint>

#include "common/domain/task_spec.h"
#include "common/domain/worker_facts.h"
#include "master/registry/standing.h"

namespace muster::registry {

bool TakeRoom(const ResourceAmounts& amounts, WorkerFacts* facts);
// One slot ahead of a free one, `limit` at most.
bool TakeRoomAhead(uint32_t limit, WorkerFacts* facts);
// By an attempt that the worker holds anyway: also where there is no room.
void AdoptRoom(const ResourceAmounts& amounts, WorkerFacts* facts);
void ReturnRoom(const ResourceAmounts& amounts, WorkerFacts* facts);

// Below kSound: nothing, or one attempt more than it has now.
void LimitSlots(const Standing& standing, WorkerFacts* facts);
// After there may be more free slots: the worker starts what was sent ahead as soon as a slot is free.
void FillSlotsFromAhead(WorkerFacts* facts);

}  // namespace muster::registry
