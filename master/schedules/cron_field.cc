#include "master/schedules/cron_field.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"

namespace muster::schedules {
namespace {

constexpr size_t kLongestShown = 24;
constexpr int kSunday = 0;
constexpr int kSundayToo = 7;

struct FieldRule {
  const char* name;
  int least;
  int most;
  int last;  // of "*": that of a week names no day twice
  const char* valid;
  std::vector<std::string_view> names;  // of the values from `least` on
};

const FieldRule& RuleOf(CronField field) {
  static const auto& rules = *new std::vector<FieldRule>{
      {"minute", 0, 59, 59, "0 to 59", {}},
      {"hour", 0, 23, 23, "0 to 23", {}},
      {"day of month", 1, 31, 31, "1 to 31", {}},
      {"month", 1, 12, 12, "1 to 12 or JAN to DEC",
       {"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
      {"day of week", 0, 7, 6, "0 to 7 (both are Sunday) or SUN to SAT",
       {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}},
  };
  return rules[static_cast<size_t>(field)];
}

// A part of the line, and where in it.
struct Piece {
  std::string_view text;
  size_t column;

  Piece Before(size_t position) const { return {text.substr(0, position), column}; }
  Piece After(size_t position) const { return {text.substr(position + 1), column + position + 1}; }
  std::string Shown() const { return text.empty() ? "''" : ToLine(std::string(text), kLongestShown); }
};

absl::Status WrongPiece(std::string_view what, const Piece& piece, std::string_view fix) {
  return absl::InvalidArgumentError(absl::StrCat(std::string(what), piece.text.empty() ? " missing" : " " + piece.Shown(),
                                                 " at column ", piece.column, ": ", std::string(fix)));
}

std::optional<int> ReadNumber(std::string_view text) {
  if (text.empty() || text.size() > 4 || !std::all_of(text.begin(), text.end(), absl::ascii_isdigit)) return std::nullopt;
  int number = 0;
  for (const char digit : text) number = number * 10 + (digit - '0');
  return number;
}

// "FEV" is likely FEB, and "Monday" MON.
absl::Status WrongName(const FieldRule& rule, const Piece& piece, const std::string& upper) {
  const auto begins = [&upper](std::string_view name) { return upper.compare(0, name.size(), name) == 0; };
  const auto found = std::find_if(rule.names.begin(), rule.names.end(), begins);
  std::optional<size_t> nearest = found - rule.names.begin();
  if (found == rule.names.end()) nearest = NearestOf(upper.substr(0, kLongestShown), rule.names, 2);
  if (!nearest) return WrongPiece(rule.name, piece, rule.valid);
  return WrongPiece(rule.name, piece, absl::StrCat("did you mean ", std::string(rule.names[*nearest]), "?"));
}

absl::StatusOr<int> ReadValue(const FieldRule& rule, const Piece& piece) {
  if (const std::optional<int> number = ReadNumber(piece.text)) {
    if (*number >= rule.least && *number <= rule.most) return *number;
    return WrongPiece(rule.name, piece, rule.valid);
  }
  const std::string upper = absl::AsciiStrToUpper(std::string(piece.text));
  const auto named = std::find(rule.names.begin(), rule.names.end(), upper);
  if (named != rule.names.end()) return rule.least + static_cast<int>(named - rule.names.begin());
  const bool is_word = std::all_of(upper.begin(), upper.end(), absl::ascii_isalpha);
  return !upper.empty() && is_word && !rule.names.empty() ? WrongName(rule, piece, upper)
                                                          : WrongPiece(rule.name, piece, rule.valid);
}

absl::StatusOr<int> ReadStep(const FieldRule& rule, const Piece& piece) {
  const std::optional<int> step = ReadNumber(piece.text);
  if (step && *step >= 1 && *step <= rule.most) return *step;
  return WrongPiece("step", piece, absl::StrCat("1 to ", rule.most));
}

struct Range {
  int first;
  int last;
};

// 22-6 is what people write for 22-23,0-6.
absl::Status Backwards(const FieldRule& rule, const Piece& range, size_t dash) {
  const bool named = !absl::ascii_isdigit(range.text.front()) && !rule.names.empty();
  const std::string top = named ? std::string(rule.names.back()) : absl::StrCat(rule.last);
  const std::string bottom = named ? std::string(rule.names.front()) : absl::StrCat(rule.least);
  return WrongPiece(rule.name, range,
                    absl::StrCat("it runs backwards; write ", std::string(range.text.substr(0, dash)), "-", top, ",",
                                 bottom, "-", std::string(range.text.substr(dash + 1))));
}

absl::StatusOr<Range> ReadRange(CronField field, const Piece& piece) {
  const FieldRule& rule = RuleOf(field);
  if (piece.text == "*") return Range{rule.least, rule.last};
  const size_t dash = piece.text.find('-');
  if (dash == std::string_view::npos) {
    MUSTER_ASSIGN_OR_RETURN(const int value, ReadValue(rule, piece));
    return Range{value, value};
  }
  if (dash == 0 || dash + 1 == piece.text.size()) {
    return WrongPiece(rule.name, piece, absl::StrCat("a range has two ends; ", rule.valid));
  }
  MUSTER_ASSIGN_OR_RETURN(const int first, ReadValue(rule, piece.Before(dash)));
  MUSTER_ASSIGN_OR_RETURN(int last, ReadValue(rule, piece.After(dash)));
  if (field == CronField::kWeekday && last == kSunday && first > last) last = kSundayToo;  // FRI-SUN
  if (first > last) return Backwards(rule, piece, dash);
  return Range{first, last};
}

// A value, a range, "*", or one of the latter two with a step.
absl::StatusOr<uint64_t> ReadElement(CronField field, const Piece& piece) {
  const FieldRule& rule = RuleOf(field);
  const size_t slash = piece.text.find('/');
  const Piece range_text = piece.Before(slash);
  MUSTER_ASSIGN_OR_RETURN(const Range range, ReadRange(field, range_text));
  int step = 1;
  if (slash != std::string_view::npos) {
    MUSTER_ASSIGN_OR_RETURN(step, ReadStep(rule, piece.After(slash)));
    if (range_text.text != "*" && range_text.text.find('-') == std::string_view::npos) {
      return WrongPiece(rule.name, piece, absl::StrCat("a step needs a range; write ", range_text.Shown(), "-", rule.last,
                                                       "/", step));
    }
  }
  uint64_t bits = 0;
  for (int value = range.first; value <= range.last; value += step) bits |= uint64_t{1} << value;
  return bits;
}

}  // namespace

std::string NameOf(CronField field) { return RuleOf(field).name; }

absl::StatusOr<CronValues> ReadCronField(CronField field, std::string_view text, size_t column) {
  CronValues values{.from_star = !text.empty() && text.front() == '*'};
  Piece rest{text, column};
  while (true) {
    const size_t comma = rest.text.find(',');
    MUSTER_ASSIGN_OR_RETURN(const uint64_t bits, ReadElement(field, rest.Before(comma)));
    values.bits |= bits;
    if (comma == std::string_view::npos) break;
    rest = rest.After(comma);
  }
  if (field == CronField::kWeekday && values.Has(kSundayToo)) {
    values.bits = (values.bits | uint64_t{1} << kSunday) & ~(uint64_t{1} << kSundayToo);
  }
  return values;
}

}  // namespace muster::schedules
