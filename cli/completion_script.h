// The text that a shell reads to complete muster's verbs and flags.
// Thread rule: pure.
#pragma once

#include <string>

namespace muster::cli {

struct VerbOutline;

// `shell`: bash, zsh or fish.
std::string CompletionScript(const VerbOutline& root, const std::string& shell);

}  // namespace muster::cli
