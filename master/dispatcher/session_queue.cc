#include "master/dispatcher/session_queue.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/id_text.h"
#include "common/convert/convert.h"
#include "muster/v1/worker_service.pb.h"

namespace muster::dispatcher {
namespace {

constexpr int64_t kOrderBytes = 48;
constexpr int64_t kAssignmentBytes = 96;
constexpr size_t kVariableBytes = 16;  // of a message around it, at most

const std::vector<std::string>* RowOf(const core::Assign& assign) {
  if (assign.rows == nullptr || assign.row_index >= assign.rows->size()) return nullptr;
  return &(*assign.rows)[assign.row_index];
}

int64_t RowBytes(const core::Assign& assign) {
  int64_t bytes = 0;
  if (const auto* row = RowOf(assign)) {
    for (const std::string& value : *row) bytes += static_cast<int64_t>(value.size()) + 8;
  }
  return bytes;
}

int64_t VariableBytes(const core::Assign& assign) {
  return static_cast<int64_t>(BytesOf(assign.variables) + kVariableBytes * assign.variables.size());
}

// Builds one message and knows how full it is.
class MessageBuilder {
 public:
  MessageBuilder(const MessageBounds& bounds, v1::SessionRequest* message) : bounds_(bounds), message_(message) {}

  enum class Taken { kYes, kNextMessage, kNever };

  Taken Take(const SessionQueue::Order& order) {
    if (orders_ > 0 && (orders_ >= bounds_.orders || bytes_ >= bounds_.full_bytes)) return Taken::kNextMessage;
    const Taken taken = std::visit([this](const auto& o) { return Put(o); }, order);
    if (taken == Taken::kYes) ++orders_;
    return taken;
  }

  bool any() const { return orders_ > 0; }

 private:
  Taken Put(const core::Assign& assign) {
    if (message_->assignments_size() >= bounds_.assignments) return Taken::kNextMessage;
    const auto known = specs_.find(assign.spec.get());
    const int64_t spec_bytes = known == specs_.end() ? static_cast<int64_t>(assign.spec->payload_for_workers().size()) + 8 : 0;
    const int64_t bytes = kAssignmentBytes + spec_bytes + RowBytes(assign) + VariableBytes(assign);
    if (bytes_ + bytes > bounds_.most_bytes) return orders_ > 0 ? Taken::kNextMessage : Taken::kNever;
    if (orders_ > 0 && bytes_ + bytes > 4 * bounds_.full_bytes) return Taken::kNextMessage;
    v1::Assignment* out = message_->add_assignments();
    convert::ToProto(assign.key, out->mutable_key());
    out->set_spec(SpecIndex(assign.spec));
    if (const auto* row = RowOf(assign)) {
      for (const std::string& value : *row) out->add_arguments(value);
    }
    if (assign.batch) {
      out->set_batch_id(IdToText(assign.batch.value()));
      out->set_batch_index(static_cast<int64_t>(assign.batch_index));
    }
    if (assign.run_timeout != absl::InfiniteDuration()) {
      convert::ToProto(assign.run_timeout, out->mutable_run_timeout());
      convert::ToProto(absl::Now() + assign.run_timeout, out->mutable_deadline());
    }
    out->set_prefetched(assign.prefetched);
    convert::ToProto(assign.variables, out->mutable_variables());
    if (assign.workflow) out->set_workflow_id(IdToText(assign.workflow.value()));
    bytes_ += bytes;
    return Taken::kYes;
  }

  Taken Put(const core::Stop& stop) {
    v1::StopAttempt* out = message_->add_stops();
    convert::ToProto(stop.key, out->mutable_key());
    out->set_reason(static_cast<v1::EndReason>(stop.reason));
    if (stop.kill_grace != absl::InfiniteDuration()) convert::ToProto(stop.kill_grace, out->mutable_kill_grace());
    return Small();
  }

  Taken Put(const core::Recall& recall) {
    convert::ToProto(recall.key, message_->add_recalls());
    return Small();
  }

  Taken Put(const core::Acknowledge& acknowledge) {
    convert::ToProto(acknowledge.key, message_->add_acknowledge());
    return Small();
  }

  // The newest order holds: a worker that reads both from one message could not know which came last.
  Taken Put(const core::SendDrain& drain) {
    message_->clear_drain();
    message_->set_resume(drain.resume);
    if (!drain.resume) {
      v1::DrainOrder* out = message_->mutable_drain();
      if (drain.deadline != absl::InfiniteDuration()) convert::ToProto(drain.deadline, out->mutable_deadline());
    }
    return Small();
  }

  Taken Put(const OutputOrder& order) {
    v1::OutputControl* out = message_->add_output();
    convert::ToProto(order.key, out->mutable_key());
    out->set_stream(static_cast<v1::OutputStream>(order.stream));
    out->set_action(static_cast<v1::OutputControl::Action>(order.action));
    out->set_offset(order.offset);
    out->set_lossless(order.lossless);
    return Small();
  }

  Taken Small() {
    bytes_ += kOrderBytes;
    return Taken::kYes;
  }

  uint32_t SpecIndex(const TaskSpecPtr& spec) {
    const auto [at, is_new] = specs_.try_emplace(spec.get(), static_cast<uint32_t>(message_->specs_size()));
    if (is_new) {
      const std::string_view payload = spec->payload_for_workers();
      message_->add_specs(payload.data(), payload.size());
    }
    return at->second;
  }

  const MessageBounds& bounds_;
  v1::SessionRequest* const message_;
  absl::flat_hash_map<const TaskSpec*, uint32_t> specs_;
  int orders_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace

void SessionQueue::Add(Order order) {
  absl::MutexLock lock(&mutex_);
  if (auto* output = std::get_if<OutputOrder>(&order)) {
    AddOutput(*output);
  } else {
    orders_.push_back(std::move(order));
  }
}

void SessionQueue::AddOutput(OutputOrder order) {
  const StreamKey stream(order.key, order.stream);
  const auto waiting = acknowledgements_.find(stream);
  if (order.action != OutputOrder::Action::kAcknowledge) {
    if (waiting != acknowledgements_.end()) acknowledgements_.erase(waiting);
  } else if (waiting != acknowledgements_.end()) {
    auto& first = std::get<OutputOrder>(orders_[waiting->second - first_number_]);
    first.offset = std::max(first.offset, order.offset);
    return;
  } else {
    acknowledgements_.emplace(stream, first_number_ + orders_.size());
  }
  orders_.push_back(order);
}

bool SessionQueue::Fill(v1::SessionRequest* message) {
  std::vector<core::Assign> too_large;
  MessageBuilder builder(bounds_, message);
  {
    absl::MutexLock lock(&mutex_);
    for (; !orders_.empty(); orders_.pop_front(), ++first_number_) {
      Order& order = orders_.front();
      const auto taken = builder.Take(order);
      if (taken == MessageBuilder::Taken::kNextMessage) break;
      if (taken == MessageBuilder::Taken::kNever) {
        too_large.push_back(std::move(std::get<core::Assign>(order)));
      } else if (const auto* output = std::get_if<OutputOrder>(&order);
                 output != nullptr && output->action == OutputOrder::Action::kAcknowledge) {
        const auto waiting = acknowledgements_.find(StreamKey(output->key, output->stream));
        if (waiting != acknowledgements_.end() && waiting->second == first_number_) acknowledgements_.erase(waiting);
      }
    }
  }
  for (const core::Assign& assign : too_large) too_large_(assign);
  return builder.any();
}

size_t SessionQueue::size() const {
  absl::MutexLock lock(&mutex_);
  return orders_.size();
}

}  // namespace muster::dispatcher
