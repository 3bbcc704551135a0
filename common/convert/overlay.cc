#include "common/convert/overlay.h"

#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace muster::convert {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool IsList(const FieldDescriptor& field) { return field.is_repeated() && !field.is_map(); }

bool IsReplacedWhole(const FieldDescriptor& field) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) return false;
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return IsList(field);
  return field.message_type() == google::protobuf::Duration::descriptor() ||
         field.message_type() == google::protobuf::Timestamp::descriptor();
}

// Takes away what the merge would add to.
void ClearWhatIsReplaced(const Message& upper, Message* lower) {
  std::vector<const FieldDescriptor*> set;
  upper.GetReflection()->ListFields(upper, &set);
  for (const FieldDescriptor* const field : set) {
    if (IsReplacedWhole(*field)) {
      lower->GetReflection()->ClearField(lower, field);
    } else if (!field->is_repeated() && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      ClearWhatIsReplaced(upper.GetReflection()->GetMessage(upper, field), lower->GetReflection()->MutableMessage(lower, field));
    }
  }
}

}  // namespace

void Overlay(const Message& upper, Message* lower) {
  ClearWhatIsReplaced(upper, lower);
  lower->MergeFrom(upper);
}

}  // namespace muster::convert
