// A cluster's authority and its certificates, made in the test, in a directory that goes with it.
//
//   TestAuthority authority("prod");
//   rpc::TlsFiles files = authority.Issue(Role::kViewer, "anna");
//
// Thread rule: the test's thread.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/pki/authority.h"
#include "common/rpc/tls_source.h"

namespace muster::test {

class TestAuthority {
 public:
  explicit TestAuthority(const std::string& cluster = "test") : cluster_(cluster) {
    char pattern[] = "/tmp/muster_authority_XXXXXX";
    directory_ = mkdtemp(pattern);
    authority_ = pki::MakeAuthority(cluster, absl::Now() - absl::Hours(48), absl::Hours(96)).value();
    Write("ca.pem", authority_.certificate);
  }
  ~TestAuthority() { std::filesystem::remove_all(directory_); }

  std::string ca() const { return absl::StrCat(directory_, "/ca.pem"); }
  const std::string& directory() const { return directory_; }

  // `cluster`: of another one, under this authority all the same.
  rpc::TlsFiles Issue(security::Role role, const std::string& name, absl::Time from = absl::Now(),
                      absl::Duration valid_for = absl::Hours(1), const std::string& cluster = "") {
    const std::string file = absl::StrCat(static_cast<int>(role), "-", name, "-", ++issued_);
    const pki::KeyAndCertificate pair =
        pki::Issue(authority_, {.id = {cluster.empty() ? cluster_ : cluster, role, name}, .now = from, .valid_for = valid_for}).value();
    return {.certificate = Write(file + ".pem", pair.certificate), .key = Write(file + ".key", pair.key), .ca = ca()};
  }

  std::string Write(const std::string& name, const std::string& content) {
    const std::string path = absl::StrCat(directory_, "/", name);
    std::ofstream(path + ".new", std::ios::binary) << content;
    std::filesystem::rename(path + ".new", path);
    return path;
  }

 private:
  const std::string cluster_;
  std::string directory_;
  pki::KeyAndCertificate authority_;
  int issued_ = 0;
};

}  // namespace muster::test
