#include "master/request_handler/validate.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/convert/convert.h"
#include "common/domain/exit_codes.h"
#include "common/policy/policy.h"
#include "master/request_handler/limits.h"
#include "master/request_handler/names.h"
#include "master/request_handler/selector.h"
#include "master/request_handler/spec_at_hand.h"

namespace muster::handler {
namespace {

constexpr char kPolicyDenied[] = "POLICY_DENIED";
constexpr size_t kMostViolations = 32;
constexpr size_t kLongestLabel = 256;
constexpr size_t kLongestRequestId = 128;
constexpr int32_t kMostPriority = 100;
constexpr uint32_t kMostLimit = 1'000'000;
constexpr uint32_t kMostWorkerLosses = 1000;
constexpr double kMostCores = 1e6;
constexpr int64_t kMostAmount = int64_t{1} << 60;

// One specification's checks, each named after the part that it looks at.
class SpecCheck {
 public:
  SpecCheck(const SpecAtHand& at, PatternCheck* patterns)
      : at_(at), spec_(at.spec), limits_(at.limits), patterns_(*patterns) {}

  void Run() {
    Names();
    CheckWhatItRuns(at_);
    Requirements();
    Retry();
    Validation();
    Times();
    Limit();
    Labels();
    Dependencies();
  }

 private:
  template <typename... Description>
  void Add(std::string_view reason, std::string_view field, const Description&... description) {
    at_.Add(reason, field, description...);
  }

  void Names() {
    if (!spec_.name().empty() && !IsName(spec_.name(), kLongestName)) {
      Add("BAD_NAME", "name", "must be at most ", kLongestName, " characters of [A-Za-z0-9._-]");
    }
    if (!spec_.queue().empty() && !IsName(spec_.queue(), kLongestName)) {
      Add("BAD_NAME", "queue", "must be at most ", kLongestName, " characters of [A-Za-z0-9._-]");
    }
    if (!spec_.owner().empty() && !IsOwner(spec_.owner())) {
      Add("BAD_OWNER", "owner", "must be at most 256 printable characters without spaces, as in user@host");
    }
    if (spec_.priority() < -kMostPriority || spec_.priority() > kMostPriority) {
      Add("BAD_PRIORITY", "priority", "is ", spec_.priority(), "; must be from -100 to 100, higher starts sooner");
    }
    if (!v1::OnWorkerLoss_IsValid(spec_.on_worker_loss())) {
      Add("BAD_VALUE", "on_worker_loss", "is ", static_cast<int>(spec_.on_worker_loss()), ", which this master does not know");
    }
  }

  void LabelList(std::string_view field, const google::protobuf::RepeatedPtrField<std::string>& list) {
    if (static_cast<size_t>(list.size()) > limits_.needs) Add("BAD_NEED", field, "has more than ", limits_.needs, " entries");
    for (int i = 0; i < list.size(); ++i) {
      if (IsNeed(list[i])) continue;
      Add("BAD_NEED", absl::StrCat(absl::string_view(field.data(), field.size()), "[", i, "]"),
          "must be NAME or NAME=VALUE, the name of [A-Za-z0-9._/-]");
    }
  }

  // A worker that has "zone=b" has "zone", too.
  void NothingBothNeededAndAvoided() {
    const auto& avoids = spec_.requirements().avoids();
    const std::set<std::string_view> avoided(avoids.begin(), avoids.end());
    for (int i = 0; i < spec_.requirements().needs_size(); ++i) {
      const std::string_view need = spec_.requirements().needs(i);
      if (!avoided.contains(need) && !avoided.contains(need.substr(0, need.find('=')))) continue;
      Add("BAD_NEED", absl::StrCat("requirements.needs[", i, "]"),
          "is also avoided, so that no worker could take it; leave it out of one of the two");
    }
  }

