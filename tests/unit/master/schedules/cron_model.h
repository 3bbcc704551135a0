// A cron line as plain sets, made at random together with its text: what the quick searches are held against.
// Thread rule: values.
#pragma once

#include <array>
#include <random>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"

namespace muster::schedules {

struct ModelField {
  std::string text;
  std::set<int> values;
  bool star = false;
};

struct ModelLine {
  std::array<ModelField, 5> fields;

  std::string text() const {
    return absl::StrCat(fields[0].text, " ", fields[1].text, " ", fields[2].text, " ", fields[3].text, " ", fields[4].text);
  }
  bool IsPeriodic() const { return fields[0].star || fields[1].star; }
  bool MatchesDay(absl::CivilDay day) const {
    if (!fields[3].values.contains(day.month())) return false;
    const bool by_day = fields[2].values.contains(day.day());
    const int weekday = (static_cast<int>(absl::GetWeekday(day)) + 1) % 7;
    const bool by_weekday = fields[4].values.contains(weekday) || (weekday == 0 && fields[4].values.contains(7));
    return fields[2].star || fields[4].star ? by_day && by_weekday : by_day || by_weekday;
  }
  bool Matches(absl::CivilMinute minute) const {
    return fields[0].values.contains(minute.minute()) && fields[1].values.contains(minute.hour()) &&
           MatchesDay(absl::CivilDay(minute));
  }
};

using Random = std::mt19937_64;

inline int RandomIn(Random* random, int least, int most) { return least + static_cast<int>((*random)() % (most - least + 1)); }

// "*", "*/n", "a-b/n", or a list of a few values and ranges.
inline ModelField RandomField(Random* random, int least, int most, int stars_of_ten) {
  ModelField field;
  if (RandomIn(random, 1, 10) <= stars_of_ten) {
    const int step = RandomIn(random, 0, 2) == 0 ? RandomIn(random, 2, most / 2) : 1;
    field.star = true;
    field.text = step == 1 ? "*" : absl::StrCat("*/", step);
    for (int value = least; value <= most; value += step) field.values.insert(value);
    return field;
  }
  for (int parts = RandomIn(random, 1, 3); parts > 0; --parts) {
    const int first = RandomIn(random, least, most);
    const int last = RandomIn(random, 0, 2) == 0 ? RandomIn(random, first, most) : first;
    const int step = last > first ? RandomIn(random, 1, 4) : 1;
    absl::StrAppend(&field.text, field.text.empty() ? "" : ",", first);
    if (last > first) absl::StrAppend(&field.text, "-", last);
    if (step > 1) absl::StrAppend(&field.text, "/", step);
    for (int value = first; value <= last; value += step) field.values.insert(value);
  }
  return field;
}

// Half of the lines name times between 0:00 and 4:00, where clocks are changed. Some name no day of any year.
inline ModelLine RandomLine(Random* random) {
  ModelLine line;
  line.fields[0] = RandomField(random, 0, 59, 4);
  line.fields[1] = RandomIn(random, 0, 1) == 0 ? RandomField(random, 0, 4, 0) : RandomField(random, 0, 23, 6);
  line.fields[2] = RandomField(random, 1, 31, 7);
  line.fields[3] = RandomField(random, 1, 12, 8);
  line.fields[4] = RandomField(random, 0, 6, 7);
  return line;
}

}  // namespace muster::schedules
