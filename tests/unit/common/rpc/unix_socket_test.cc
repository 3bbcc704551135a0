#include "common/rpc/unix_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/rpc/server.h"

namespace muster::rpc {
namespace {

class UnixSocket : public ::testing::Test {
 protected:
  UnixSocket() {
    char pattern[] = "/tmp/muster_socket_XXXXXX";
    directory_ = mkdtemp(pattern);
  }
  ~UnixSocket() override { std::filesystem::remove_all(directory_); }
  static int ModeOf(const std::string& path) {
    struct stat status{};
    return stat(path.c_str(), &status) == 0 ? status.st_mode & 0777 : -1;
  }
  std::string directory_;
};

TEST_F(UnixSocket, IsForItsUserAlone) {
  const std::string path = absl::StrCat(directory_, "/run/master.sock");
  const auto server = Server::Start({.listen = "unix:" + path}, {});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(ModeOf(absl::StrCat(directory_, "/run")), 0700);
  EXPECT_EQ(ModeOf(path), 0600);
}

TEST_F(UnixSocket, IsNotMadeWhereOthersMayLook) {
  chmod(directory_.c_str(), 0755);
  const auto server = Server::Start({.listen = absl::StrCat("unix:", directory_, "/master.sock")}, {});
  EXPECT_THAT(std::string(server.status().message()), ::testing::HasSubstr("chmod 700"));
  EXPECT_FALSE(std::filesystem::exists(absl::StrCat(directory_, "/master.sock")));
  EXPECT_THAT(std::string(Server::Start({.listen = "unix:/tmp/master.sock"}, {}).status().message()), ::testing::HasSubstr("/tmp"));
  EXPECT_FALSE(Server::Start({.listen = "unix:master.sock"}, {}).ok());
}

TEST(Listening, AnyOtherAddressNeedsTls) {
  for (const char* address : {"0.0.0.0:0", "[::]:0", "localhost.example:0", "unix-abstract:x", "dns:///localhost:0"}) {
    const auto server = Server::Start({.listen = address}, {});
    EXPECT_THAT(std::string(server.status().message()), ::testing::HasSubstr("without TLS: set grpc.tls.certificate")) << address;
  }
}

}  // namespace
}  // namespace muster::rpc
