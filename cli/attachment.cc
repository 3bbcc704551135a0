#include "cli/attachment.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/errors.h"
#include "cli/interrupts.h"
#include "common/base/id_text.h"

namespace muster::cli {
namespace {

constexpr int64_t kAcknowledgeBytes = 256 << 10;
constexpr int kMostSelectors = 1000;  // of one request
constexpr absl::Duration kFirstPatience = absl::Seconds(2);

// How a stream ends when the connection or the server goes; anything else is an answer to our request.
bool IsBroken(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kDeadlineExceeded:
      return true;
    default:
      return IsPassing(status);
  }
}

}  // namespace

Attachment::Attachment(Client* client, AttachmentOptions options)
    : client_(client), options_(std::move(options)), backoff_(absl::Milliseconds(100), absl::Seconds(1)) {}

Attachment::~Attachment() = default;

void Attachment::Add(const std::string& selector) {
  if (!options_.still_wanted && std::find(selectors_.begin(), selectors_.end(), selector) == selectors_.end()) selectors_.push_back(selector);
  unsent_selectors_.push_back(selector);
}

Attachment::Place& Attachment::PlaceOf(const v1::OutputChunk& chunk) {
  Places& places = places_[chunk.task_id()];
  const StreamKey key(chunk.attempt(), chunk.stream());
  for (auto& [known, place] : places) {
    if (known == key) return place;
  }
  return places.emplace_back(key, Place{}).second;
}

void Attachment::Open() {
  stream_ = client_->Attach();
  v1::AttachRequest first;
  if (options_.still_wanted) selectors_ = options_.still_wanted();
  for (const std::string& selector : selectors_) first.add_selectors(selector);
  first.set_states_only(options_.states_only);
  for (auto& [task_id, places] : places_) {
    for (auto& [key, place] : places) {
      v1::OutputPosition* position = first.add_resume();
      position->set_task_id(task_id);
      position->set_attempt(key.first);
      position->set_stream(key.second);
      position->set_offset(place.offset);
      if (place.offset > 0) *first.add_acknowledge() = *position;
      place.unsent = false;
      place.told = place.offset;
    }
  }
  unsent_selectors_.clear();
  unacknowledged_.clear();
  unacknowledged_bytes_ = 0;
  stream_->Send(first);
}

void Attachment::Done(const v1::OutputChunk& chunk) {
  Place& place = PlaceOf(chunk);
  place.offset = std::max(place.offset, chunk.offset() + static_cast<int64_t>(chunk.data().size()));
  place.unsent = true;
  unacknowledged_.insert(chunk.task_id());
  unacknowledged_bytes_ += static_cast<int64_t>(chunk.data().size());
  if (unacknowledged_bytes_ >= kAcknowledgeBytes) SendAcknowledgements();
}

void Attachment::Forget(const std::string& task_id) {
  places_.erase(task_id);
  unacknowledged_.erase(task_id);
  if (const std::optional<uint64_t> id = TextToId(task_id)) forgotten_.Add(TaskId(*id));
}

void Attachment::SendAcknowledgements() {
  unacknowledged_bytes_ = 0;
  if (stream_ == nullptr || (unacknowledged_.empty() && unsent_selectors_.empty())) return;
  v1::AttachRequest request;
  for (const std::string& selector : std::exchange(unsent_selectors_, {})) {
    request.add_selectors(selector);
    if (request.selectors_size() < kMostSelectors) continue;
    stream_->Send(request);
    request.Clear();
  }
  for (const std::string& task_id : unacknowledged_) {
    for (auto& [key, place] : places_[task_id]) {
      if (!place.unsent) continue;
      place.unsent = false;
      v1::OutputPosition* position = request.add_acknowledge();
      position->set_task_id(task_id);
      position->set_attempt(key.first);
      position->set_stream(key.second);
      position->set_offset(place.offset);
    }
  }
  unacknowledged_.clear();
  stream_->Send(request);  // when it fails, the stream's end says so, and the next one repeats the places
}

