// MUSTER_CHECK(condition): our own broken invariant. Prints the place and aborts, in every build.
//
// Never on anything that a peer, a user or a file said: that is bad input, and an absl::Status.
#pragma once

#include <cstdio>
#include <cstdlib>

#define MUSTER_CHECK(condition)                                                                  \
  do {                                                                                           \
    if (!(condition)) [[unlikely]] {                                                             \
      std::fprintf(stderr, "muster: broken invariant: %s at %s:%d\n", #condition, __FILE__, __LINE__); \
      std::abort();                                                                              \
    }                                                                                            \
  } while (false)
