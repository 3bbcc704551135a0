#include "common/convert/event_json.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/json_reader.h"
#include "common/base/refusal.h"
#include "common/base/utf8.h"

namespace muster::convert {
namespace {

// Which of two is meant nobody knows, also when one of them is null.
void ReadEventParameters(JsonReader* json, v1::SendEventRequest* event) {
  std::string name;
  std::set<std::string> seen;
  for (json->EnterObject(); json->NextKey(&name);) {
    const size_t place = json->place();
    if (!seen.insert(name).second) json->Refuse(place, absl::StrCat("the parameter ", ToLine(name, 60), " is there twice"));
    if (json->SkipNull()) continue;
    std::string value;
    json->ReadText(&value);
    if (event->parameters_size() >= static_cast<int>(kMostEventParameters)) {
      json->Refuse(place, absl::StrCat("more than ", kMostEventParameters, " parameters"));
    }
    (*event->mutable_parameters())[name] = std::move(value);
  }
}

}  // namespace

absl::Status ReadEventJson(const std::string& source, std::string_view text, v1::SendEventRequest* event) {
  JsonReader json(source, text);
  std::string key;
  std::set<std::string> seen;
  json.EnterObject();
  for (size_t place = json.place(); json.NextKey(&key); place = json.place()) {
    if (!seen.insert(key).second) json.Refuse(place, absl::StrCat("the member ", ToLine(key, 60), " is there twice"));
    if (key == "id") {
      if (!json.SkipNull()) json.ReadText(event->mutable_id());
    } else if (key == "parameters") {
      ReadEventParameters(&json, event);
    } else {
      json.Refuse(place, absl::StrCat("an event has no member ", ToLine(key, 60), "; it has id and parameters, and what it says goes into those"));
    }
  }
  json.Finish();
  if (json.status().ok()) return absl::OkStatus();
  return Refuse(absl::StatusCode::kInvalidArgument, "BAD_EVENT", std::string(json.status().message()));
}

}  // namespace muster::convert