bool Attachment::Trim(v1::OutputChunk* chunk) {
  if (const std::optional<uint64_t> id = TextToId(chunk->task_id()); id && forgotten_.Contains(TaskId(*id))) return false;
  Place& place = PlaceOf(*chunk);
  const int64_t told = place.told;
  const int64_t end = chunk->offset() + static_cast<int64_t>(chunk->data().size());
  place.told = std::max(told, end);
  if (chunk->offset() > told) {
    chunk->set_skipped_bytes(chunk->offset() - told);
    return true;
  }
  chunk->set_skipped_bytes(0);
  if (end <= told) return false;
  if (chunk->offset() < told) {
    chunk->mutable_data()->erase(0, static_cast<size_t>(told - chunk->offset()));
    chunk->set_offset(told);
  }
  return true;
}

// The stream is gone. True: `news` is for the caller.
bool Attachment::Mend(absl::Time deadline, News* news) {
  const absl::Time now = absl::Now();
  if (stream_ != nullptr) {
    const absl::Status end = stream_->status();
    stream_.reset();
    if (!IsBroken(end)) {
      status_ = end;
      *news = News::kFailed;
      return true;
    }
    status_ = end.ok() ? absl::UnavailableError("the master ended the connection") : end;
    if (broken_since_ == absl::InfiniteFuture()) broken_since_ = now;
    retry_at_ = now + backoff_.Next(end);
  }
  const absl::Duration patience = ever_heard_ ? options_.patience : std::min(options_.patience, kFirstPatience);
  if (broken_since_ != absl::InfiniteFuture() && now - broken_since_ > patience) {
    *news = News::kFailed;
    return true;
  }
  if (!told_ && broken_since_ != absl::InfiniteFuture() && now - broken_since_ > absl::Seconds(1) && options_.say) {
    if (status_.code() == absl::StatusCode::kResourceExhausted) {
      const absl::Duration delay = std::max(absl::ZeroDuration(), retry_at_ - now);
      options_.say(absl::StrCat(RetryLine(status_, client_->master(), delay), ", the work goes on"));
    } else {
      options_.say(absl::StrCat("the connection to ", client_->master(), " is lost (",
                                ConnectionTrouble({status_.message().data(), status_.message().size()}),
                                "); trying again, the work goes on"));
    }
    told_ = true;
  }
  if (now < retry_at_) {
    const absl::Status slept = client_->Pause(std::min(retry_at_, deadline) - now);
    if (IsInterrupted(slept)) {
      status_ = slept;
      *news = News::kInterrupt;
      return true;
    }
    if (absl::Now() < retry_at_) {
      *news = News::kNothing;
      return true;
    }
  }
  Open();
  return false;
}

Attachment::News Attachment::Next(v1::AttachResponse* response, absl::Time deadline) {
  while (true) {
    News news;
    if (stream_ == nullptr && Mend(deadline, &news)) return news;
    // Without waiting first: before we wait, everything that is owed is said.
    StreamNews got = stream_->Next(response, absl::InfinitePast());
    if (got == StreamNews::kNothing) {
      SendAcknowledgements();
      got = stream_->Next(response, deadline);
      if (got == StreamNews::kNothing) return News::kNothing;
    }
    if (got == StreamNews::kInterrupt) {
      status_ = Interrupted(client_->interrupts()->Take());
      return News::kInterrupt;
    }
    if (got == StreamNews::kEnd) {
      if (Mend(deadline, &news)) return news;
      continue;
    }
    if (told_ && options_.say) options_.say(absl::StrCat("the connection to ", client_->master(), " is back"));
    told_ = false;
    ever_heard_ = true;
    broken_since_ = absl::InfiniteFuture();
    backoff_.Reset();
    auto* events = response->mutable_events();
    events->erase(std::remove_if(events->begin(), events->end(),
                                 [this](v1::AttachEvent& event) { return event.has_output() && !Trim(event.mutable_output()); }),
                  events->end());
    return News::kEvents;
  }
}

void Attachment::Detach() {
  if (stream_ == nullptr) return;
  SendAcknowledgements();
  v1::AttachRequest request;
  request.set_detach(true);
  if (!stream_->Send(request)) return;
  // Until the master has heard it, or for a moment.
  v1::AttachResponse ignored;
  const absl::Time until = absl::Now() + absl::Milliseconds(500);
  while (absl::Now() < until) {
    const StreamNews news = stream_->Next(&ignored, until);
    if (news == StreamNews::kEnd || news == StreamNews::kInterrupt) break;
  }
  stream_.reset();
}

}  // namespace muster::cli
