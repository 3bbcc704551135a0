#include "cli/worker_table.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/page.h"
#include "cli/text.h"
#include "common/convert/convert.h"
#include "common/domain/validation.h"

namespace muster::cli {
namespace {

std::string Labels(const v1::Worker& worker) {
  std::vector<std::string> parts;
  for (const v1::Label& label : worker.offer().labels()) {
    parts.push_back(label.value().empty() ? label.key() : absl::StrCat(label.key(), "=", label.value()));
  }
  for (const std::string& capability : worker.offer().capabilities()) {
    if (capability != kValidationCapability) parts.push_back(capability);  // every worker of today has it
  }
  return parts.empty() ? "-" : absl::StrJoin(parts, ",");
}

std::string Executors(const v1::Worker& worker) {
  std::vector<std::string> parts;
  for (const v1::ExecutorOffer& executor : worker.offer().executors()) {
    parts.push_back(executor.healthy() ? executor.name() : absl::StrCat(executor.name(), "(unhealthy)"));
  }
  return parts.empty() ? "-" : absl::StrJoin(parts, ",");
}

std::string Since(const google::protobuf::Timestamp& time, absl::Time now) {
  return time.seconds() == 0 ? "-" : AgeText(now - convert::FromProto(time));
}

// "" where an older worker does not say.
std::string OriginText(v1::CapacityOrigin origin, const char* of_machine) {
  switch (origin) {
    case v1::CAPACITY_ORIGIN_CONFIGURED: return "configured";
    case v1::CAPACITY_ORIGIN_MACHINE: return absl::StrCat("detected: ", of_machine);
    case v1::CAPACITY_ORIGIN_AFFINITY: return "detected: the cores that it is bound to";
    case v1::CAPACITY_ORIGIN_CGROUP: return "detected: its cgroup's limit";
    default: return "";
  }
}

int64_t AmountIn(const google::protobuf::RepeatedPtrField<v1::Resource>& resources, const std::string& name) {
  for (const v1::Resource& resource : resources) {
    if (resource.name() == name) return resource.amount();
  }
  return 0;
}

// "  memory   512.0 MiB of 4.0 GiB     detected: its cgroup's limit", a line for each resource.
std::vector<std::string> CapacityLines(const v1::Worker& worker) {
  const v1::WorkerOffer& offer = worker.offer();
  const v1::WorkerUse& used = worker.used();
  std::vector<std::string> lines;
  const auto line = [&lines](const std::string& name, const std::string& taken, const std::string& of, const std::string& origin) {
    std::string text = absl::StrFormat("  %-8s %-24s %s", name, absl::StrCat(taken, " of ", of), origin);
    absl::StripTrailingAsciiWhitespace(&text);
    lines.push_back(std::move(text));
  };
  line("slots", absl::StrCat(worker.used_slots()), absl::StrCat(offer.slots()),
       OriginText(offer.origins().slots(), "the machine's cores"));
  line("cpu", absl::StrCat(used.cpu()), absl::StrCat(offer.cpu()), OriginText(offer.origins().cpu(), "the machine's cores"));
  line("memory", SizeText(used.memory_bytes()), SizeText(offer.memory_bytes()),
       OriginText(offer.origins().memory(), "the machine's memory"));
  line("disk", SizeText(used.disk_bytes()), SizeText(offer.disk_bytes()),
       OriginText(offer.origins().disk(), "free under work_dir when it started, less disk.low_water"));
  for (const v1::Resource& resource : offer.resources()) {
    line(resource.name(), absl::StrCat(AmountIn(used.resources(), resource.name())), absl::StrCat(resource.amount()), "configured");
  }
  return lines;
}

}  // namespace

std::string WorkerReasons(const v1::Worker& worker) {
  std::vector<std::string> parts;
  if (!worker.reason().empty()) parts.push_back(worker.reason());
  if (!worker.load().refuses_because().empty() && worker.load().refuses_because() != worker.reason()) {
    parts.push_back(worker.load().refuses_because());
  }
  for (const v1::ExecutorOffer& executor : worker.offer().executors()) {
    if (!executor.healthy()) {
      parts.push_back(absl::StrCat("executor ", executor.name(), ": ", executor.reason().empty() ? "unhealthy" : executor.reason()));
    }
  }
  return absl::StrJoin(parts, "; ");
}

Colour StateColour(v1::WorkerState state) {
  switch (state) {
    case v1::WORKER_STATE_ACTIVE: return Colour::kGreen;
    case v1::WORKER_STATE_SUSPECT:
    case v1::WORKER_STATE_DRAINING: return Colour::kYellow;
    case v1::WORKER_STATE_LOST:
    case v1::WORKER_STATE_QUARANTINED: return Colour::kRed;
    default: return Colour::kPlain;
  }
}

std::vector<std::string> WorkerHeader(bool wide) {
  if (wide) {
    return {"NAME", "STATE", "SLOTS", "AHEAD", "WEIGHT", "LOAD", "FREE-MEM", "FREE-DISK", "ENDED", "FAILED", "HEARTBEAT", "UP",
            "ADDRESS", "INCARNATION", "VERSION", "EXECUTORS", "LABELS", "KILL", "REASON"};
  }
  return {"NAME", "STATE", "SLOTS", "AHEAD", "WEIGHT", "LOAD", "ENDED", "FAILED", "EXECUTORS", "LABELS", "REASON"};
}

std::vector<std::string> WorkerRow(const v1::Worker& worker, bool wide, absl::Time now) {
  const std::string slots = absl::StrCat(worker.used_slots(), "/", worker.offer().slots());
  const std::string load = absl::StrFormat("%.2f", worker.load().load_average());
  const std::string ended = absl::StrCat(worker.ended_count()), failed = absl::StrCat(worker.failed_count());
  if (wide) {
    return {worker.name(), StateName(worker.state()), slots, absl::StrCat(worker.prefetched()), absl::StrCat(worker.weight()), load,
            SizeText(worker.load().free_memory_bytes()), SizeText(worker.load().free_disk_bytes()), ended, failed,
            Since(worker.heartbeat_time(), now), Since(worker.join_time(), now), worker.address(), worker.incarnation(),
            worker.version(), Executors(worker), Labels(worker), worker.load().kill_tier(), WorkerReasons(worker)};
  }
  return {worker.name(), StateName(worker.state()), slots, absl::StrCat(worker.prefetched()), absl::StrCat(worker.weight()), load,
          ended, failed, Executors(worker), Labels(worker), WorkerReasons(worker)};
}

std::string WorkerPage(const v1::Worker& worker, absl::Time now) {
  Page page;
  const auto line = [&page](const char* name, const std::string& value) { page.Line(name, value); };
  line("Worker", worker.name());
  line("State", StateName(worker.state()));
  line("Reason", WorkerReasons(worker));
  line("Address", worker.address());
  line("Version", worker.version());
  line("Incarnation", worker.incarnation());
  line("Joined", worker.has_join_time() ? absl::StrCat(TimeText(convert::FromProto(worker.join_time())), "  (", Since(worker.join_time(), now), " ago)") : "");
  line("Heartbeat", worker.has_heartbeat_time() ? absl::StrCat(Since(worker.heartbeat_time(), now), " ago") : "");
  line("Slots", absl::StrCat(worker.used_slots(), " of ", worker.offer().slots(), " in use, ", worker.prefetched(), " attempts sent ahead"));
  line("Weight", absl::StrCat(worker.weight()));
  line("Ended", absl::StrCat(worker.ended_count(), ", of them failed ", worker.failed_count()));
  line("Labels", Labels(worker));
  line("Load", absl::StrFormat("%.2f, %s memory and %s disk free", worker.load().load_average(),
                               SizeText(worker.load().free_memory_bytes()), SizeText(worker.load().free_disk_bytes())));
  line("Kills by", worker.load().kill_tier());
  line("Isolation", worker.load().isolation());
  page.Whole("Taken, of its capacity:");
  for (const std::string& capacity : CapacityLines(worker)) page.Whole(capacity);
  if (!worker.offer().executors().empty()) page.Whole("Executors:");
  for (const v1::ExecutorOffer& executor : worker.offer().executors()) {
    page.Whole(absl::StrCat("  ", executor.name(), " ", executor.version(), ": ", executor.healthy() ? "healthy" : absl::StrCat("unhealthy: ", executor.reason()),
                    executor.capabilities().empty() ? "" : absl::StrCat("; can ", absl::StrJoin(executor.capabilities(), ", "))));
  }
  return page.Take();
}

}  // namespace muster::cli
