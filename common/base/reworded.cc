#include "common/base/reworded.h"

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"

namespace muster {

absl::Status Reworded(const absl::Status& refusal, std::string_view message) {
  absl::Status status(refusal.code(), absl::string_view(message.data(), message.size()));
  refusal.ForEachPayload([&status](absl::string_view type, const absl::Cord& payload) { status.SetPayload(type, payload); });
  return status;
}

}  // namespace muster