  void Requirements() {
    const v1::Requirements& requirements = spec_.requirements();
    LabelList("requirements.needs", requirements.needs());
    LabelList("requirements.avoids", requirements.avoids());
    NothingBothNeededAndAvoided();
    if (!v1::Arrangement_IsValid(requirements.arrangement())) {
      Add("BAD_VALUE", "requirements.arrangement", "is ", static_cast<int>(requirements.arrangement()),
          ", which this master does not know");
    }
    if (requirements.slots() > limits_.max_slots) {
      Add("BAD_RESOURCES", "requirements.slots", "is ", requirements.slots(), "; at most ", limits_.max_slots);
    }
    if (!std::isfinite(requirements.cpu()) || requirements.cpu() < 0 || requirements.cpu() > kMostCores) {
      Add("BAD_RESOURCES", "requirements.cpu", "must be a number of cores, 0 to ", kMostCores);
    }
    if (requirements.memory_bytes() < 0 || requirements.memory_bytes() > kMostAmount) {
      Add("BAD_RESOURCES", "requirements.memory_bytes", "must be 0 to ", kMostAmount);
    }
    if (requirements.disk_bytes() < 0 || requirements.disk_bytes() > kMostAmount) {
      Add("BAD_RESOURCES", "requirements.disk_bytes", "must be 0 to ", kMostAmount);
    }
    Resources();
  }

  void Resources() {
    const auto& resources = spec_.requirements().resources();
    if (static_cast<size_t>(resources.size()) > limits_.resources) {
      Add("BAD_RESOURCES", "requirements.resources", "has more than ", limits_.resources, " entries");
    }
    std::set<std::string_view> names;
    for (int i = 0; i < resources.size(); ++i) {
      const std::string field = absl::StrCat("requirements.resources[", i, "]");
      if (!names.insert(resources[i].name()).second) {
        Add("BAD_RESOURCES", field + ".name", "is named twice; ask for the sum once");
      }
      if (!IsName(resources[i].name(), kLongestName)) {
        Add("BAD_RESOURCES", field + ".name", "must be at most ", kLongestName, " characters of [A-Za-z0-9._-]");
      }
      if (resources[i].amount() < 0 || resources[i].amount() > kMostAmount) {
        Add("BAD_RESOURCES", field + ".amount", "must be 0 to ", kMostAmount);
      }
    }
  }

  void Retry() {
    const v1::RetryPolicy& retry = spec_.retry();
    if (retry.max_attempts() > limits_.max_attempts) {
      Add("BAD_ATTEMPTS", "retry.max_attempts", "is ", retry.max_attempts(), "; at most ", limits_.max_attempts);
    }
    if (retry.has_base_delay()) Duration("retry.base_delay", retry.base_delay(), true);
    if (retry.has_max_delay()) Duration("retry.max_delay", retry.max_delay(), true);
    ExitCodes("BAD_ATTEMPTS", "retry.on_exit_codes", retry.on_exit_codes());
    ExitCodes("BAD_ATTEMPTS", "retry.never_on_exit_codes", retry.never_on_exit_codes());
    const RetryPolicy policy = convert::FromProto(retry);
    if (const auto code = CodeInBoth(policy.on_exit_codes, policy.never_on_exit_codes)) {
      Add("BAD_ATTEMPTS", "retry.never_on_exit_codes", "has ", *code, ", and so has retry.on_exit_codes; decide for one");
    }
    if (spec_.max_worker_losses() > kMostWorkerLosses) {
      Add("BAD_ATTEMPTS", "max_worker_losses", "is ", spec_.max_worker_losses(), "; at most ", kMostWorkerLosses);
    }
  }

  void Validation() {
    const v1::Validation& validation = spec_.validation();
    ExitCodes("BAD_VALIDATION", "validation.accepted_exit_codes", validation.accepted_exit_codes());
    if (!validation.output_pattern().empty()) {
      const std::string& why = patterns_.WhyWrong(validation.output_pattern());
      if (!why.empty()) Add("BAD_VALIDATION", "validation.output_pattern", why);
    }
    if (HasNul(validation.command())) Add("NUL_BYTE", "validation.command", "has a NUL byte");
    if (validation.command().size() > limits_.argument_bytes) {
      Add("ARGUMENT_TOO_LONG", "validation.command", "has more than ", limits_.argument_bytes, " bytes");
    }
    if (!validation.has_timeout()) return;
    Duration("validation.timeout", validation.timeout(), false, "60 s");
    if (validation.command().empty()) Add("BAD_VALIDATION", "validation.timeout", "is of the command, and there is none");
  }

