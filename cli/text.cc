#include "cli/text.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/config/config.h"
#include "common/domain/batch_arguments.h"

namespace muster::cli {
namespace {

std::string WithoutPrefix(const std::string& name, size_t prefix) {
  return name.size() > prefix ? name.substr(prefix) : name;
}

// Bytes of the character at `at` when it is one beyond ASCII that a terminal acts on; 0: it does not.
size_t TerminalOrder(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0; };
  if (byte(0) == 0xC2 && byte(1) >= 0x80 && byte(1) < 0xA0) return 2;  // C1: U+009B is an escape and a bracket
  const bool embeds = byte(0) == 0xE2 && byte(1) == 0x80 && byte(2) >= 0xAA && byte(2) <= 0xAE;   // U+202A..U+202E
  const bool isolates = byte(0) == 0xE2 && byte(1) == 0x81 && byte(2) >= 0xA6 && byte(2) <= 0xA9;  // U+2066..U+2069
  return embeds || isolates ? 3 : 0;
}

}  // namespace

std::string StateName(v1::TaskState state) {
  return WithoutPrefix(v1::TaskState_Name(state), sizeof("TASK_STATE_") - 1);
}

std::string StateName(v1::WorkerState state) {
  return WithoutPrefix(v1::WorkerState_Name(state), sizeof("WORKER_STATE_") - 1);
}

std::string EndReasonName(v1::EndReason reason) {
  return WithoutPrefix(v1::EndReason_Name(reason), sizeof("END_REASON_") - 1);
}

std::optional<v1::TaskState> ParseState(std::string_view text) {
  std::string name = absl::AsciiStrToUpper(absl::string_view(text.data(), text.size()));
  std::replace(name.begin(), name.end(), '-', '_');
  v1::TaskState state;
  if (!v1::TaskState_Parse(absl::StrCat("TASK_STATE_", name), &state)) return std::nullopt;
  if (state == v1::TASK_STATE_UNSPECIFIED) return std::nullopt;
  return state;
}

bool IsTerminal(v1::TaskState state) { return state >= v1::TASK_STATE_SUCCEEDED; }

std::string CountsText(const std::vector<v1::StateCount>& counts) {
  std::vector<v1::StateCount> sorted = counts;
  std::sort(sorted.begin(), sorted.end(), [](const v1::StateCount& a, const v1::StateCount& b) {
    return a.state() < b.state();
  });
  std::vector<std::string> parts;
  for (const v1::StateCount& count : sorted) {
    if (count.count() == 0) continue;
    std::string name = absl::AsciiStrToLower(StateName(count.state()));
    std::replace(name.begin(), name.end(), '_', ' ');
    parts.push_back(absl::StrCat(count.count(), " ", name));
  }
  return parts.empty() ? "no tasks" : absl::StrJoin(parts, ", ");
}

std::string DurationText(absl::Duration duration) {
  if (duration < absl::ZeroDuration()) return absl::StrCat("-", DurationText(-duration));
  if (duration == absl::InfiniteDuration()) return "forever";
  const double seconds = absl::ToDoubleSeconds(duration);
  if (seconds == 0) return "0s";
  if (seconds < 0.0095) return absl::StrFormat("%.1fms", seconds * 1e3);
  if (seconds < 0.9995) return absl::StrFormat("%.0fms", seconds * 1e3);
  if (seconds < 59.95) {
    std::string text = absl::StrFormat("%.1f", seconds);
    if (absl::EndsWith(text, ".0")) text.resize(text.size() - 2);
    return absl::StrCat(text, "s");
  }
  const int64_t whole = std::llround(seconds);
  if (whole < 3600) return absl::StrFormat("%dm%02ds", whole / 60, whole % 60);
  if (whole < 86400) return absl::StrFormat("%dh%02dm", whole / 3600, whole / 60 % 60);
  return absl::StrFormat("%dd%02dh", whole / 86400, whole / 3600 % 24);
}

std::string AgeText(absl::Duration age) {
  const int64_t seconds = std::max<int64_t>(0, absl::ToInt64Seconds(age));
  if (seconds < 120) return absl::StrCat(seconds, "s");
  if (seconds < 7200) return absl::StrCat(seconds / 60, "m");
  if (seconds < 2 * 86400) return absl::StrCat(seconds / 3600, "h");
  return absl::StrCat(seconds / 86400, "d");
}

