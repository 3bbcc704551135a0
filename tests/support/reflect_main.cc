// Calls any gRPC server with nothing but what its reflection service tells, as grpcurl does, whose words it takes:
//
//   reflect -plaintext ADDRESS list [SERVICE]
//   reflect -plaintext ADDRESS describe SYMBOL
//   reflect -plaintext [-d JSON] ADDRESS SERVICE/METHOD      prints each answer as JSON
//
// Exit status: 0, or 64 plus the gRPC status code, with the error on stderr.
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/refusal.h"
#include "common/rpc/status.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

namespace {

using grpc::reflection::v1alpha::ServerReflection;
using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;
namespace pb = google::protobuf;

constexpr int kGrpcError = 64;

int Fail(const grpc::Status& status) {
  std::cerr << "ERROR: code " << status.error_code() << ": " << status.error_message();
  const std::string reason = muster::ReasonOf(muster::rpc::FromGrpc(status));
  if (!reason.empty()) std::cerr << " (reason " << reason << ")";
  std::cerr << "\n";
  return kGrpcError + static_cast<int>(status.error_code());
}

// What the server knows of its own API.
class Reflection {
 public:
  explicit Reflection(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(ServerReflection::NewStub(channel)), stream_(stub_->ServerReflectionInfo(&context_)) {}
  ~Reflection() {
    stream_->WritesDone();
    stream_->Finish();
  }

  std::vector<std::string> Services() {
    ServerReflectionRequest request;
    request.set_list_services("*");
    ServerReflectionResponse response;
    std::vector<std::string> names;
    if (!Ask(request, &response)) return names;
    for (const auto& service : response.list_services_response().service()) names.push_back(service.name());
    return names;
  }

  // Loads the files that define a symbol and all that they import.
  bool Load(const std::string& symbol) {
    ServerReflectionRequest request;
    request.set_file_containing_symbol(symbol);
    return LoadFiles(request);
  }

  const pb::DescriptorPool& pool() const { return pool_; }

 private:
  bool Ask(const ServerReflectionRequest& request, ServerReflectionResponse* response) {
    return stream_->Write(request) && stream_->Read(response) && !response->has_error_response();
  }

  // Files come in any order, and with as many of their imports as the server likes.
  bool LoadFiles(ServerReflectionRequest request) {
    for (bool more = true; more;) {
      ServerReflectionResponse response;
      if (!Ask(request, &response)) return false;
      for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
        pb::FileDescriptorProto file;
        if (!file.ParseFromString(bytes)) return false;
        known_[file.name()] = std::move(file);
      }
      const std::string* const missing = FirstMissing();
      more = missing != nullptr;
      if (more) request.set_file_by_filename(*missing);
    }
    for (const auto& entry : known_) {
      if (!Build(entry.first)) return false;
    }
    return true;
  }

  const std::string* FirstMissing() const {
    for (const auto& entry : known_) {
      for (const std::string& import : entry.second.dependency()) {
        if (known_.count(import) == 0) return &import;
      }
    }
    return nullptr;
  }

  bool Build(const std::string& name) {
    if (pool_.FindFileByName(name) != nullptr) return true;
    const pb::FileDescriptorProto& file = known_.at(name);
    for (const std::string& import : file.dependency()) {
      if (!Build(import)) return false;
    }
    return pool_.BuildFile(file) != nullptr;
  }

  grpc::ClientContext context_;
  std::unique_ptr<ServerReflection::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<ServerReflectionRequest, ServerReflectionResponse>> stream_;
  std::map<std::string, pb::FileDescriptorProto> known_;
  pb::DescriptorPool pool_;
};

int List(Reflection* reflection, const std::string& service) {
  if (service.empty()) {
    for (const std::string& name : reflection->Services()) std::cout << name << "\n";
    return 0;
  }
  if (!reflection->Load(service)) return Fail({grpc::StatusCode::NOT_FOUND, "no service " + service});
  const pb::ServiceDescriptor* found = reflection->pool().FindServiceByName(service);
  for (int i = 0; found != nullptr && i < found->method_count(); ++i) std::cout << found->method(i)->full_name() << "\n";
  return 0;
}

int Describe(Reflection* reflection, const std::string& symbol) {
  if (!reflection->Load(symbol)) return Fail({grpc::StatusCode::NOT_FOUND, "no symbol " + symbol});
  if (const auto* message = reflection->pool().FindMessageTypeByName(symbol)) std::cout << message->DebugString();
  if (const auto* service = reflection->pool().FindServiceByName(symbol)) std::cout << service->DebugString();
  return 0;
}

grpc::ByteBuffer ToBuffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

std::string FromBuffer(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (buffer.Dump(&slices).ok()) {
    for (const grpc::Slice& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

int Call(const std::shared_ptr<grpc::Channel>& channel, Reflection* reflection, std::string method, const std::string& json) {
  const size_t slash = method.rfind('/');
  const std::string service = method.substr(0, slash);
  if (slash == std::string::npos || !reflection->Load(service)) {
    return Fail({grpc::StatusCode::NOT_FOUND, "no service " + service});
  }
  const auto* descriptor = reflection->pool().FindMethodByName(service + "." + method.substr(slash + 1));
  if (descriptor == nullptr) return Fail({grpc::StatusCode::UNIMPLEMENTED, "no method " + method});
  pb::DynamicMessageFactory factory;
  std::unique_ptr<pb::Message> request(factory.GetPrototype(descriptor->input_type())->New());
  if (const auto status = pb::util::JsonStringToMessage(json, request.get()); !status.ok()) {
    return Fail({grpc::StatusCode::INVALID_ARGUMENT, std::string(status.message())});
  }
  // A stream of one request serves every kind of method.
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const auto step = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  auto stream = stub.PrepareCall(&context, "/" + method, &queue);
  stream->StartCall(nullptr);
  step();
  stream->WriteLast(ToBuffer(request->SerializeAsString()), grpc::WriteOptions(), nullptr);
  step();
  pb::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  while (true) {
    grpc::ByteBuffer buffer;
    stream->Read(&buffer, nullptr);
    if (!step()) break;
    std::unique_ptr<pb::Message> response(factory.GetPrototype(descriptor->output_type())->New());
    std::string text;
    if (!response->ParseFromString(FromBuffer(buffer))) return Fail({grpc::StatusCode::INTERNAL, "unreadable answer"});
    if (pb::util::MessageToJsonString(*response, &text, options).ok()) std::cout << text << std::endl;
  }
  grpc::Status status;
  stream->Finish(&status, nullptr);
  step();
  return status.ok() ? 0 : Fail(status);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words;
  std::string json = "{}";
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "-plaintext") continue;
    if (word == "-d" && i + 1 < argc) {
      json = argv[++i];
    } else {
      words.push_back(word);
    }
  }
  if (words.size() < 2) {
    std::cerr << "usage: reflect -plaintext [-d JSON] ADDRESS list [SERVICE] | describe SYMBOL | SERVICE/METHOD\n";
    return 2;
  }
  const auto channel = grpc::CreateChannel(words[0], grpc::InsecureChannelCredentials());
  Reflection reflection(channel);
  const std::string rest = words.size() > 2 ? words[2] : "";
  if (words[1] == "list") return List(&reflection, rest);
  if (words[1] == "describe") return Describe(&reflection, rest);
  return Call(channel, &reflection, words[1], json);
}
