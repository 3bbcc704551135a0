// What a command wrote to MUSTER_OUTPUTS: the names that its task declares, one a line, then the file.
//
// Claims: a refusal is one line; values come in the order of their declaration, each name once, each of them a value
// that a master would take; they are what the file's lines say last; what was read is read again from what is written of
// it.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/domain/named_value.h"
#include "tests/fuzz/fuzz.h"
#include "worker/execution/outputs_file.h"

namespace muster::fuzz {
namespace {

void CheckOrder(const NamedValues& values, const std::vector<std::string>& declared) {
  auto from = declared.begin();
  for (const NamedValue& one : values) {
    from = std::find(from, declared.end(), one.name);
    MUSTER_CLAIM(from != declared.end(), one.name);
    ++from;
    MUSTER_CLAIM(IsOutputValue(one.value), one.value);
    const auto same = [&one](const NamedValue& other) { return other.name == one.name; };
    MUSTER_CLAIM(std::count_if(values.begin(), values.end(), same) == 1, one.name);
  }
}

// The slow way round: from the last line back.
void CheckLast(const NamedValues& values, std::string_view text) {
  const std::vector<std::string> lines = absl::StrSplit(std::string(text), '\n');
  for (const NamedValue& one : values) {
    const std::string begin = one.name + "=";
    const auto last = std::find_if(lines.rbegin(), lines.rend(), [&](const std::string& line) { return line.starts_with(begin); });
    MUSTER_CLAIM(last != lines.rend(), one.name);
    const std::string value = last->substr(begin.size());
    MUSTER_CLAIM(value == one.value || value == one.value + "\r", value);
  }
}

}  // namespace
}  // namespace muster::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace muster;
  fuzz::Input input(data, size);
  const std::vector<std::string> declared = absl::StrSplit(std::string(input.Part()), '\n');
  const std::string text(input.Rest());
  const absl::StatusOr<NamedValues> values = execution::ParseOutputs(text, declared);
  if (!values.ok()) {
    MUSTER_CLAIM(fuzz::IsOneLine(std::string(values.status().message())), values.status().ToString());
    return 0;
  }
  fuzz::CheckOrder(*values, declared);
  fuzz::CheckLast(*values, text);
  std::string again;
  for (const NamedValue& one : *values) absl::StrAppend(&again, one.name, "=", one.value, "\r\n");
  const absl::StatusOr<NamedValues> read = execution::ParseOutputs(again, declared);
  MUSTER_CLAIM(read.ok() && *read == *values, again);
  return 0;
}
