// Mutations of a message by reflection: a field anywhere in it is set, changed, removed, repeated or moved.
#include <algorithm>
#include <iterator>
#include <limits>
#include <random>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/reflection.h>

#include "tests/fuzz/message_input.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace muster::fuzz {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int kMostDepth = 12;
constexpr size_t kMostBytes = 512;  // of one string
constexpr int kMostElements = 64;

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  void Mutate(Message* root) {
    const int times = 1 + Below(4);
    for (int i = 0; i < times; ++i) {
      std::vector<Message*> nodes;
      Collect(root, 0, &nodes);
      ChangeOne(nodes[static_cast<size_t>(Below(static_cast<int>(nodes.size())))]);
    }
  }

 private:
  int Below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }

  void Collect(Message* message, int depth, std::vector<Message*>* nodes) {
    nodes->push_back(message);
    if (depth >= kMostDepth) return;
    const Reflection& reflection = *message->GetReflection();
    std::vector<const FieldDescriptor*> fields;
    reflection.ListFields(*message, &fields);
    for (const FieldDescriptor* field : fields) {
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
      if (!field->is_repeated()) Collect(reflection.MutableMessage(message, field), depth + 1, nodes);
      for (int i = 0; field->is_repeated() && i < reflection.FieldSize(*message, field); ++i) {
        Collect(reflection.MutableRepeatedMessage(message, field, i), depth + 1, nodes);
      }
    }
  }

  void ChangeOne(Message* message) {
    const auto* type = message->GetDescriptor();
    if (type->field_count() == 0) return;
    const FieldDescriptor* field = type->field(Below(type->field_count()));
    if (field->is_repeated()) {
      ChangeRepeated(message, field);
    } else if (Below(6) == 0) {
      message->GetReflection()->ClearField(message, field);
    } else {
      ChangeSingle(message, field);
    }
  }

  void ChangeRepeated(Message* message, const FieldDescriptor* field) {
    const Reflection& reflection = *message->GetReflection();
    const int size = reflection.FieldSize(*message, field);
    const int choice = Below(5);
    if (size == 0 || (choice <= 1 && size < kMostElements)) return AddElement(message, field, size);
    if (choice == 2) {
      reflection.SwapElements(message, field, Below(size), size - 1);
      return reflection.RemoveLast(message, field);
    }
    if (choice == 3) return reflection.SwapElements(message, field, Below(size), Below(size));
    ChangeElement(message, field, Below(size));
  }

  void AddElement(Message* message, const FieldDescriptor* field, int size) {
    const Reflection& reflection = *message->GetReflection();
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE: {
        Message* added = reflection.AddMessage(message, field);
        if (size > 0 && Below(2) == 0) added->CopyFrom(reflection.GetRepeatedMessage(*message, field, Below(size)));
        return ChangeOne(added);
      }
      case FieldDescriptor::CPPTYPE_STRING: return reflection.AddString(message, field, Text("", field));
      case FieldDescriptor::CPPTYPE_INT32: return reflection.AddInt32(message, field, Number<int32_t>(0));
      case FieldDescriptor::CPPTYPE_ENUM: return reflection.AddEnumValue(message, field, EnumNumber(field));
      default: return;  // the API has no other lists
    }
  }

  void ChangeElement(Message* message, const FieldDescriptor* field, int at) {
    const Reflection& reflection = *message->GetReflection();
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE: return ChangeOne(reflection.MutableRepeatedMessage(message, field, at));
      case FieldDescriptor::CPPTYPE_STRING:
        return reflection.SetRepeatedString(message, field, at,
                                            Text(reflection.GetRepeatedString(*message, field, at), field));
      case FieldDescriptor::CPPTYPE_INT32:
        return reflection.SetRepeatedInt32(message, field, at,
                                           Number(reflection.GetRepeatedInt32(*message, field, at)));
      case FieldDescriptor::CPPTYPE_ENUM: return reflection.SetRepeatedEnumValue(message, field, at, EnumNumber(field));
      default: return;
    }
  }

  void ChangeSingle(Message* message, const FieldDescriptor* field) {
    const Reflection& reflection = *message->GetReflection();
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE: return ChangeOne(reflection.MutableMessage(message, field));
      case FieldDescriptor::CPPTYPE_STRING:
        return reflection.SetString(message, field, Text(reflection.GetString(*message, field), field));
      case FieldDescriptor::CPPTYPE_INT32:
        return reflection.SetInt32(message, field, Number(reflection.GetInt32(*message, field)));
      case FieldDescriptor::CPPTYPE_INT64:
        return reflection.SetInt64(message, field, Number(reflection.GetInt64(*message, field)));
      case FieldDescriptor::CPPTYPE_UINT32:
        return reflection.SetUInt32(message, field, Number(reflection.GetUInt32(*message, field)));
      case FieldDescriptor::CPPTYPE_UINT64:
        return reflection.SetUInt64(message, field, Number(reflection.GetUInt64(*message, field)));
      case FieldDescriptor::CPPTYPE_DOUBLE: return reflection.SetDouble(message, field, Real());
      case FieldDescriptor::CPPTYPE_FLOAT: return reflection.SetFloat(message, field, static_cast<float>(Real()));
      case FieldDescriptor::CPPTYPE_BOOL: return reflection.SetBool(message, field, Below(2) == 0);
      case FieldDescriptor::CPPTYPE_ENUM: return reflection.SetEnumValue(message, field, EnumNumber(field));
    }
  }

  // Small numbers name things that are there; the large ones are where arithmetic breaks.
  template <typename T>
  T Number(T now) {
    switch (Below(8)) {
      case 0: return std::numeric_limits<T>::max();
      case 1: return std::numeric_limits<T>::min();
      case 2: return static_cast<T>(static_cast<uint64_t>(now) + 1);
      case 3: return static_cast<T>(static_cast<uint64_t>(now) - 1);
      case 4: return static_cast<T>(T{1} << Below(static_cast<int>(sizeof(T)) * 8 - 1));
      default: return static_cast<T>(Below(6));
    }
  }

  double Real() {
    constexpr double kInteresting[] = {0, -0.0, 1, -1, 0.5, 0.0005, 1e6, 1e15, 1e16, 1e300, -1e300, 5e-324};
    switch (Below(6)) {
      case 0: return std::numeric_limits<double>::quiet_NaN();
      case 1: return std::numeric_limits<double>::infinity();
      default: return kInteresting[Below(std::size(kInteresting))];
    }
  }

  int EnumNumber(const FieldDescriptor* field) {
    if (Below(8) == 0) return Number<int32_t>(7);
    return field->enum_type()->value(Below(field->enum_type()->value_count()))->number();
  }

  std::string Text(std::string text, const FieldDescriptor* field) {
    constexpr const char* kInteresting[] = {"", "a", "w1", "command", "noop", "4F", "{}", "{1}", "{#}", "{/.}",
                                            "a=b", "/tmp", "user@host", "10.0.0.1:7071", "'", "\"", "\\"};
    if (Below(3) == 0) return kInteresting[Below(std::size(kInteresting))];
    const size_t size = std::min(text.size(), kMostBytes);
    text.resize(kMostBytes);
    text.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(text.data()), size, kMostBytes));
    if (field->type() == FieldDescriptor::TYPE_BYTES || Below(64) == 0) return text;
    // Strings are UTF-8, or the message never arrives.
    for (char& c : text) c = static_cast<char>(c & 0x7f);
    return text;
  }

  std::minstd_rand random_;
};

}  // namespace

void MutateMessage(Message* message, unsigned seed) { Mutator(seed).Mutate(message); }

}  // namespace muster::fuzz
