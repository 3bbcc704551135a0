// Looks for a pattern in the output of one attempt while it comes, with bounded time: the thread that carries one
// attempt's output carries the others', too.
//
// It may use a second of the processor; beyond that only at 8 MB a second or more. A pattern that is slower is given up,
// and the attempt fails with that word: the output that it would have looked at goes on.
// Thread rule: one thread at a time. Units: bytes, seconds of the thread's processor time.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "common/base/output_pattern.h"

namespace muster::execution {

class OutputCheck {
 public:
  // A pattern that cannot be read is found nowhere: the master accepts none such.
  explicit OutputCheck(const std::string& pattern);

  void Feed(size_t stream, std::string_view bytes);
  // Nothing more comes. Empty: a line had it; otherwise why the attempt is no success, in words.
  std::string Close();

 private:
  bool TooSlow() const;

  const std::string text_;
  std::unique_ptr<OutputPattern> pattern_;  // null: none
  absl::Duration spent_;
  double bytes_ = 0;
};

}  // namespace muster::execution
