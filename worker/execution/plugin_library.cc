#include "worker/execution/plugin_library.h"

#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#include <exception>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"

namespace muster::execution {
namespace {

using EntryPoint = const plugin::PluginEntry* (*)();

absl::Status Refuse(const std::string& path, const std::string& why) {
  return absl::FailedPreconditionError(absl::StrCat("plugin ", path, ": ", why));
}

absl::Status CheckHandshake(const std::string& path, const plugin::PluginEntry* entry) {
  if (entry == nullptr) return Refuse(path, "its entry point gave nothing");
  if (entry->abi_version != plugin::kAbiVersion) {
    return Refuse(path, absl::StrCat("made for ABI ", entry->abi_version, ", this worker speaks ",
                                     plugin::kAbiVersion, "; rebuild it"));
  }
  if (entry->library == nullptr || strcmp(entry->library, plugin::kLibraryTag) != 0) {
    return Refuse(path, absl::StrCat("built with the C++ library ",
                                     entry->library ? ToLine(entry->library, 128) : "(none)",
                                     ", this worker with ", plugin::kLibraryTag, "; rebuild it"));
  }
  if (entry->request_size != sizeof(plugin::Request)) {
    return Refuse(path, absl::StrCat("its Request has ", entry->request_size, " bytes, this worker's ",
                                     sizeof(plugin::Request), "; rebuild it with this worker's headers"));
  }
  if (entry->name == nullptr || entry->create == nullptr || entry->destroy == nullptr) {
    return Refuse(path, "its entry has no name, create or destroy");
  }
  return absl::OkStatus();
}

plugin::Executor* Create(const plugin::PluginEntry& entry, const plugin::Options& options, std::string* error) {
  try {
    return entry.create(options, error);
  } catch (const std::exception& problem) {
    *error = problem.what();
  } catch (...) {
    *error = "create threw something that is not a std::exception";
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PluginLibrary>> PluginLibrary::Load(const ExecutorConfig& config,
                                                                  const HostConfig& host) {
  void* library = dlopen(config.path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return absl::NotFoundError(absl::StrCat("plugin ", config.path, ": ", dlerror()));
  const auto entry_point = reinterpret_cast<EntryPoint>(dlsym(library, plugin::kEntryPoint));
  if (entry_point == nullptr) {
    return Refuse(config.path, absl::StrCat("it has no ", plugin::kEntryPoint, "; it is not an executor plugin"));
  }
  const plugin::PluginEntry* entry = entry_point();
  MUSTER_RETURN_IF_ERROR(CheckHandshake(config.path, entry));

  plugin::Options options;
  options.worker_name = host.worker_name;
  options.work_dir = host.work_dir;
  options.slots = host.slots;
  for (const auto& [key, value] : config.settings) options.settings[key] = value;
  std::string error = "create gave nothing";
  plugin::Executor* executor = Create(*entry, options, &error);
  if (executor == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("executor ", config.name, " (", config.path, ") does not start: ", ToLine(error)));
  }
  return std::unique_ptr<PluginLibrary>(new PluginLibrary(entry, executor));
}

PluginLibrary::~PluginLibrary() {
  if (executor_ != nullptr) entry_->destroy(executor_);
}

std::string ShippedPluginDirectory() {
  char path[4096];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
  if (size <= 0) return "";
  std::string directory(path, static_cast<size_t>(size));
  directory.resize(directory.rfind('/'));
  for (const char* place : {"/../lib/muster", "/lib/muster"}) {
    if (access((directory + place).c_str(), X_OK) == 0) return directory + place;
  }
  return directory + "/../lib/muster";
}

}  // namespace muster::execution
