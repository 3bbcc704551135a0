// A workflow's nodes as the lines that are shown of it: like ones as one line, with what they wait for.
//
// Few nodes are a line each. Of many, those of one stage whose names differ in numbers only (part-1, part-2, ...) share one:
// a thousand tasks of a real workflow are about ten lines. Since a need always leads to a later stage, what is left is a graph
// again.
// Thread rule: pure. Nothing that a peer sent is taken for more than text; needs that make no sense are left out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "muster/v1/workflow.pb.h"

namespace muster::cli {

// Up to so many nodes each has a line.
inline constexpr size_t kMostUnfoldedNodes = 24;
inline constexpr size_t kFewestFolded = 3;

struct WorkflowRow {
  std::string name;             // "fetch", "part-* (1000)"
  std::vector<v1::StateCount> counts;
  int64_t task_count = 0;       // of counts
  size_t node_count = 0;
  size_t skipped_count = 0;     // nodes
  bool is_open = false;         // something of it has not ended
  std::string reason;           // the first that there is
  absl::Time start = absl::InfiniteFuture();
  absl::Time end = absl::InfinitePast();
  std::vector<uint32_t> needs;  // rows above
  std::vector<std::string> need_words;  // of each: "fetch", "build:failure"
};

// Every row after all that it needs, else in the order of the workflow. `fold` false: a row for each node.
std::vector<WorkflowRow> WorkflowRows(const std::vector<v1::WorkflowNodeStatus>& nodes, bool fold);

}  // namespace muster::cli
