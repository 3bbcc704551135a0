#include "master/schedules/cron_line.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"

namespace muster::schedules {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr int kLongestMonths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

struct Macro {
  std::string_view name;
  std::string_view line;
};
constexpr Macro kMacros[] = {
    {"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},  {"@weekly", "0 0 * * 0"},  {"@monthly", "0 0 1 * *"},
    {"@yearly", "0 0 1 1 *"},   {"@midnight", "0 0 * * *"}, {"@annually", "0 0 1 1 *"},
};

struct Word {
  std::string_view text;
  size_t column;

  std::string Shown() const { return ToLine(std::string(text), 24); }
  std::string Place() const { return absl::StrCat(Shown(), " at column ", column); }
};

std::vector<Word> WordsOf(std::string_view text) {
  std::vector<Word> words;
  for (size_t begin = text.find_first_not_of(kBlanks); begin != std::string_view::npos;) {
    const size_t end = std::min(text.find_first_of(kBlanks, begin), text.size());
    words.push_back({text.substr(begin, end - begin), begin + 1});
    begin = text.find_first_not_of(kBlanks, end);
  }
  return words;
}

absl::Status UnknownMacro(const Word& word, const std::string& name) {
  std::vector<std::string_view> names;
  for (const Macro& macro : kMacros) names.push_back(macro.name);
  const std::optional<size_t> nearest = NearestOf(name.substr(0, 16), names, 2);
  const std::string hint = nearest ? absl::StrCat("did you mean ", std::string(names[*nearest]), "?")
                                   : "there are @hourly, @daily, @weekly, @monthly and @yearly";
  return absl::InvalidArgumentError(absl::StrCat(word.Place(), ": ", hint));
}

// The line that "@daily" stands for.
absl::StatusOr<std::string_view> LineOfMacro(const std::vector<Word>& words) {
  const std::string name = absl::AsciiStrToLower(std::string(words[0].text));
  const auto* const macro = std::find_if(std::begin(kMacros), std::end(kMacros),
                                         [&name](const Macro& known) { return known.name == name; });
  if (macro == std::end(kMacros)) return UnknownMacro(words[0], name);
  if (words.size() == 1) return macro->line;
  return absl::InvalidArgumentError(absl::StrCat(words[1].Place(), ": nothing follows ", name));
}

absl::Status CheckCount(const std::vector<Word>& words, size_t size) {
  constexpr char kShape[] = "a line is minute, hour, day of month, month, day of week, such as 30 2 * * MON-FRI";
  if (words.size() == kCronFields) return absl::OkStatus();
  if (words.size() < kCronFields) {
    return absl::InvalidArgumentError(absl::StrCat(NameOf(static_cast<CronField>(words.size())), " missing at column ",
                                                   size + 1, ": ", kShape));
  }
  return absl::InvalidArgumentError(absl::StrCat(words[kCronFields].Place(), " is one field too many: ", kShape));
}

// A date such as the 30th of February never comes.
absl::Status CheckDate(const CronValues& days, const CronValues& months, const Word& day, const Word& month) {
  int longest = 0;
  for (int m = 1; m <= 12; ++m) {
    if (months.Has(m)) longest = std::max(longest, kLongestMonths[m - 1]);
  }
  if ((days.bits & ((uint64_t{1} << (longest + 1)) - 1)) != 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("day of month ", day.Place(), " never comes in month ", month.Shown(),
                                                 ": 1 to ", longest));
}

// The lowest bit from `from` on; -1: none.
int LowestFrom(uint64_t bits, int from) {
  const uint64_t rest = from < 64 ? bits >> from << from : 0;
  return rest == 0 ? -1 : __builtin_ctzll(rest);
}

}  // namespace

absl::StatusOr<CronLine> CronLine::Parse(const std::string& text) {
  if (text.size() > kLongest) {
    return absl::InvalidArgumentError(
        absl::StrCat("column ", kLongest + 1, ": a line has at most ", kLongest, " characters"));
  }
  std::vector<Word> words = WordsOf(text);
  if (!words.empty() && words[0].text.front() == '@') {
    MUSTER_ASSIGN_OR_RETURN(const std::string_view line, LineOfMacro(words));
    words = WordsOf(line);
  }
  MUSTER_RETURN_IF_ERROR(CheckCount(words, text.size()));
  std::array<CronValues, kCronFields> fields;
  for (size_t i = 0; i < kCronFields; ++i) {
    MUSTER_ASSIGN_OR_RETURN(fields[i], ReadCronField(static_cast<CronField>(i), words[i].text, words[i].column));
  }
  CronLine line;
  line.minutes_ = fields[0];
  line.hours_ = fields[1];
  line.days_ = fields[2];
  line.months_ = fields[3];
  line.weekdays_ = fields[4];
  if (!line.EitherDayFits()) MUSTER_RETURN_IF_ERROR(CheckDate(line.days_, line.months_, words[2], words[3]));
  return line;
}

bool CronLine::Matches(absl::CivilMinute minute) const {
  return minutes_.Has(minute.minute()) && hours_.Has(minute.hour()) &&
         (DaysOf(absl::CivilMonth(minute)) >> minute.day() & 1) != 0;
}

std::optional<absl::CivilMinute> CronLine::NextFrom(absl::CivilMinute from) const {
  const absl::CivilDay today(from);
  std::optional<absl::CivilDay> day = NextDayFrom(today);
  if (day == today) {
    if (const auto minute = NextOnDay(from)) return minute;
    day = NextDayFrom(today + 1);
  }
  if (!day) return std::nullopt;
  return NextOnDay(absl::CivilMinute(*day));
}

uint32_t CronLine::DaysOf(absl::CivilMonth month) const {
  if (!months_.Has(month.month())) return 0;
  const absl::CivilDay first(month);
  const auto length = static_cast<int>(absl::CivilDay(month + 1) - first);
  // Of absl's weekdays Monday is 0, of cron's Sunday is.
  const int weekday = (static_cast<int>(absl::GetWeekday(first)) + 1) % 7;
  uint64_t by_weekday = 0;
  for (int day = 1; day <= length; ++day) {
    if (weekdays_.Has((weekday + day - 1) % 7)) by_weekday |= uint64_t{1} << day;
  }
  const uint64_t by_day = days_.bits & ((uint64_t{1} << (length + 1)) - 1);
  return static_cast<uint32_t>(EitherDayFits() ? by_day | by_weekday : by_day & by_weekday);
}

std::optional<absl::CivilDay> CronLine::NextDayFrom(absl::CivilDay from) const {
  int earliest = from.day();
  for (absl::CivilMonth month(from); month.year() <= kLastYear; ++month) {
    const int day = LowestFrom(DaysOf(month), earliest);
    if (day > 0) return absl::CivilDay(month.year(), month.month(), day);
    earliest = 1;
  }
  return std::nullopt;
}

std::optional<absl::CivilMinute> CronLine::NextOnDay(absl::CivilMinute from) const {
  const auto at = [&from](int hour, int minute) {
    return absl::CivilMinute(from.year(), from.month(), from.day(), hour, minute);
  };
  const int minute = LowestFrom(minutes_.bits, from.minute());
  if (hours_.Has(from.hour()) && minute >= 0) return at(from.hour(), minute);
  const int hour = LowestFrom(hours_.bits, from.hour() + 1);
  if (hour < 0) return std::nullopt;
  return at(hour, LowestFrom(minutes_.bits, 0));
}

}  // namespace muster::schedules
