// Inputs that are protobuf messages, written as text so that a corpus can be read, and changed field by field so that
// the fuzzer spends its runs behind the parser and not in front of it.
//
//   MUSTER_MESSAGE_FUZZ(v1::SubmitRequest, request) { ... claims about request ... }
//
// Thread rule: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <google/protobuf/message.h>

#include "tests/fuzz/fuzz.h"

namespace muster::fuzz {

// False: this is not what a peer could have sent (no such text, or a string that is not UTF-8).
bool ReadMessage(const uint8_t* data, size_t size, google::protobuf::Message* message);
std::string WriteMessage(const google::protobuf::Message& message);

// Changes some fields at random, in place. Only with libFuzzer.
void MutateMessage(google::protobuf::Message* message, unsigned seed);

template <typename Message>
size_t MutateText(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  Message message;
  ReadMessage(data, size, &message);
  MutateMessage(&message, seed);
  const std::string text = WriteMessage(message);
  if (text.size() > max_size) return size;
  text.copy(reinterpret_cast<char*>(data), text.size());
  return text.size();
}

// What both have.
template <typename Message>
size_t CrossText(const uint8_t* data, size_t size, const uint8_t* other_data, size_t other_size, uint8_t* out,
                 size_t max_size) {
  Message message, other;
  if (!ReadMessage(data, size, &message) || !ReadMessage(other_data, other_size, &other)) return 0;
  message.MergeFrom(other);
  const std::string text = WriteMessage(message);
  if (text.size() > max_size) return 0;
  text.copy(reinterpret_cast<char*>(out), text.size());
  return text.size();
}

}  // namespace muster::fuzz

#ifdef MUSTER_FUZZ
#define MUSTER_MESSAGE_MUTATOR(Type)                                                                               \
  extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {           \
    return ::muster::fuzz::MutateText<Type>(data, size, max_size, seed);                                            \
  }                                                                                                                 \
  extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* data, size_t size, const uint8_t* other,               \
                                              size_t other_size, uint8_t* out, size_t max_size, unsigned) {         \
    return ::muster::fuzz::CrossText<Type>(data, size, other, other_size, out, max_size);                           \
  }
#else
#define MUSTER_MESSAGE_MUTATOR(Type)
#endif

#define MUSTER_MESSAGE_FUZZ(Type, name)                                    \
  static void TestOne(Type& name);                                         \
  MUSTER_MESSAGE_MUTATOR(Type)                                             \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) { \
    Type message;                                                          \
    if (::muster::fuzz::ReadMessage(data, size, &message)) TestOne(message); \
    return 0;                                                              \
  }                                                                        \
  static void TestOne(Type& name)
