// JSON from a file, read as it is needed: what nobody asks for is passed over, and still has to be JSON.
//
//   JsonReader json("plan.json", text);
//   for (json.EnterObject(); json.NextKey(&key);) {
//     if (key == "name") json.ReadString(&name); else json.Skip();
//   }
//   json.Finish();
//   if (!json.status().ok()) return json.status();   // "plan.json:3:14: expected ':' after a key"
//
// The first thing that is wrong ends it: from then on every question is answered with "no more". Ask Refuse for what is JSON
// and still not right.
// Thread rule: one thread. Ownership: the text is the caller's and outlives it. Bounds: kMostDepth; linear in the text.
// Errors: INVALID_ARGUMENT with name, line and column (in bytes, from 1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace muster {

class JsonReader {
 public:
  static constexpr size_t kMostDepth = 64;

  JsonReader(std::string name, std::string_view text);

  // The next value must be one; then ask NextKey or NextItem until they say no.
  void EnterObject() { Enter('{', '}', "an object"); }
  void EnterArray() { Enter('[', ']', "a list"); }
  bool NextKey(std::string* key);
  bool NextItem();

  void ReadString(std::string* text);
  void ReadNumber(double* number);
  bool SkipNull();  // whether it was one
  void Skip();
  // The text of a string, and of any other value its JSON as it stands there.
  void ReadText(std::string* text);

  // Nothing may follow.
  void Finish();

  // Where the next thing begins, for Refuse.
  size_t place();
  void Refuse(size_t place, std::string_view what);
  const absl::Status& status() const { return status_; }

 private:
  struct Frame {
    char end;
    bool begun;
  };

  char Peek();
  bool Take(char c);
  void Enter(char begin, char end, std::string_view what);
  bool NextOf(char end);
  void SkipWord();
  void SkipDigits();
  bool ReadEscape(std::string* text);
  bool ReadUnit(uint32_t* unit);

  const std::string name_;
  const std::string_view text_;
  size_t at_ = 0;
  std::vector<Frame> frames_;
  absl::Status status_;
};

}  // namespace muster
