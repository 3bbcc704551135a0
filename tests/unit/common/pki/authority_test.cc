#include "common/pki/authority.h"

#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "common/pki/certificate.h"

namespace muster::pki {
namespace {

using security::Role;
const absl::Time kNow = absl::FromUnixSeconds(1'900'000'000);

TEST(Authority, WhatItIssuesSaysWhatWasWished) {
  const auto authority = MakeAuthority("prod", kNow, absl::Hours(24 * 3650));
  ASSERT_TRUE(authority.ok()) << authority.status();
  const auto issued = Issue(*authority, {.id = {"prod", Role::kWorker, "node-1"},
                                         .dns = {"node-1.example", "*.svc"},
                                         .ips = {"10.0.0.7", "fd00::1"},
                                         .now = kNow,
                                         .valid_for = absl::Hours(24)});
  ASSERT_TRUE(issued.ok()) << issued.status();
  const auto facts = ReadCertificate(issued->certificate);
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->uris, std::vector<std::string>{"spiffe://prod/worker/node-1"});
  EXPECT_EQ(facts->dns, (std::vector<std::string>{"node-1.example", "*.svc"}));
  EXPECT_EQ(facts->ips, (std::vector<std::string>{"10.0.0.7", "fd00::1"}));
  EXPECT_EQ(facts->not_after, kNow + absl::Hours(24));
  EXPECT_LT(facts->not_before, kNow);
  EXPECT_FALSE(facts->is_authority);
  EXPECT_EQ(facts->fingerprint.size(), 64u);
  EXPECT_EQ(*IdentityOf(*facts), (security::SpiffeId{"prod", Role::kWorker, "node-1"}));
  EXPECT_TRUE(CheckPair(issued->certificate, issued->key).ok());
  EXPECT_FALSE(CheckPair(issued->certificate, authority->key).ok());
}

TEST(Authority, IsNoIdentityItself) {
  const auto authority = MakeAuthority("prod", kNow, absl::Hours(1));
  const auto facts = ReadCertificate(authority->certificate);
  ASSERT_TRUE(facts.ok());
  EXPECT_TRUE(facts->is_authority);
  EXPECT_EQ(facts->uris, std::vector<std::string>{"spiffe://prod"});
  EXPECT_FALSE(IdentityOf(*facts).ok());
}

TEST(Authority, NothingThatItIssuesOutlivesIt) {
  const auto authority = MakeAuthority("prod", kNow, absl::Hours(10));
  const auto issued = Issue(*authority, {.id = {"prod", Role::kAdmin, "anna"}, .now = kNow, .valid_for = absl::Hours(24)});
  EXPECT_EQ(ReadCertificate(issued->certificate)->not_after, kNow + absl::Hours(10));
}

TEST(Authority, WishesThatCouldSaySomethingElseAreRefused) {
  const auto authority = MakeAuthority("prod", kNow, absl::Hours(10));
  const CertificateWish good{.id = {"prod", Role::kAdmin, "anna"}, .now = kNow, .valid_for = absl::Hours(1)};
  EXPECT_TRUE(Issue(*authority, good).ok());
  auto refused = [&](auto change) {
    CertificateWish wish = good;
    change(wish);
    return !Issue(*authority, wish).ok();
  };
  EXPECT_TRUE(refused([](auto& wish) { wish.id.name = "anna,URI:spiffe://prod/admin/eve"; }));
  EXPECT_TRUE(refused([](auto& wish) { wish.id.cluster = "prod/admin"; }));
  EXPECT_TRUE(refused([](auto& wish) { wish.dns = {"a,DNS:b"}; }));
  EXPECT_TRUE(refused([](auto& wish) { wish.dns = {""}; }));
  EXPECT_TRUE(refused([](auto& wish) { wish.ips = {"10.0.0"}; }));
  EXPECT_TRUE(refused([](auto& wish) { wish.valid_for = absl::ZeroDuration(); }));
  EXPECT_TRUE(refused([](auto& wish) { wish.valid_for = absl::InfiniteDuration(); }));
  EXPECT_FALSE(MakeAuthority("Prod", kNow, absl::Hours(1)).ok());
  EXPECT_FALSE(Issue({"", ""}, good).ok());
  EXPECT_FALSE(Issue({authority->certificate, "nonsense"}, good).ok());
}

TEST(Certificate, NonsenseIsNone) {
  for (const char* text : {"", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----"}) {
    EXPECT_FALSE(ReadCertificate(text).ok()) << text;
    EXPECT_FALSE(CheckPair(text, text).ok()) << text;
  }
}

}  // namespace
}  // namespace muster::pki
