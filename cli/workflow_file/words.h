// The words of a workflow file: names, and how they are shown in messages.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "cli/workflow_file/document.h"

namespace muster::cli {

bool IsIdentifier(std::string_view word);  // [A-Za-z_][A-Za-z0-9_]*, at most 128
// At most 128 of [A-Za-z0-9._-]: names of tasks and workflows.
absl::Status CheckName(const Document::Node& node, std::string_view name);
// On one line, cut when it is long.
std::string ShownWord(std::string_view word);

}  // namespace muster::cli
