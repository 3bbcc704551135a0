// Zones by name, and that no name from outside is taken for a path.
#include "common/config/time_zone.h"

#include <gtest/gtest.h>

namespace muster::config {
namespace {

std::string WhyNoZone(const std::string& name) {
  const absl::StatusOr<absl::TimeZone> zone = LoadZone(name);
  return zone.ok() ? "it is one" : std::string(zone.status().message());
}

TEST(TimeZoneTest, AZoneAndItsOtherNamesAreKnown) {
  const absl::Time summer = absl::FromCivil(absl::CivilHour(2026, 7, 1, 12), absl::UTCTimeZone());
  for (const std::string name : {"Europe/Berlin", "Europe/Oslo", "America/Argentina/Buenos_Aires", "US/Pacific", "Etc/GMT+5"}) {
    const absl::StatusOr<absl::TimeZone> zone = LoadZone(name);
    ASSERT_TRUE(zone.ok()) << zone.status();
    EXPECT_EQ(zone->name(), name);
  }
  EXPECT_EQ(absl::FormatTime("%H:%M", summer, *LoadZone("Australia/Lord_Howe")), "22:30");
  EXPECT_EQ(*LoadZone("UTC"), absl::UTCTimeZone());
}

TEST(TimeZoneTest, AnUnknownZoneIsRefusedWithTheNearest) {
  EXPECT_EQ(WhyNoZone("Europe/Berlim"), "unknown time zone 'Europe/Berlim'; did you mean Europe/Berlin?");
  EXPECT_EQ(WhyNoZone("europe/berlin"), "unknown time zone 'europe/berlin'; did you mean Europe/Berlin?");
  EXPECT_EQ(WhyNoZone("new_york"), "unknown time zone 'new_york'; did you mean America/New_York?");
  EXPECT_EQ(WhyNoZone("PDT"), "unknown time zone 'PDT'; give a name such as Europe/Berlin, or UTC");
  EXPECT_EQ(WhyNoZone(""), "unknown time zone ''; give a name such as Europe/Berlin, or UTC");
}

TEST(TimeZoneTest, WhatIsAPathIsNoZone) {
  for (const std::string name : {"/etc/localtime", "../../../etc/localtime", "/usr/share/zoneinfo/Europe/Berlin", "localtime",
                                 "right/Europe/Berlin", "file:/etc/localtime", "Fixed/UTC+01:00:00", "Europe/../Europe/Berlin"}) {
    EXPECT_FALSE(LoadZone(name).ok()) << name;
  }
  EXPECT_EQ(WhyNoZone(std::string("\n\0x", 3)).find('\n'), std::string::npos);
  EXPECT_LT(WhyNoZone(std::string(100'000, 'x')).size(), 200u);
}

}  // namespace
}  // namespace muster::config