std::string SizeText(int64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  if (unit == 0) return absl::StrCat(bytes, " B");
  return absl::StrFormat("%.*f %s", value < 100 ? 1 : 0, value, kUnits[unit]);
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

absl::StatusOr<absl::Time> ParseTime(const std::string& text, absl::Time now) {
  if (!text.empty() && text[0] == '+') {
    absl::StatusOr<absl::Duration> delay = config::ParseDuration(text.substr(1));
    if (!delay.ok()) return delay.status();
    return now + *delay;
  }
  std::string error;
  absl::Time time;
  if (absl::ParseTime(absl::RFC3339_full, text, &time, &error)) return time;
  const absl::TimeZone zone = absl::LocalTimeZone();
  for (const char* format : {"%Y-%m-%dT%H:%M:%E*S", "%Y-%m-%d %H:%M:%E*S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"}) {
    if (absl::ParseTime(format, text, zone, &time, &error)) return time;
  }
  if (absl::ParseTime("%Y-%m-%d %H:%M", absl::StrCat(absl::FormatTime("%Y-%m-%d ", now, zone), text), zone, &time,
                      &error)) {
    return time < now ? time + absl::Hours(24) : time;
  }
  return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no time; give 2026-01-31T14:30:00Z, 14:30 or +5m"));
}

absl::StatusOr<absl::Time> ParseSince(const std::string& text, absl::Time now) {
  absl::StatusOr<absl::Duration> ago = config::ParseDuration(text);
  if (ago.ok()) return now - *ago;
  absl::StatusOr<absl::Time> time = ParseTime(text, now);
  if (time.ok()) return time;
  return absl::InvalidArgumentError(absl::StrCat("'", text, "' is neither a duration (10m) nor a time (2026-01-31T14:30:00Z)"));
}

std::string ShellQuote(const std::string& word) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || absl::StrContains("_@%+=:,./-{}", absl::string_view(reinterpret_cast<char*>(&c), 1)) ||
           c >= 0x80;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
  return absl::StrCat("'", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'");
}

std::string CommandText(const std::vector<std::string>& argv) {
  return absl::StrJoin(argv, " ", [](std::string* out, const std::string& word) { out->append(ShellQuote(word)); });
}

std::string SpecCommandText(const v1::TaskSpec& spec) {
  const std::vector<std::string> argv(spec.command().argv().begin(), spec.command().argv().end());
  if (spec.command().has_script()) {
    const std::string& name = spec.command().script().name();
    std::vector<std::string> words = {absl::StrCat("./", name.empty() ? "script" : name)};
    words.insert(words.end(), argv.begin(), argv.end());
    return CommandText(words);
  }
  if (spec.command().shell()) return absl::StrJoin(argv, " ");
  if (!argv.empty()) return CommandText(argv);
  std::vector<std::string> words = {absl::StrCat("[", spec.executor(), "]")};
  for (const std::string& argument : spec.arguments()) words.push_back(ShellQuote(argument));
  return absl::StrJoin(words, " ");
}

std::string RowCommandText(const v1::TaskSpec& task_template, const std::vector<std::string>& row, int64_t index) {
  v1::TaskSpec spec = task_template;
  const FillFor target = spec.command().shell() ? FillFor::kShell : FillFor::kExec;
  const auto fill = [&](google::protobuf::RepeatedPtrField<std::string>* words) {
    const std::vector<std::string> filled =
        FillArguments({words->begin(), words->end()}, row, static_cast<uint64_t>(index), target);
    words->Assign(filled.begin(), filled.end());
  };
  if (spec.executor().empty() || spec.executor() == "command") {
    fill(spec.mutable_command()->mutable_argv());
  } else {
    fill(spec.mutable_arguments());
  }
  return SpecCommandText(spec);
}

std::string OneLine(const std::string& text, size_t width) {
  std::string line;
  size_t characters = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    const bool continues = (c & 0xC0) == 0x80;
    if (!continues && characters == width) {
      while (!line.empty() && (static_cast<unsigned char>(line.back()) & 0xC0) == 0x80) line.pop_back();
      if (!line.empty()) line.pop_back();
      return line + "…";
    }
    if (!continues) ++characters;
    if (const size_t order = TerminalOrder(text, i); order > 0) {
      line.push_back('?');
      i += order - 1;
      continue;
    }
    line.push_back(c == '\n' || c == '\t' ? ' ' : (c < 0x20 || c == 0x7F ? '?' : text[i]));
  }
  return line;
}

std::string Harmless(std::string_view text) {
  std::string harmless;
  harmless.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    const size_t order = c == '\n' || c == '\t' ? 0 : c < 0x20 || c == 0x7F ? 1 : TerminalOrder(text, i);
    harmless.push_back(order > 0 ? '?' : text[i]);
    if (order > 0) i += order - 1;
  }
  return harmless;
}

}  // namespace muster::cli
