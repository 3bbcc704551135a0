// About how many bytes an event holds on to while it waits, for the bounds of the mailbox and of a turn.
// Thread rule: a pure function.
#pragma once

#include <cstdint>

#include "master/core/events.h"

namespace muster::master {

int64_t WeightBytes(const core::Event& event);

}  // namespace muster::master
