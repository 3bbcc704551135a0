// The outputs that a workflow's tasks have written, and what they mean for the tasks that use them.
//
// A node's outputs are those of its task that SUCCEEDED, and come with its report; so a master that starts finds the same
// in the outcomes. What a task needs of them is judged when its needs hold, before it goes into its queue.
//
//   values.Keep(spec, node, report.outputs);
//   Judge(spec, node, values);          // whether a task of it starts
//   VariablesOf(spec, node, values);    // with what
// Pure. Thread rule: one thread. Bounds: a workflow has at most kMostWorkflowOutputs outputs, each kMostOutputBytes; what all
// open workflows keep counts as what waits (queue.max_queued_bytes).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/domain/named_value.h"
#include "common/domain/workflow.h"

namespace muster::core {

class WorkflowValues {
 public:
  // Those that the node declares; the others are nobody's business.
  void Keep(const WorkflowSpec& spec, uint32_t node, const NamedValues& written);
  // Null: it was not written.
  const std::string* Find(const OutputOf& output) const;
  size_t bytes() const { return bytes_; }

 private:
  size_t bytes_ = 0;
  absl::flat_hash_map<uint32_t, std::vector<std::optional<std::string>>> by_node_;  // in the order of the node's outputs
};

struct Judgement {
  enum class Kind : uint8_t {
    kStarts,
    kSkipped,  // its condition does not hold
    kBroken,   // a value that it uses was not written
  };
  Kind kind = Kind::kStarts;
  std::string reason;
};
Judgement Judge(const WorkflowSpec& spec, uint32_t node, const WorkflowValues& values);

// Of a task that starts.
NamedValues VariablesOf(const WorkflowSpec& spec, uint32_t node, const WorkflowValues& values);

}  // namespace muster::core
