// What an attempt's end is worth: what its plugin says, whether it was stopped, and all that a success has to stand: its
// exit code, its output, the values that it wrote, the command that validates it.
//
// Thread rule: one thread at a time: its attempt's mutex. Units: absl at our side, std::chrono at the plugin's.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/domain/attempt.h"
#include "common/domain/validation.h"
#include "worker/execution/output_check.h"
#include "worker/plugin_api/executor.h"

namespace muster::execution {

class AttemptJudge {
 public:
  // `validation` outlives it.
  explicit AttemptJudge(const Validation* validation);

  // Output of the work, as it comes.
  void Feed(plugin::Stream stream, std::string_view bytes);
  // The work is over. `stop`: why it was stopped, if it was; `outputs`: not OK when what it wrote are no values.
  AttemptEnd WorkEnd(const plugin::Result& result, EndReason stop, const absl::Status& outputs);
  // Its validation is over, too. `timed_out`: it was stopped for its time.
  AttemptEnd ValidatedEnd(AttemptEnd work_end, const plugin::Result& result, const std::string& last_line, EndReason stop,
                          bool timed_out) const;

  bool IsSuccess(const AttemptEnd& end) const { return Succeeded(end, validation_->accepted_exit_codes); }

 private:
  // What keeps an end that looks like a success from being one, done in place.
  void Judge(const absl::Status& outputs, AttemptEnd* end);

  const Validation* const validation_;
  const std::unique_ptr<OutputCheck> output_check_;  // null: none
};

// A success that was stopped on its way to be one.
AttemptEnd StoppedEnd(AttemptEnd end, EndReason reason);

}  // namespace muster::execution
