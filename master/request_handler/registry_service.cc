#include "master/request_handler/registry_service.h"

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "common/convert/convert.h"
#include "common/rpc/gate.h"
#include "common/rpc/status.h"
#include "master/request_handler/context.h"
#include "master/request_handler/limits.h"
#include "master/request_handler/names.h"

namespace muster::handler {
namespace {

constexpr size_t kLongestAddress = 261;  // a DNS name and a port
constexpr size_t kLongestText = 1024;
constexpr int kMostListed = 256;  // labels, executors, capabilities, resources
constexpr uint32_t kMostSlots = 65536;
constexpr size_t kLongestSchema = 64 * 1024;
constexpr double kMostCores = 1e6;
constexpr int64_t kMostAmount = int64_t{1} << 60;  // sums of a few stay numbers

// host:port of a dialable target; schemes that name another resolver are not a worker's to choose.
bool IsHostAndPort(const std::string& address) {
  const size_t colon = address.rfind(':');
  uint32_t port = 0;
  if (address.size() > kLongestAddress || colon == std::string::npos || colon == 0) return false;
  if (!absl::SimpleAtoi(address.substr(colon + 1), &port) || port == 0 || port > 65535) return false;
  const std::string host = address.substr(0, colon);
  if (host.front() == '[') return host.size() > 2 && host.back() == ']' && host.find('/') == std::string::npos;
  return IsName(host, kLongestAddress);
}

void CheckText(const char* field, const std::string& text, size_t longest, std::vector<FieldViolation>* violations) {
  if (text.size() > longest) {
    violations->push_back({field, absl::StrCat("is longer than ", longest, " bytes")});
  }
}

void CheckTexts(const char* field, const google::protobuf::RepeatedPtrField<std::string>& texts,
                std::vector<FieldViolation>* violations) {
  for (const std::string& text : texts) CheckText(field, text, kLongestText, violations);
}

void CheckCount(const char* field, int count, std::vector<FieldViolation>* violations) {
  if (count > kMostListed) violations->push_back({field, absl::StrCat("has more than ", kMostListed, " entries")});
}

bool IsAmount(int64_t amount) { return amount >= 0 && amount <= kMostAmount; }

void CheckOffer(const v1::WorkerOffer& offer, std::vector<FieldViolation>* violations) {
  CheckCount("offer.labels", offer.labels_size(), violations);
  CheckCount("offer.executors", offer.executors_size(), violations);
  CheckCount("offer.capabilities", offer.capabilities_size(), violations);
  CheckCount("offer.resources", offer.resources_size(), violations);
  if (offer.slots() > kMostSlots) violations->push_back({"offer.slots", absl::StrCat("is more than ", kMostSlots)});
  if (!(offer.cpu() >= 0 && offer.cpu() <= kMostCores)) {
    violations->push_back({"offer.cpu", "is no number of cores"});
  }
  if (!IsAmount(offer.memory_bytes())) violations->push_back({"offer.memory_bytes", "is no number of bytes"});
  if (!IsAmount(offer.disk_bytes())) violations->push_back({"offer.disk_bytes", "is no number of bytes"});
  std::set<std::string_view> names;
  for (const v1::Resource& resource : offer.resources()) {
    if (!IsAmount(resource.amount())) violations->push_back({"offer.resources", "has an impossible amount"});
    if (!names.insert(resource.name()).second) violations->push_back({"offer.resources", "names a resource twice"});
  }
  for (const v1::Label& label : offer.labels()) {
    CheckText("offer.labels", label.key(), kLongestText, violations);
    CheckText("offer.labels", label.value(), kLongestText, violations);
  }
  CheckTexts("offer.capabilities", offer.capabilities(), violations);
  for (const v1::ExecutorOffer& executor : offer.executors()) {
    if (!IsName(executor.name(), kLongestName)) violations->push_back({"offer.executors.name", "is no name"});
    CheckCount("offer.executors.capabilities", executor.capabilities_size(), violations);
    CheckTexts("offer.executors.capabilities", executor.capabilities(), violations);
    CheckText("offer.executors.version", executor.version(), kLongestText, violations);
    CheckText("offer.executors.reason", executor.reason(), kLongestText, violations);
    CheckText("offer.executors.parameter_schema", executor.parameter_schema(), kLongestSchema, violations);
  }
}

void CheckLoad(const v1::WorkerLoad& load, std::vector<FieldViolation>* violations) {
  CheckText("load.refuses_because", load.refuses_because(), kLongestText, violations);
  CheckText("load.kill_tier", load.kill_tier(), kLongestText, violations);
  CheckText("load.isolation", load.isolation(), kLongestText, violations);
}

void CheckIdentity(const std::string& name, uint64_t incarnation, std::vector<FieldViolation>* violations) {
  if (!IsName(name, kLongestName)) {
    violations->push_back({"name", "must be 1 to 128 letters, digits, '.', '_' or '-'"});
  }
  if (incarnation == 0) violations->push_back({"incarnation", "must not be 0"});
}

// Of a worker with a certificate, which names it.
absl::Status CheckNameIsItsOwn(const grpc::CallbackServerContext& context, const std::string& name) {
  const security::Identity caller = rpc::CallerOf(context);
  if (caller.is_local() || caller.name == name) return absl::OkStatus();
  return Refuse(absl::StatusCode::kPermissionDenied, "NOT_ITS_NAME",
                absl::StrCat("a worker joins under the name in its certificate, which is ", caller.name));
}

absl::Status Verdict(const std::vector<FieldViolation>& violations) {
  return violations.empty() ? absl::OkStatus() : RefuseFields("BAD_WORKER", violations);
}

}  // namespace

absl::Status CheckJoin(const v1::JoinRequest& request) {
  std::vector<FieldViolation> violations;
  CheckIdentity(request.name(), request.incarnation(), &violations);
  if (!IsHostAndPort(request.address())) {
    violations.push_back({"address", "must be the host:port where the master reaches this worker"});
  }
  CheckText("version", request.version(), kLongestText, &violations);
  CheckOffer(request.offer(), &violations);
  CheckLoad(request.load(), &violations);
  return Verdict(violations);
}

absl::Status CheckHeartbeat(const v1::HeartbeatRequest& request) {
  std::vector<FieldViolation> violations;
  CheckIdentity(request.name(), request.incarnation(), &violations);
  CheckLoad(request.load(), &violations);
  if (request.has_offer()) CheckOffer(request.offer(), &violations);
  return Verdict(violations);
}

grpc::ServerUnaryReactor* RegistryService::Join(grpc::CallbackServerContext* context, const v1::JoinRequest* request,
                                                v1::JoinResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  absl::Status entered = CheckJoin(*request);
  if (entered.ok()) entered = CheckNameIsItsOwn(*context, request->name());
  if (entered.ok()) entered = Enter(request->name());
  if (!entered.ok()) {
    Answer(context, reactor, entered);
    return reactor;
  }
  core::WorkerJoin join{.name = request->name(),
                        .incarnation = Incarnation(request->incarnation()),
                        .address = request->address(),
                        .version = request->version(),
                        .offer = convert::FromProto(request->offer()),
                        .load = convert::FromProto(request->load()),
                        .draining = request->draining()};
  join.call = deps_.calls->Expect<core::JoinAnswer>(
      [this, context, reactor, response, name = request->name()](const absl::StatusOr<core::JoinAnswer>& answer) {
        Leave(name);
        if (answer.ok()) {
          response->set_cluster_id(deps_.cluster_id);
          response->set_epoch(deps_.epoch.value());
          convert::ToProto(deps_.heartbeat, response->mutable_heartbeat_interval());
          convert::ToProto(deps_.self_fence, response->mutable_self_fence());
          convert::ToProto(deps_.kill_grace, response->mutable_kill_grace());
          response->set_first_valid_session(answer->first_valid_session.value());
        }
        Answer(context, reactor, answer.status());
      });
  deps_.events->PostAlways(std::move(join));
  return reactor;
}

grpc::ServerUnaryReactor* RegistryService::Heartbeat(grpc::CallbackServerContext* context,
                                                     const v1::HeartbeatRequest* request,
                                                     v1::HeartbeatResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  absl::Status entered = CheckHeartbeat(*request);
  if (entered.ok()) entered = CheckNameIsItsOwn(*context, request->name());
  if (entered.ok()) entered = Enter(request->name());
  if (!entered.ok()) {
    Answer(context, reactor, entered);
    return reactor;
  }
  core::WorkerHeartbeat heartbeat{.name = request->name(),
                                  .incarnation = Incarnation(request->incarnation()),
                                  .load = convert::FromProto(request->load()),
                                  .draining = request->draining()};
  if (request->has_offer()) heartbeat.offer = convert::FromProto(request->offer());
  heartbeat.call = deps_.calls->Expect<core::HeartbeatAnswer>(
      [this, context, reactor, response, name = request->name()](const absl::StatusOr<core::HeartbeatAnswer>& answer) {
        Leave(name);
        if (answer.ok()) {
          response->set_join_again(answer->join_again);
          response->set_epoch(deps_.epoch.value());
          convert::ToProto(answer->lease, response->mutable_lease());
          response->set_first_valid_session(answer->first_valid_session.value());
        }
        Answer(context, reactor, answer.status());
      });
  deps_.events->PostAlways(std::move(heartbeat));
  return reactor;
}

void RegistryService::Answer(grpc::CallbackServerContext* context, grpc::ServerUnaryReactor* reactor,
                             const absl::Status& status) {
  if (deps_.refusals != nullptr && !ReasonOf(status).empty()) deps_.refusals->Count(status, CallerName(*context));
  reactor->Finish(rpc::ToGrpc(status));
}

absl::Status RegistryService::Enter(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  if (waiting_.size() >= deps_.most_waiting) return deps_.events->Refusal();
  if (waiting_.insert(name).second) return absl::OkStatus();
  return Refuse(absl::StatusCode::kUnavailable, "STILL_WAITING", "this worker's call before is still being answered");
}

void RegistryService::Leave(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  waiting_.erase(name);
}

}  // namespace muster::handler
