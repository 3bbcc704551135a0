// One specification that is being checked, for the parts that check it: what is wrong is said of its field, with where the
// specification is in the call.
//
// Thread rule: a value; what it names outlives it.
#pragma once

#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "master/request_handler/validate.h"

namespace muster::handler {

struct SpecAtHand {
  const v1::TaskSpec& spec;
  const std::string& path;
  const TaskLimits& limits;
  Violations* violations;

  template <typename... Description>
  void Add(std::string_view reason, std::string_view field, const Description&... description) const {
    violations->Add(reason, absl::StrCat(path, ".", absl::string_view(field.data(), field.size())),
                    absl::StrCat(description...));
  }
};

// Its executor, its command with all that goes in, and the values that come out.
void CheckWhatItRuns(const SpecAtHand& at);

inline bool HasNul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

}  // namespace muster::handler
