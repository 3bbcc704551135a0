#include "worker/execution/executor_table.h"

#include <algorithm>
#include <exception>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"

namespace muster::execution {
namespace {

constexpr const char* kShipped[] = {"command", "noop"};
constexpr char kKillNote[] = "kill: ";
// What a master takes of one executor; a plugin that says more is unwell, and the worker goes on without it.
constexpr size_t kMostCapabilities = 256;
constexpr size_t kLongestName = 128;
constexpr size_t kLongestSchema = 64 * 1024;

struct Answer {
  plugin::Health health;
  plugin::Capabilities capabilities;
};

bool IsName(const std::string& text) {
  return !text.empty() && text.size() <= kLongestName && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
  });
}

bool IsShortLine(const std::string& text) {
  return !text.empty() && text.size() <= kLongestName && ToLine(text, kLongestName) == text;
}

// Empty: the capabilities can be offered.
std::string WhyUnfit(const plugin::Capabilities& capabilities) {
  if (capabilities.names.size() > kMostCapabilities) {
    return absl::StrCat("it has ", capabilities.names.size(), " capabilities; at most ", kMostCapabilities);
  }
  for (const std::string& name : capabilities.names) {
    if (!IsShortLine(name)) {
      return absl::StrCat("its capability \"", ToLine(name, kLongestName), "\" is not one line of 1 to ", kLongestName,
                          " bytes of UTF-8");
    }
  }
  const std::string& schema = capabilities.parameter_schema;
  if (schema.size() > kLongestSchema || ToUtf8(schema) != schema) {
    return absl::StrCat("its parameter schema is not at most ", kLongestSchema, " bytes of UTF-8");
  }
  return "";
}

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
  if (std::string why = WhyUnfit(answer.capabilities); !why.empty()) {
    answer.health = {false, std::move(why)};
    answer.capabilities = {};
  }
  if (!answer.health.healthy && answer.health.reason.empty()) answer.health.reason = "unhealthy, without a reason";
  answer.health.reason = ToLine(std::move(answer.health.reason));
  answer.capabilities.note = ToLine(std::move(answer.capabilities.note));
  answer.capabilities.isolation = ToLine(std::move(answer.capabilities.isolation));
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
  auto row = std::make_unique<Row>();
  MUSTER_ASSIGN_OR_RETURN(row->loaded.library, PluginLibrary::Load(config, host));
  const plugin::PluginEntry& entry = row->loaded.library->entry();
  row->offer.name = config.name.empty() ? entry.name : config.name;
  if (!IsName(row->offer.name)) {
    return absl::InvalidArgumentError(absl::StrCat("executor \"", ToLine(row->offer.name, kLongestName), "\" (",
                                                   config.path, "): a name is 1 to ", kLongestName,
                                                   " letters, digits, '.', '_' or '-'"));
  }
  if (by_name_.contains(row->offer.name)) {
    return absl::InvalidArgumentError(absl::StrCat("executor ", row->offer.name, " is configured twice"));
  }
  row->offer.version = entry.version == nullptr ? "" : ToLine(entry.version, kLongestName);
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

std::string ExecutorTable::Isolation() const {
  absl::MutexLock lock(&mutex_);
  for (const auto& row : rows_) {
    if (!row->isolation.empty()) return row->isolation;
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
  row->isolation = std::move(answer.capabilities.isolation);
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
