// What a person types to name tasks, at the master and in the client: the file that remembers what was submitted, then
// a line for each word.
//
// Claims: a word is refused in one line or read; what was read as an id is written as an id that reads the same; `last`
// never becomes nothing, and no selector comes twice.
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/selectors.h"
#include "common/base/id_text.h"
#include "master/request_handler/selector.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/scratch.h"

namespace muster::fuzz {
namespace {

void AtTheMaster(const std::string& text) {
  const absl::StatusOr<handler::Selector> selector = handler::ParseSelector(text);
  if (!selector.ok()) {
    MUSTER_CLAIM(absl::IsInvalidArgument(selector.status()) && IsOneLine(std::string(selector.status().message())), text);
    return;
  }
  MUSTER_CLAIM(selector->text == text && !selector->word.empty(), text);
  MUSTER_CLAIM(selector->may_be_name || selector->id, text);
  MUSTER_CLAIM(!selector->id || TextToId(IdToText(*selector->id)) == selector->id, text);
  std::string again = selector->id && !selector->may_be_name ? "id:" + IdToText(*selector->id) : selector->word;
  if (selector->index != 0) absl::StrAppend(&again, "/", selector->index);
  const absl::StatusOr<handler::Selector> reread = handler::ParseSelector(again);
  MUSTER_CLAIM(reread.ok() && reread->index == selector->index, again);
  MUSTER_CLAIM(!selector->id || reread->id == selector->id, again);
}

void InTheClient(const cli::RecentTasks& recent, const std::vector<std::string>& words) {
  const absl::StatusOr<std::vector<std::string>> resolved = recent.Resolve(words);
  if (!resolved.ok()) {
    MUSTER_CLAIM(IsOneLine(std::string(resolved.status().message())), resolved.status().ToString());
    return;
  }
  for (const std::string& selector : *resolved) MUSTER_CLAIM(!selector.empty(), "");
  MUSTER_CLAIM(std::set<std::string>(resolved->begin(), resolved->end()).size() == resolved->size(), "");
}

}  // namespace
}  // namespace muster::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace muster;
  static const fuzz::Scratch scratch;
  fuzz::Input input(data, size);
  scratch.Write("last", input.Part());
  const std::vector<std::string> words = absl::StrSplit(std::string(input.Rest()), '\n');
  for (const std::string& word : words) fuzz::AtTheMaster(word);
  cli::RecentTasks recent(scratch.At("last"), "m:1");
  fuzz::InTheClient(recent, words);
  recent.Remember({"4F", "4G"});
  const absl::StatusOr<std::string> last = recent.Find(0);
  MUSTER_CLAIM(last.ok() && *last == "4G", last.status().ToString());
  return 0;
}