  void ExitCodes(std::string_view reason, std::string_view field, const google::protobuf::RepeatedField<int32_t>& codes) {
    const absl::string_view name(field.data(), field.size());
    if (codes.size() > kMostExitCodes) Add(reason, field, "has more than ", kMostExitCodes, " codes");
    for (int i = 0; i < std::min(codes.size(), kMostExitCodes); ++i) {
      if (codes[i] >= 0 && codes[i] <= kMostExitCode) continue;
      Add(reason, absl::StrCat(name, "[", i, "]"), "must be from 0 to ", kMostExitCode);
    }
  }

  void Times() {
    if (spec_.has_run_timeout()) Duration("run_timeout", spec_.run_timeout(), false);
    if (spec_.has_queue_timeout()) Duration("queue_timeout", spec_.queue_timeout(), false);
    if (spec_.has_kill_grace()) Duration("kill_grace", spec_.kill_grace(), true);
    if (spec_.has_start_time()) {
      constexpr int64_t kYear10000 = 253402300800;
      const auto& time = spec_.start_time();
      if (time.seconds() < 0 || time.seconds() >= kYear10000 || time.nanos() < 0 || time.nanos() > 999'999'999) {
        Add("BAD_TIME", "start_time", "must be a time from 1970 to 9999");
      }
    }
  }

  // `unset`: what there is when it is left out.
  void Duration(std::string_view field, const google::protobuf::Duration& duration, bool zero_is_fine,
                const char* unset = "no limit") {
    constexpr int32_t kMostNanos = 999'999'999;
    const bool mixed = (duration.seconds() < 0 && duration.nanos() > 0) || (duration.seconds() > 0 && duration.nanos() < 0);
    if (mixed || duration.nanos() > kMostNanos || duration.nanos() < -kMostNanos) {
      Add("BAD_DURATION", field, "is not a duration: nanos must be below a second and of the sign of seconds");
    } else if (duration.seconds() < 0 || duration.nanos() < 0) {
      Add("BAD_DURATION", field, "is negative");
    } else if (!zero_is_fine && duration.seconds() == 0 && duration.nanos() == 0) {
      Add("BAD_DURATION", field, "is zero; leave it out for ", unset);
    } else if (absl::Seconds(duration.seconds()) > limits_.longest_timeout) {
      Add("BAD_DURATION", field, "is longer than ", absl::FormatDuration(limits_.longest_timeout));
    }
  }

  void Limit() {
    if (spec_.limit() > kMostLimit) Add("BAD_LIMIT", "limit", "is ", spec_.limit(), "; at most ", kMostLimit);
    if (spec_.limit() > 0 && spec_.limit_key().empty()) Add("BAD_LIMIT", "limit_key", "is missing; name what the limit is of, as in user=ann");
    if (spec_.limit_key().empty()) return;
    if (!IsOwner(spec_.limit_key())) Add("BAD_LIMIT", "limit_key", "must be at most 256 printable characters without spaces, as in user=ann");
    if (spec_.limit() == 0) Add("BAD_LIMIT", "limit", "is missing; say how many with this key may run at once");
  }

  void Dependencies() {
    const auto& dependencies = spec_.dependencies();
    if (static_cast<size_t>(dependencies.size()) > limits_.dependencies) {
      return Add("BAD_DEPENDENCY", "dependencies", "has ", dependencies.size(), " entries; at most ", limits_.dependencies,
                 " (name a batch as one)");
    }
    for (int i = 0; i < dependencies.size(); ++i) {
      const std::string field = absl::StrCat("dependencies[", i, "]");
      if (const auto selector = ParseSelector(dependencies[i].task()); !selector.ok()) {
        Add("BAD_DEPENDENCY", field + ".task", "must be an id, BATCH, BATCH/NUMBER or a name of [A-Za-z0-9._-]");
      }
      if (v1::DependencyCondition_IsValid(dependencies[i].condition())) continue;
      Add("BAD_VALUE", field + ".condition", "is ", static_cast<int>(dependencies[i].condition()),
          ", which this master does not know");
    }
  }

