// An executor plugin that says anything: in its entry, when it is created, and of its capabilities and health.
//
// Claims: it is refused in one line or loaded; and whatever a loaded one says, the worker can tell the master, who does
// not refuse the worker for it.
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/convert/convert.h"
#include "master/request_handler/registry_service.h"
#include "muster/v1/registry_service.pb.h"
#include "tests/fuzz/fuzz.h"
#include "worker/execution/executor_table.h"

namespace muster::fuzz {
namespace {

// What the plugin is made of; each text ends at its first NUL, as C has it.
struct Shape {
  enum class Birth : uint8_t { kLives, kNothing, kThrows, kThrowsANumber };

  bool has_entry = true, has_name = true, has_create = true, has_destroy = true, has_library = true;
  uint32_t abi_version = plugin::kAbiVersion;
  uint32_t request_size = sizeof(plugin::Request);
  std::string name, version, library = plugin::kLibraryTag;
  Birth birth = Birth::kLives;
  bool sick = false, throws = false;
  std::string words;        // an error, a reason, a note
  std::string schema;
  std::vector<std::string> capabilities;

  explicit Shape(Input& input) {
    const auto bits = input.Number<uint16_t>();
    has_entry = (bits & 1) == 0;
    has_name = (bits & 2) == 0;
    has_create = (bits & 4) == 0;
    has_destroy = (bits & 8) == 0;
    has_library = (bits & 16) == 0;
    if ((bits & 32) != 0) abi_version = input.Number<uint32_t>();
    if ((bits & 64) != 0) request_size = input.Number<uint32_t>();
    if ((bits & 128) != 0) library = input.Bytes();
    birth = static_cast<Birth>(bits >> 8 & 3);
    sick = (bits & 1024) != 0;
    throws = (bits & 2048) != 0;
    name = input.Bytes();
    version = input.Bytes();
    words = Long(input);
    schema = Long(input);
    for (uint32_t left = input.UpTo(300); left > 0 && !input.empty(); --left) capabilities.emplace_back(input.Bytes());
    if ((bits & 4096) != 0) capabilities.resize(capabilities.size() + 300, "again");
  }

 private:
  // Some text, perhaps many times over.
  static std::string Long(Input& input) {
    const std::string text(input.Bytes());
    std::string longer;
    for (uint32_t times = 1u << input.UpTo(10); times > 0; --times) longer += text;
    return longer;
  }
};

Shape* shape = nullptr;  // of the input at hand; the entry point has no arguments

class Shaped final : public plugin::Executor {
 public:
  std::unique_ptr<plugin::Execution> Execute(const plugin::Request&, plugin::Context*) override { return nullptr; }
  plugin::Capabilities GetCapabilities() override {
    if (shape->throws) throw 1;
    plugin::Capabilities capabilities;
    capabilities.names = shape->capabilities;
    capabilities.parameter_schema = shape->schema;
    capabilities.note = shape->words;
    return capabilities;
  }
  plugin::Health CheckHealth() override {
    if (shape->throws && shape->sick) throw std::runtime_error(shape->words);
    return {!shape->sick, shape->words};
  }
};

plugin::Executor* Create(const plugin::Options&, std::string* error) {
  switch (shape->birth) {
    case Shape::Birth::kLives: return new Shaped;
    case Shape::Birth::kNothing: *error = shape->words; return nullptr;
    case Shape::Birth::kThrows: throw std::runtime_error(shape->words);
    case Shape::Birth::kThrowsANumber: throw 7;
  }
  return nullptr;
}

void Destroy(plugin::Executor* executor) { delete executor; }

void CheckJoins(const std::vector<ExecutorOffer>& executors, const std::string& kill_tier) {
  v1::JoinRequest request;
  request.set_name("w1");
  request.set_incarnation(1);
  request.set_address("127.0.0.1:7071");
  convert::ToProto(WorkerOffer{.executors = executors}, request.mutable_offer());
  request.mutable_load()->set_kill_tier(kill_tier);
  v1::JoinRequest arrived;
  MUSTER_CLAIM(arrived.ParseFromString(request.SerializeAsString()), request.ShortDebugString());
  const absl::Status status = handler::CheckJoin(arrived);
  MUSTER_CLAIM(status.ok(), absl::StrCat(status.ToString(), "\n", request.ShortDebugString()));
}

}  // namespace
}  // namespace muster::fuzz

extern "C" const muster::plugin::PluginEntry* muster_fuzz_plugin_entry() {
  using muster::fuzz::shape;
  static muster::plugin::PluginEntry entry;
  entry = {shape->abi_version,
           shape->request_size,
           shape->has_name ? shape->name.c_str() : nullptr,
           shape->version.c_str(),
           shape->has_library ? shape->library.c_str() : nullptr,
           shape->has_create ? &muster::fuzz::Create : nullptr,
           shape->has_destroy ? &muster::fuzz::Destroy : nullptr};
  return shape->has_entry ? &entry : nullptr;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace muster;
  google::protobuf::SetLogHandler(nullptr);
  fuzz::Input input(data, size);
  fuzz::Shape shaped(input);
  fuzz::shape = &shaped;

  execution::HostConfig config;
  config.worker_name = "w1";
  config.executors = {{"command", MUSTER_SHAPED_PLUGIN, {}}, {"noop", MUSTER_SHAPED_PLUGIN, {}}, {"", MUSTER_SHAPED_PLUGIN, {}}};
  execution::ExecutorTable table;
  const absl::Status status = table.Load(config);
  if (!status.ok()) {
    MUSTER_CLAIM(fuzz::IsOneLine(std::string(status.message())), status.ToString());
    return 0;
  }
  fuzz::CheckJoins(table.Offers(), table.KillTier());
  table.Refresh();
  fuzz::CheckJoins(table.Offers(), table.KillTier());
  return 0;
}
