// What is said of a workflow to people: what failed first, why it is in its state, and all of it for readers.
//
// Pure. Thread rule: one thread.
#pragma once

#include <string>

#include "master/core/effects.h"
#include "master/core/workflow_table.h"

namespace muster::core {

// How the reason begins of a task that broke its workflow.
inline constexpr char kValueWords[] = "values: ";

// "task 4F ended FAILED, and 2 more failed", of one in which something failed.
std::string WhatFailed(const WorkflowCounts& counts);
// Empty: nothing is to be said.
std::string ReasonOf(const Workflow& workflow);
// With its reason in words.
WorkflowView ViewOf(const Workflow& workflow);

}  // namespace muster::core
