// Answers the core's FindEnds from the store: how tasks ended that others depend on and that were not open any more.
//
// Thread rule: OnEffects on the loop's thread: it hands over to the read pool. Ownership: borrows the context. Errors:
// a read that fails is logged and made again a second later; those who wait go on waiting.
#pragma once

#include <vector>

#include "master/core/effects.h"
#include "master/request_handler/context.h"

namespace muster::handler {

class EndFinder {
 public:
  explicit EndFinder(Context* context) : context_(context) {}

  void OnEffects(const std::vector<core::Effect>& effects);

 private:
  static void Find(Context* context, const std::vector<core::AskedRange>& ranges);

  Context* const context_;
};

}  // namespace muster::handler
