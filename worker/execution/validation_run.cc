#include "worker/execution/validation_run.h"

#include <algorithm>
#include <exception>

#include "absl/strings/str_cat.h"

namespace muster::execution {
namespace {

constexpr size_t kMostLineBytes = 200;

// What people are shown of it: no control characters, not more than a line.
std::string LastWords(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  const size_t begin = text.find_last_of('\n');
  if (begin != std::string_view::npos) text.remove_prefix(begin + 1);
  std::string line(text.substr(0, kMostLineBytes));
  std::replace_if(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return line;
}

plugin::Result NotStarted(const char* why) {
  plugin::Result result;
  result.reason = plugin::EndReason::kStartFailed;
  result.message = why;
  return result;
}

}  // namespace

void ValidationRun::Run(plugin::Executor* executor, const plugin::Request& request) {
  std::shared_ptr<plugin::Execution> execution;
  try {
    execution = executor->Execute(request, this);
  } catch (...) {
    return Finish(NotStarted("the executor threw"));
  }
  if (execution == nullptr) return Finish(NotStarted("the executor gave no execution"));
  Wish wish;
  {
    absl::MutexLock lock(&mutex_);
    execution_ = execution;
    wish = finished_ ? Wish::kNone : wish_;
  }
  if (wish == Wish::kStop) execution->Stop();
  if (wish == Wish::kKill) execution->Kill();
}

void ValidationRun::Stop(bool by_force) {
  std::shared_ptr<plugin::Execution> execution;
  {
    absl::MutexLock lock(&mutex_);
    if (finished_) return;
    wish_ = std::max(wish_, by_force ? Wish::kKill : Wish::kStop);
    execution = execution_;  // none yet: Run looks after it has one
  }
  if (execution != nullptr && by_force) execution->Kill();
  if (execution != nullptr && !by_force) execution->Stop();
}

size_t ValidationRun::Output(plugin::Stream, std::string_view bytes) {
  absl::MutexLock lock(&mutex_);
  words_.append(bytes.substr(bytes.size() - std::min(bytes.size(), kWordsBytes)));
  if (words_.size() > kWordsBytes) words_.erase(0, words_.size() - kWordsBytes);
  return bytes.size();
}

bool ValidationRun::Cancelled() const {
  absl::MutexLock lock(&mutex_);
  return wish_ != Wish::kNone;
}

void ValidationRun::Finish(plugin::Result result) {
  std::string line;
  {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(finished_, true)) return;
    line = LastWords(words_);
  }
  ended_(std::move(result), std::move(line));
}

plugin::Request SurroundingsOf(const plugin::Request& work) {
  plugin::Request request;
  request.task_id = work.task_id;
  request.attempt = work.attempt;
  request.command.environment = work.command.environment;
  request.command.working_directory = work.command.working_directory;
  request.task_directory = work.task_directory;
  request.memory_limit_bytes = work.memory_limit_bytes;
  request.cpu_limit_millis = work.cpu_limit_millis;
  request.isolation = work.isolation;
  request.no_network = work.no_network;
  request.kill_grace = work.kill_grace;
  request.deadline = work.deadline;
  return request;
}

plugin::Request ValidationRequest(plugin::Request surroundings, const std::string& line, int exit_code, std::string input) {
  surroundings.executor = "command";
  surroundings.command.argv = {line};
  surroundings.command.shell = true;
  surroundings.command.stdin_bytes = std::move(input);
  surroundings.command.environment.emplace_back("MUSTER_EXIT_CODE", absl::StrCat(exit_code));
  return surroundings;
}

}  // namespace muster::execution
