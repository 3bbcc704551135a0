#include "common/security/spiffe_id.h"

#include <gtest/gtest.h>

namespace muster::security {
namespace {

TEST(SpiffeId, EveryRoleComesBackAsItWent) {
  for (const Role role : kRoles) {
    const SpiffeId id{"prod-1.example", role, "Node_1.a-b"};
    const absl::StatusOr<SpiffeId> read = ParseSpiffeId(ToText(id));
    ASSERT_TRUE(read.ok()) << ToText(id);
    EXPECT_EQ(*read, id);
  }
  EXPECT_EQ(ToText({"prod", Role::kAdmin, "anna"}), "spiffe://prod/admin/anna");
}

TEST(SpiffeId, WhatTwoReadersCouldTakeDifferentlyIsNone) {
  using namespace std::string_view_literals;
  for (const std::string_view uri : {
           "", "spiffe://", "spiffe://prod", "spiffe://prod/", "spiffe://prod/admin", "spiffe://prod/admin/", "spiffe:///admin/anna",
           "http://prod/admin/anna", "SPIFFE://prod/admin/anna", "spiffe://prod/Admin/anna", "spiffe://PROD/admin/anna",
           "spiffe://prod/root/anna", "spiffe://prod//anna", "spiffe://prod/admin/anna/", "spiffe://prod/admin/a/b",
           "spiffe://prod/admin/..", "spiffe://prod/admin/.", "spiffe://prod/admin/anna?x", "spiffe://prod/admin/anna#x",
           "spiffe://prod/admin/an%6ea", "spiffe://prod:1/admin/anna", "spiffe://u@prod/admin/anna", " spiffe://prod/admin/anna",
           "spiffe://prod/admin/anna ", "spiffe://prod/admin/anna\n", "spiffe://prod/admin /anna", "spiffe://prod/admin/\xc3\xa4"}) {
    EXPECT_FALSE(ParseSpiffeId(uri).ok()) << uri;
  }
  EXPECT_FALSE(ParseSpiffeId("spiffe://prod/viewer/a\0/admin/b"sv).ok());
  EXPECT_FALSE(ParseSpiffeId("spiffe://prod/admin/" + std::string(129, 'a')).ok());
  EXPECT_TRUE(ParseSpiffeId("spiffe://prod/admin/" + std::string(128, 'a')).ok());
  EXPECT_FALSE(ParseSpiffeId("spiffe://" + std::string(64, 'a') + "/admin/anna").ok());
}

}  // namespace
}  // namespace muster::security
