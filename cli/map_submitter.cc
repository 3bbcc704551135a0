#include "cli/map_submitter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

constexpr size_t kBytesPerCall = 2 << 20;
constexpr int64_t kRowsPerCall = 20000;
// The first tasks should start while the rest is still read.
constexpr int64_t kRowsOfFirstCall = 500;
// What one reader can follow at a time, with room to spare.
constexpr int64_t kMostOpen = 500000;

}  // namespace

MapSubmitter::MapSubmitter(Options options, ArgumentRows* rows, Client* main_client)
    : options_(std::move(options)),
      rows_(rows),
      bell_(main_client->wakeup()),
      client_(main_client->Background()),
      calls_(client_.get(), {.waits_for_room = options_.waits_for_room, .stopped = [this] { return IsStopping(); }}) {
  thread_ = std::thread([this] { Run(); });
}

MapSubmitter::~MapSubmitter() {
  Stop();
  thread_.join();
}

MapSubmitter::Progress MapSubmitter::progress() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return progress_;
}

void MapSubmitter::SetEnded(int64_t ended) {
  std::lock_guard<std::mutex> lock(mutex_);
  ended_ = ended;
  changed_.notify_all();
}

std::vector<std::string> MapSubmitter::RowOf(int64_t index) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = rows_kept_.find(index);
  return found == rows_kept_.end() ? std::vector<std::string>() : found->second;
}

std::vector<std::string> MapSubmitter::TakeRow(int64_t index) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = rows_kept_.find(index);
  if (found == rows_kept_.end()) return {};
  std::vector<std::string> row = std::move(found->second);
  rows_kept_.erase(found);
  return row;
}

void MapSubmitter::Stop() {
  std::lock_guard<std::mutex> lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

bool MapSubmitter::IsStopping() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return stopping_;
}

void MapSubmitter::Run() {
  const absl::Status status = SubmitAll();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    progress_.finished = true;
    progress_.status = status;
  }
  bell_.Ring();
}

int64_t MapSubmitter::AwaitRoom() {
  std::unique_lock<std::mutex> lock(mutex_);
  const int64_t most_open = options_.most_open == 0 ? kMostOpen : std::min(options_.most_open, kMostOpen);
  const auto room = [&] { return options_.detached ? kRowsPerCall : most_open - (progress_.submitted - ended_); };
  changed_.wait(lock, [&] { return stopping_ || room() > 0; });
  if (stopping_) return 0;
  return std::min({room(), progress_.batch_id.empty() ? kRowsOfFirstCall : kRowsPerCall, int64_t{calls_.most_items()}});
}

absl::StatusOr<bool> MapSubmitter::Collect(v1::SubmitBatchRequest* request) {
  const int64_t room = AwaitRoom();
  if (room == 0) return false;
  size_t bytes = 0;
  std::vector<std::string> row;
  while (request->rows_size() < room && bytes < kBytesPerCall) {
    if (request->rows_size() > 0 && !rows_->HasMoreNow()) return true;
    MUSTER_ASSIGN_OR_RETURN(const bool found, rows_->Next(&row));
    if (!found) return false;
    if (options_.keep_rows) {
      std::lock_guard<std::mutex> lock(mutex_);
      rows_kept_[++collected_] = row;
    }
    v1::ArgumentRow* sent = request->add_rows();
    for (std::string& value : row) {
      bytes += value.size() + 4;
      sent->add_values(std::move(value));
    }
    bytes += 4;
  }
  return true;
}

absl::Status MapSubmitter::SubmitAll() {
  bool more = true;
  while (more) {
    v1::SubmitBatchRequest request;
    const absl::StatusOr<bool> collected = Collect(&request);
    more = collected.ok() && *collected;
    if (request.rows_size() > 0) {
      MUSTER_RETURN_IF_ERROR(calls_.Send(
          std::move(request), [this](v1::SubmitBatchRequest* call) { Prepare(call); },
          [this, &more](const v1::SubmitBatchRequest& call, const v1::SubmitBatchResponse& response) {
            const bool goes_on = NoteAccepted(call, response);
            more = more && goes_on;
            return goes_on;
          }));
    }
    MUSTER_RETURN_IF_ERROR(collected.status());
  }
  return absl::OkStatus();
}

void MapSubmitter::Prepare(v1::SubmitBatchRequest* request) {
  const std::string batch_id = progress().batch_id;
  if (batch_id.empty()) {
    *request->mutable_template_() = options_.task_template;
  } else {
    request->clear_template_();
    request->set_batch_id(batch_id);
  }
  request->set_request_id(options_.request_id.empty() ? MakeRequestId() : absl::StrCat(options_.request_id, ".", calls_accepted_));
}

bool MapSubmitter::NoteAccepted(const v1::SubmitBatchRequest& request, const v1::SubmitBatchResponse& response) {
  ++calls_accepted_;
  std::lock_guard<std::mutex> lock(mutex_);
  if (progress_.batch_id.empty()) progress_.warnings = {response.warnings().begin(), response.warnings().end()};
  progress_.batch_id = response.batch().id();
  progress_.submitted += request.rows_size();
  bell_.Ring();
  return !stopping_;
}

}  // namespace muster::cli
