// What a user types to name tasks, and which tasks that is.
//
//   "4F"  an id, of a task or of a whole batch     "4F/17"  the 17th task of a batch
//   "nightly"  a name                              "id:4F", "name:4F"  settle a word that could be either
//
// A name selects the newest task of that name (a batch's name the whole batch); for what changes tasks, it must be
// the only open one. An id is a name too when some task has it for one: then the word is refused as ambiguous.
//
// Thread rule: parsing is pure; resolving reads the store and may ask the loop, so it runs where blocking is fine.
// Errors: INVALID_ARGUMENT BAD_SELECTOR; NOT_FOUND NO_SUCH_TASK; FAILED_PRECONDITION AMBIGUOUS_NAME.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "master/core/ports.h"
#include "master/store/store.h"

namespace muster::handler {

struct Selector {
  std::string text;  // as it was typed
  std::string word;
  bool may_be_id = true;
  bool may_be_name = true;
  std::optional<uint64_t> id;  // the word read as one
  uint64_t index = 0;          // 1-based, after the slash; 0: none
};

absl::StatusOr<Selector> ParseSelector(std::string_view text);

struct Selection {
  std::vector<TaskRange> ranges;
  TaskId batch;  // set when a whole batch is meant

  uint64_t count() const;
};

enum class Purpose { kRead, kChange };

class SelectorResolver {
 public:
  SelectorResolver(store::Store* store, core::Inspector* inspector, absl::Duration inspect_wait)
      : store_(store), inspector_(inspector), inspect_wait_(inspect_wait) {}

  absl::StatusOr<Selection> Resolve(std::string_view text, Purpose purpose);
  // All of them; ranges that occur twice are kept once.
  template <typename Texts>
  absl::StatusOr<std::vector<TaskRange>> ResolveAll(const Texts& texts, Purpose purpose) {
    std::vector<TaskRange> ranges;
    for (const auto& text : texts) {
      absl::StatusOr<Selection> selection = Resolve(text, purpose);
      if (!selection.ok()) return std::move(selection).status();
      AddRanges(*selection, &ranges);
    }
    return ranges;
  }

 private:
  absl::StatusOr<std::optional<Selection>> ById(uint64_t id);
  absl::StatusOr<std::optional<Selection>> ByName(const Selector& selector, Purpose purpose);
  absl::StatusOr<Selection> ThingOf(TaskId task);  // the task, or the batch that it belongs to
  absl::StatusOr<Selection> Pick(Selection batch, const Selector& selector);
  static void AddRanges(const Selection& selection, std::vector<TaskRange>* ranges);

  store::Store* const store_;
  core::Inspector* const inspector_;
  const absl::Duration inspect_wait_;
};

}  // namespace muster::handler
