// What a workflow's parameters stand for, put into the texts of its tasks.
//
// `{{ name }}` (common/domain/text_reference.h) becomes the value: in a line for a shell as one quoted word (refused where that
// would be no word: within quotes of the line's own, a value could run what it likes), in a node with
// rows so that the worker does not take the value's braces for places of a row. Texts are all strings of a node's task but
// the keys of `parameters`, the values of its rows, and both sides of its condition.
// Thread rule: pure. Errors: INVALID_ARGUMENT, one line that names the node.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "muster/v1/workflow.pb.h"

namespace muster::convert {

// By so much may values make a workflow larger.
inline constexpr size_t kMostParameterBytes = size_t{16} << 20;

// Letters, digits and _, no digit first, 128 at most: what a reference can have.
bool IsParameterName(std::string_view name);

// Exactly once for a node: values and `\{{` are not looked at again. Nodes before `first` have been filled in. On an error the
// specification is half filled in.
absl::Status FillParameters(const google::protobuf::RepeatedPtrField<v1::ParameterValue>& given, v1::WorkflowSpec* spec, int first = 0);

// Whether every reference of a single task stands where a value may be put, and has a name that a value can have; each is
// filled with "x". For one whose values come later, under names that nobody declares.
absl::Status FillForTrial(v1::TaskSpec* task);

// The fields of a task's messages that a worker puts a row's values into (FillArguments, FillText).
bool TakesRowValues(const google::protobuf::FieldDescriptor& field);

}  // namespace muster::convert
