#include "tests/support/execution/recording_listener.h"

#include <stdlib.h>

#include <filesystem>

#include "absl/time/clock.h"
#include "common/base/check.h"

namespace muster::execution {

void RecordingListener::OnStarted(AttemptKey key, absl::Time time) {
  absl::MutexLock lock(&mutex_);
  started_[key] = time;
}

void RecordingListener::OnWorkEnded(AttemptKey key, absl::Time time) {
  absl::MutexLock lock(&mutex_);
  MUSTER_CHECK(started_.contains(key) && reports_.count(key) == 0);
  MUSTER_CHECK(work_ended_.emplace(key, time).second);  // once
}

void RecordingListener::OnOutput(AttemptKey key, plugin::Stream stream, int64_t offset, std::string bytes,
                                 int64_t skipped) {
  absl::MutexLock lock(&mutex_);
  Output& output = outputs_[{key, stream}];
  output.bytes += bytes;
  output.next = offset + static_cast<int64_t>(bytes.size());
  output.skipped += skipped;
  ++output.chunks;
}

void RecordingListener::OnEnded(AttemptReportPtr report) {
  absl::MutexLock lock(&mutex_);
  MUSTER_CHECK(reports_.emplace(report->key, report).second);  // once
}

void RecordingListener::OnLog(AttemptKey, absl::Time, plugin::Severity, std::string message,
                              std::vector<std::pair<std::string, std::string>>) {
  absl::MutexLock lock(&mutex_);
  logs_.push_back(std::move(message));
}

void RecordingListener::OnOfferChanged() {
  absl::MutexLock lock(&mutex_);
  ++offer_changes_;
}

bool RecordingListener::Started(AttemptKey key) const {
  absl::MutexLock lock(&mutex_);
  return started_.count(key) != 0;
}

bool RecordingListener::WorkEnded(AttemptKey key) const {
  absl::MutexLock lock(&mutex_);
  return work_ended_.contains(key);
}

RecordingListener::Output RecordingListener::OutputOf(AttemptKey key, plugin::Stream stream) const {
  absl::MutexLock lock(&mutex_);
  const auto found = outputs_.find({key, stream});
  return found == outputs_.end() ? Output() : found->second;
}

AttemptReportPtr RecordingListener::Report(AttemptKey key) const {
  absl::MutexLock lock(&mutex_);
  const auto found = reports_.find(key);
  return found == reports_.end() ? nullptr : found->second;
}

size_t RecordingListener::ended() const {
  absl::MutexLock lock(&mutex_);
  return reports_.size();
}

int RecordingListener::offer_changes() const {
  absl::MutexLock lock(&mutex_);
  return offer_changes_;
}

std::vector<std::string> RecordingListener::logs() const {
  absl::MutexLock lock(&mutex_);
  return logs_;
}

bool Eventually(const std::function<bool()>& condition, absl::Duration limit) {
  const absl::Time deadline = absl::Now() + limit;
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return true;
}

TemporaryDirectory::TemporaryDirectory() {
  std::string path = std::filesystem::temp_directory_path().string() + "/muster-test-XXXXXX";
  MUSTER_CHECK(mkdtemp(path.data()) != nullptr);
  path_ = path;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

HostFixture::HostFixture(const std::function<void(HostConfig*)>& adjust) {
  config_.worker_name = "w1";
  config_.work_dir = directory_.path() + "/work";
  config_.slots = 4;
  config_.kill_grace = absl::Milliseconds(300);
  config_.health_interval = absl::Milliseconds(20);
  if (adjust) adjust(&config_);
  absl::StatusOr<std::unique_ptr<ExecutionHost>> host = ExecutionHost::Create(config_, &listener_);
  if (!host.ok()) fprintf(stderr, "%s\n", host.status().ToString().c_str());
  MUSTER_CHECK(host.ok());
  host_ = *std::move(host);
}

AttemptRequest HostFixture::Command(std::vector<std::string> argv) {
  AttemptRequest request;
  request.key = {TaskId(next_task_++), AttemptNumber(1)};
  request.request.task_id = std::to_string(request.key.task.value());
  request.request.attempt = 1;
  request.request.executor = "command";
  request.request.command.argv = std::move(argv);
  return request;
}

AttemptRequest HostFixture::Noop(std::string parameters) {
  AttemptRequest request = Command({});
  request.request.executor = "noop";
  request.request.parameters_json = std::move(parameters);
  return request;
}

AttemptKey HostFixture::Start(AttemptRequest request) {
  const AttemptKey key = request.key;
  host_->Start(std::move(request));
  return key;
}

bool HostFixture::AwaitWorkEnded(AttemptKey key) {
  return Eventually([&] { return listener_.WorkEnded(key); });
}

AttemptReportPtr HostFixture::WaitFor(AttemptKey key, absl::Duration limit) {
  Eventually([&] { return listener_.Report(key) != nullptr; }, limit);
  AttemptReportPtr report = listener_.Report(key);
  if (report == nullptr) report = std::make_shared<AttemptReport>();  // reason kNone: it did not end
  return report;
}

}  // namespace muster::execution
