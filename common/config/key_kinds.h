// The kinds of values that a key can have: for each a function that makes the key which reads and shows it.
//
// Thread rule: pure but for what the key's functions write through `target`. Ownership: `target` must outlive the key.
// Errors: a key's own are one line that says what would be valid.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/config/config.h"
#include "common/config/key.h"

namespace muster::config {

// In each the target has its default already.
Key TextKey(std::string name, std::string* target, std::string help);
Key ChoiceKey(std::string name, std::string* target, std::vector<std::string> choices, std::string help);
Key NumberKey(std::string name, int64_t* target, std::string help, Bounds bounds);
Key RealKey(std::string name, double* target, std::string help, Bounds bounds);
Key FlagKey(std::string name, bool* target, std::string help);
Key TimeKey(std::string name, absl::Duration* target, std::string help, Bounds bounds);
Key SizeKey(std::string name, int64_t* target, std::string help, Bounds bounds);
Key MapKey(std::string name, std::map<std::string, std::string>* target, std::string help);
Key ListKey(std::string name, std::vector<std::string>* target, std::string help);
Key EntriesKey(std::string name, std::vector<Entry>* target, std::vector<std::string> fields, std::string help);

}  // namespace muster::config
