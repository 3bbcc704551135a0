// One message laid over another: what the upper one sets replaces what the lower one has.
//
// A plain merge adds up what belongs together: 500 ms over 1 h would be 1 h and 500 ms, exit codes 75 over 1 and 2 all three.
// Here durations, times and lists of numbers are replaced whole; messages are laid over each other field by field; to other
// lists (labels, variables, needs) the upper one adds.
// Thread rule: pure.
#pragma once

#include "google/protobuf/message.h"

namespace muster::convert {

// Both of one type.
void Overlay(const google::protobuf::Message& upper, google::protobuf::Message* lower);

}  // namespace muster::convert
