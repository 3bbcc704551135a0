#include "tests/fuzz/message_input.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>

namespace muster::fuzz {
namespace {

// Nobody reads thousands of lines about inputs that are no text.
class Silent final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int, google::protobuf::io::ColumnNumber, const std::string&) override {}
};

}  // namespace

bool ReadMessage(const uint8_t* data, size_t size, google::protobuf::Message* message) {
  static const bool silent = [] {
    google::protobuf::SetLogHandler(nullptr);
    return true;
  }();
  (void)silent;
  Silent errors;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.SetRecursionLimit(64);
  google::protobuf::io::ArrayInputStream stream(data, static_cast<int>(size));
  if (!parser.Parse(&stream, message)) return false;
  // Over the wire, as a peer sends it: what cannot be read there never arrives.
  const std::string wire = message->SerializePartialAsString();
  message->Clear();
  return message->ParseFromString(wire);
}

std::string WriteMessage(const google::protobuf::Message& message) {
  std::string text;
  google::protobuf::TextFormat::PrintToString(message, &text);
  return text;
}

}  // namespace muster::fuzz
