// What a plain word of YAML is besides a text, the same for task files and workflow files.
// Thread rule: pure functions.
#pragma once

#include <string>

namespace muster::cli {

bool IsNull(const std::string& text);
bool IsNumber(const std::string& text);  // as JSON has them, and "5.", "+5"
bool IsTruth(const std::string& text);
bool IsFalsehood(const std::string& text);

// A duration as people write it ("5m") in protobuf's JSON ("300.000000000s"); what is none stays as it is.
std::string DurationJson(const std::string& text);

}  // namespace muster::cli
