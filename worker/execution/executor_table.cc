#include "worker/execution/executor_table.h"

#include <algorithm>
#include <exception>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"

namespace muster::execution {
namespace {

constexpr const char* kShipped[] = {"command", "noop"};
constexpr char kKillNote[] = "kill: ";

struct Answer {
  plugin::Health health;
  plugin::Capabilities capabilities;
};

Answer Ask(plugin::Executor& executor) {
  Answer answer;
  try {
    answer.health = executor.CheckHealth();
    answer.capabilities = executor.GetCapabilities();
  } catch (const std::exception& problem) {
    answer.health = {false, absl::StrCat("its health check threw: ", problem.what())};
  } catch (...) {
    answer.health = {false, "its health check threw"};
  }
  if (!answer.health.healthy && answer.health.reason.empty()) answer.health.reason = "unhealthy, without a reason";
  return answer;
}

}  // namespace

absl::Status ExecutorTable::Load(const HostConfig& config) {
  std::vector<ExecutorConfig> wanted = config.executors;
  for (const char* name : kShipped) {
    const bool named = std::any_of(wanted.begin(), wanted.end(), [&](const auto& one) { return one.name == name; });
    if (!named) wanted.push_back({name, "", {}});
  }
  const std::string shipped = config.plugin_dir.empty() ? ShippedPluginDirectory() : config.plugin_dir;
  for (ExecutorConfig& one : wanted) {
    if (one.path.empty()) one.path = absl::StrCat(shipped, "/", one.name, ".so");
    MUSTER_RETURN_IF_ERROR(LoadOne(one, config));
  }
  return absl::OkStatus();
}

absl::Status ExecutorTable::LoadOne(const ExecutorConfig& config, const HostConfig& host) {
  if (by_name_.contains(config.name)) {
    return absl::InvalidArgumentError(absl::StrCat("executor ", config.name, " is configured twice"));
  }
  auto row = std::make_unique<Row>();
  MUSTER_ASSIGN_OR_RETURN(row->loaded.library, PluginLibrary::Load(config, host));
  const plugin::PluginEntry& entry = row->loaded.library->entry();
  row->offer.name = config.name.empty() ? entry.name : config.name;
  row->offer.version = entry.version == nullptr ? "" : entry.version;
  row->loaded.metrics = std::make_unique<PluginMetrics>(host.metrics, row->offer.name);
  RefreshOne(row.get());
  try {
    row->loaded.wants_directory = row->loaded.library->executor().GetCapabilities().wants_task_directory;
  } catch (...) {
    row->loaded.wants_directory = true;  // RefreshOne has said that it is unwell
  }
  by_name_[row->offer.name] = row.get();
  rows_.push_back(std::move(row));
  return absl::OkStatus();
}

ExecutorTable::Loaded* ExecutorTable::Find(const std::string& name) {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &found->second->loaded;
}

std::vector<ExecutorOffer> ExecutorTable::Offers() const {
  absl::MutexLock lock(&mutex_);
  std::vector<ExecutorOffer> offers;
  for (const auto& row : rows_) offers.push_back(row->offer);
  return offers;
}

std::string ExecutorTable::KillTier() const {
  absl::MutexLock lock(&mutex_);
  for (const auto& row : rows_) {
    if (row->note.rfind(kKillNote, 0) == 0) return row->note.substr(sizeof(kKillNote) - 1);
  }
  return "";
}

bool ExecutorTable::RefreshOne(Row* row) {
  {
    absl::MutexLock lock(&mutex_);
    row->asked = absl::Now();
  }
  Answer answer = Ask(row->loaded.library->executor());
  absl::MutexLock lock(&mutex_);
  row->asked = absl::InfiniteFuture();
  ExecutorOffer offer = row->offer;
  offer.healthy = answer.health.healthy;
  offer.reason = answer.health.healthy ? "" : answer.health.reason;
  offer.capabilities = std::move(answer.capabilities.names);
  offer.parameter_schema = std::move(answer.capabilities.parameter_schema);
  row->note = std::move(answer.capabilities.note);
  if (offer == row->offer) return false;
  row->offer = std::move(offer);
  return true;
}

bool ExecutorTable::Refresh() {
  bool changed = false;
  for (const auto& row : rows_) changed |= RefreshOne(row.get());
  return changed;
}

bool ExecutorTable::MarkSilent(absl::Duration limit) {
  bool changed = false;
  absl::MutexLock lock(&mutex_);
  for (const auto& row : rows_) {
    if (row->asked + limit > absl::Now() || !row->offer.healthy) continue;
    row->offer.healthy = false;
    row->offer.reason = absl::StrCat("its health check has not answered for ", absl::FormatDuration(limit));
    changed = true;
  }
  return changed;
}

void ExecutorTable::AbandonAll() {
  for (const auto& row : rows_) row->loaded.library->Abandon();
}

}  // namespace muster::execution