  void Labels() {
    if (static_cast<size_t>(spec_.labels_size()) > limits_.labels) {
      Add("BAD_LABEL", "labels", "has more than ", limits_.labels, " entries");
    }
    for (int i = 0; i < spec_.labels_size(); ++i) {
      const std::string field = absl::StrCat("labels[", i, "]");
      if (!IsLabelKey(spec_.labels(i).key())) {
        Add("BAD_LABEL", field + ".key", "must be at most ", kLongestName, " characters of [A-Za-z0-9._/-]");
      }
      if (spec_.labels(i).value().size() > kLongestLabel || HasNul(spec_.labels(i).value())) {
        Add("BAD_LABEL", field + ".value", "must be at most ", kLongestLabel, " bytes without NUL");
      }
    }
  }

  const SpecAtHand& at_;
  const v1::TaskSpec& spec_;
  const TaskLimits& limits_;
  PatternCheck& patterns_;
};

Digest DeterministicDigest(const google::protobuf::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return Sha256::Of(bytes);
}

}  // namespace

void Violations::Add(std::string_view reason, std::string field, std::string description) {
  if (violations_.empty()) reason_ = std::string(reason);
  if (violations_.size() < kMostViolations) violations_.push_back({std::move(field), std::move(description)});
}

absl::Status Violations::ToStatus() const {
  if (violations_.empty()) return absl::OkStatus();
  if (reason_ != kPolicyDenied) return RefuseFields(reason_, violations_);
  return Refuse(absl::StatusCode::kPermissionDenied, reason_, absl::StrCat(violations_[0].field, ": ", violations_[0].description));
}

void CheckSpec(const v1::TaskSpec& spec, const std::string& path, const TaskLimits& limits, PatternCheck* patterns,
               Violations* violations, const std::string& owner) {
  const bool was_right = violations->empty();
  SpecCheck({spec, path, limits, violations}, patterns).Run();
  if (was_right && violations->empty()) CheckPolicy(spec, path, limits, violations, owner);
}

void CheckPolicy(const v1::TaskSpec& spec, const std::string& path, const TaskLimits& limits, Violations* violations,
                 const std::string& owner) {
  if (limits.policy == nullptr) return;
  if (!owner.empty() && owner != spec.owner()) {
    v1::TaskSpec owned = spec;
    owned.set_owner(owner);
    return CheckPolicy(owned, path, limits, violations);
  }
  const policy::Verdict verdict = limits.policy->Judge(spec);
  if (!verdict.allowed) violations->Add(kPolicyDenied, path, verdict.reason);
}

void CheckRequestId(std::string_view request_id, Violations* violations) {
  if (request_id.size() > kLongestRequestId || HasNul(request_id)) {
    violations->Add("BAD_REQUEST_ID", "request_id", absl::StrCat("must be at most ", kLongestRequestId, " bytes without NUL"));
  }
}

TaskSpecPtr AcceptSpec(v1::TaskSpec* spec) {
  if (spec->owner().empty()) spec->set_owner("unknown");
  return convert::MakeTaskSpec(*spec, spec->SerializeAsString());
}

Digest DigestOf(v1::SubmitRequest request) {
  request.clear_request_id();
  return DeterministicDigest(request);
}

Digest DigestOf(v1::SubmitBatchRequest request) {
  request.clear_request_id();
  return DeterministicDigest(request);
}

Digest DigestOf(v1::RetryRequest request) {
  request.clear_request_id();
  return DeterministicDigest(request);
}

Digest DigestOf(v1::RunWorkflowRequest request) {
  request.clear_request_id();
  return DeterministicDigest(request);
}

Digest DigestOf(v1::RetryWorkflowRequest request) {
  request.clear_request_id();
  return DeterministicDigest(request);
}

}  // namespace muster::handler
