// Whether what a workflow's nodes ask of one another's outputs can be had: an output that is declared, by a node that is
// needed. (What an output may be named is validate.h's to say, of the task that writes it.)
//
// Thread rule: a pure function. Errors: violations with the reason BAD_VALUE_USE, named as workflow.nodes[3].variables[0].
#pragma once

#include "master/request_handler/validate.h"
#include "muster/v1/workflow.pb.h"

namespace muster::handler {

// The nodes' names are unique, and their needs name nodes.
void CheckValueUses(const v1::WorkflowSpec& spec, Violations* violations);

}  // namespace muster::handler
