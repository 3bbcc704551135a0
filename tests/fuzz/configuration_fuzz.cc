// A daemon's configuration: a YAML file, then environment variables and flags, each a line "key=value".
//
// Claims: nothing crashes; a refusal is one line; what is accepted is within its bounds; and what is shown of a value
// reads as that value again.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/config/config.h"
#include "tests/fuzz/fuzz.h"

namespace muster::fuzz {
namespace {

// One key of every kind.
struct Sample {
  std::string listen, balancer;
  int64_t slots = 0, limit_bytes = 0;
  double cpu = 0;
  absl::Duration lost_after;
  bool quiet = false;
  std::map<std::string, std::string> labels;
  std::vector<std::string> capabilities;
  std::vector<config::Entry> executors;

  void Declare(config::Schema* schema) {
    schema->Text("grpc.listen", &listen, "127.0.0.1:7070", "Where.");
    schema->Choice("scheduler.balancer", &balancer, "least_loaded", {"least_loaded", "weighted"}, "Which.");
    schema->Number("slots", &slots, 2, "How many.", {.least = 1, .most = 100});
    schema->Real("cpu", &cpu, 1.5, "How much.", {.least = 0, .most = 1e6});
    schema->Time("workers.lost_after", &lost_after, absl::Seconds(30), "When.", {.least = 1, .most = 86400});
    schema->Size("store.limit", &limit_bytes, 64 << 20, "How much.", {.least = 1});
    schema->Flag("quiet", &quiet, false, "Whether.");
    schema->Map("labels", &labels, "Labels.");
    schema->List("capabilities", &capabilities, "Words.");
    schema->Entries("executors", &executors, {"name", "path", "settings.*"}, "Plugins.");
  }

  void CheckBounds() const {
    MUSTER_CLAIM(balancer == "least_loaded" || balancer == "weighted", balancer);
    MUSTER_CLAIM(slots >= 1 && slots <= 100, absl::StrCat(slots));
    MUSTER_CLAIM(cpu >= 0 && cpu <= 1e6, absl::StrCat(cpu));
    MUSTER_CLAIM(lost_after >= absl::Seconds(1) && lost_after <= absl::Seconds(86400), absl::FormatDuration(lost_after));
    MUSTER_CLAIM(limit_bytes >= 1, absl::StrCat(limit_bytes));
  }
};

class MemoryFile {
 public:
  explicit MemoryFile(std::string_view content) : fd_(memfd_create("configuration", MFD_CLOEXEC)) {
    MUSTER_CLAIM(fd_ >= 0 && write(fd_, content.data(), content.size()) == static_cast<ssize_t>(content.size()), "");
  }
  ~MemoryFile() { close(fd_); }
  std::string path() const { return absl::StrCat("/proc/self/fd/", fd_); }

 private:
  const int fd_;
};

class Environment {
 public:
  explicit Environment(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
      const size_t equals = line.find('=');
      if (equals == std::string::npos || equals == 0 || line.find('\0') != std::string::npos) continue;
      names_.push_back("MUSTERFUZZ_" + line.substr(0, equals));
      setenv(names_.back().c_str(), line.c_str() + equals + 1, 1);
    }
  }
  ~Environment() {
    for (const std::string& name : names_) unsetenv(name.c_str());
  }

 private:
  std::vector<std::string> names_;
};

absl::Status Load(config::Schema* schema, std::vector<std::string> flags) {
  std::vector<const char*> argv = {"muster-sample"};
  for (const std::string& flag : flags) argv.push_back(flag.c_str());
  return schema->Load(static_cast<int>(argv.size()), argv.data(), "1").status();
}

// Those that end in what is printed on stdout are left out.
std::vector<std::string> Flags(std::string_view part, const std::string& file) {
  std::vector<std::string> flags = {"--config", file};
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(std::string(part), '\n', absl::SkipEmpty()))) {
    const std::string flag = "--" + std::string(line.c_str());
    const std::string name = flag.substr(0, flag.find('='));
    if (name != "--help" && name != "--version" && name.rfind("--config", 0) != 0 && name != "--check-config") {
      flags.push_back(flag);
    }
  }
  return flags;
}

// A second program that is told what the first one shows must come to show the same.
void CheckWhatIsShown(const Sample& sample) {
  Sample again;
  config::Schema schema("muster-sample", "A sample.", "MUSTERFUZZAGAIN");
  again.Declare(&schema);
  const absl::Status status = Load(
      &schema, {absl::StrCat("--slots=", sample.slots), absl::StrCat("--quiet=", sample.quiet ? "true" : "false"),
                absl::StrCat("--store.limit=", sample.limit_bytes),
                absl::StrCat("--workers.lost_after=", absl::FormatDuration(sample.lost_after))});
  MUSTER_CLAIM(status.ok(), status.ToString());
  MUSTER_CLAIM(again.slots == sample.slots && again.quiet == sample.quiet && again.limit_bytes == sample.limit_bytes,
               schema.Effective());
  const absl::Duration off = absl::AbsDuration(again.lost_after - sample.lost_after);
  MUSTER_CLAIM(off < absl::Microseconds(1), absl::FormatDuration(sample.lost_after));
}

}  // namespace
}  // namespace muster::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace muster;
  fuzz::Input input(data, size);
  const fuzz::MemoryFile file(input.Part());
  const fuzz::Environment environment(absl::StrSplit(std::string(input.Part()), '\n'));

  fuzz::Sample sample;
  config::Schema schema("muster-sample", "A sample.", "MUSTERFUZZ");
  sample.Declare(&schema);
  const absl::Status status = fuzz::Load(&schema, fuzz::Flags(input.Part(), file.path()));
  if (!status.ok()) {
    MUSTER_CLAIM(fuzz::IsOneLine(std::string(status.message())), status.ToString());
    return 0;
  }
  sample.CheckBounds();
  MUSTER_CLAIM(!schema.Effective().empty(), "");
  fuzz::CheckWhatIsShown(sample);
  return 0;
}
