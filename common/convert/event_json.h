// An event as programs send it over HTTP, and people in a file: {"id": "7", "parameters": {"branch": "main", "build": 12}}.
//
// Both members may be left out. A parameter's value is a text; of a number, a truth value, a list or an object it is their JSON
// as it was sent; null is as if it were not there. Anything else in the object is refused: it is likely a slip.
// Thread rule: pure. Bounds: those of SendEventRequest. Errors: INVALID_ARGUMENT, BAD_EVENT, one line with its place.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "muster/v1/schedule_service.pb.h"

namespace muster::convert {

inline constexpr size_t kMostEventBytes = size_t{64} << 10;  // of a body; of the parameters' names and values together
inline constexpr size_t kMostEventParameters = 1000;

// `source` is what messages call the text: "body", "push.json". Fills in `id` and `parameters`.
absl::Status ReadEventJson(const std::string& source, std::string_view text, v1::SendEventRequest* event);

}  // namespace muster::convert
