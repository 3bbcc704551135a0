#include "master/request_handler/queue_board.h"

#include <utility>
#include <variant>

#include "common/convert/convert.h"
#include "common/convert/overlay.h"
#include "master/request_handler/validate.h"

namespace muster::handler {
namespace {

bool HasDefaults(const QueueSettings& settings) {
  return settings.priority.has_value() || settings.retry.has_value() || settings.on_worker_loss.has_value() ||
         settings.run_timeout.has_value();
}

void FillRetry(const RetryPolicy& defaults, v1::RetryPolicy* retry) {
  v1::RetryPolicy filled;
  convert::ToProto(defaults, &filled);
  // Who says for which codes says it whole: a list of the queue's beside one of theirs would mean what nobody said.
  if (retry->on_exit_codes_size() + retry->never_on_exit_codes_size() > 0) {
    filled.clear_on_exit_codes();
    filled.clear_never_on_exit_codes();
  }
  convert::Overlay(*retry, &filled);
  retry->Swap(&filled);
}

}  // namespace

void FillDefaults(const QueueSettings& defaults, v1::TaskSpec* spec) {
  if (defaults.priority.has_value() && !spec->has_priority()) spec->set_priority(*defaults.priority);
  if (defaults.retry.has_value()) FillRetry(*defaults.retry, spec->mutable_retry());
  if (defaults.on_worker_loss.has_value() && spec->on_worker_loss() == v1::ON_WORKER_LOSS_UNSPECIFIED) {
    spec->set_on_worker_loss(convert::ToProto(*defaults.on_worker_loss));
  }
  if (defaults.run_timeout.has_value() && !spec->has_run_timeout()) {
    convert::ToProto(*defaults.run_timeout, spec->mutable_run_timeout());
  }
}

TaskSpecPtr AcceptWhole(const QueueBoard* board, v1::TaskSpec* spec) {
  return board == nullptr ? AcceptSpec(spec) : board->Accept(spec);
}

QueueBoard::QueueBoard(const std::map<std::string, QueueSettings>& settings) {
  absl::MutexLock lock(&mutex_);
  for (const auto& [queue, set] : settings) Note(queue, set);
}

TaskSpecPtr QueueBoard::Accept(v1::TaskSpec* spec) const {
  std::shared_ptr<const QueueSettings> defaults;
  {
    absl::ReaderMutexLock lock(&mutex_);
    const auto found = defaults_.find(spec->queue().empty() ? TaskSpec().queue : spec->queue());
    if (found != defaults_.end()) defaults = found->second;
  }
  if (defaults == nullptr) return AcceptSpec(spec);
  v1::TaskSpec whole = *spec;
  FillDefaults(*defaults, &whole);
  TaskSpecPtr accepted = AcceptSpec(&whole);
  spec->set_owner(accepted->owner);
  return accepted;
}

void QueueBoard::OnEffects(const std::vector<core::Effect>& effects, CommitNumber) {
  for (const core::Effect& effect : effects) {
    const auto* changed = std::get_if<core::QueueChanged>(&effect);
    if (changed == nullptr) continue;
    absl::MutexLock lock(&mutex_);
    Note(changed->name, changed->settings);
  }
}

void QueueBoard::Note(const std::string& queue, const QueueSettings& settings) {
  if (HasDefaults(settings)) {
    defaults_[queue] = std::make_shared<const QueueSettings>(settings);
  } else {
    defaults_.erase(queue);
  }
}

}  // namespace muster::handler
