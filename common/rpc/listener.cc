#include "common/rpc/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace muster::rpc {
namespace {

constexpr int kTellEveryMs = 1000;
constexpr int kMostAtOnce = 256;  // of one listening socket, before the others are looked at

size_t DescriptorLimit() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<size_t>(limit.rlim_cur) : 1024;
}

int OpenSpare() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

// Which socket it is: the number of a descriptor is used again, this is not.
ino_t IdentityOf(int descriptor) {
  struct stat status{};
  return fstat(descriptor, &status) == 0 ? status.st_ino : 0;
}

absl::Status Failed(const char* what, int error) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(error)));
}

absl::StatusOr<int> ListenOn(const addrinfo& address, int port) {
  sockaddr_storage to{};
  std::memcpy(&to, address.ai_addr, address.ai_addrlen);
  if (port != 0) {  // the second address of a host takes the port of the first
    if (to.ss_family == AF_INET) reinterpret_cast<sockaddr_in*>(&to)->sin_port = htons(static_cast<uint16_t>(port));
    if (to.ss_family == AF_INET6) reinterpret_cast<sockaddr_in6*>(&to)->sin6_port = htons(static_cast<uint16_t>(port));
  }
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Failed("socket", errno);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd, reinterpret_cast<sockaddr*>(&to), address.ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0) return fd;
  const absl::Status failed = Failed("bind", errno);
  close(fd);
  return failed;
}

int PortOf(int fd) {
  sockaddr_storage at{};
  socklen_t size = sizeof(at);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) != 0) return 0;
  return ntohs(at.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&at)->sin6_port
                                        : reinterpret_cast<sockaddr_in*>(&at)->sin_port);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Bind(const std::string& address, Options options) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return absl::InvalidArgumentError("it must be host:port");
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  std::unique_ptr<Listener> listener(new Listener(std::move(options)));
  MUSTER_RETURN_IF_ERROR(listener->BindAll(host, address.substr(colon + 1)));
  return listener;
}

Listener::Listener(Options options)
    : options_(std::move(options)), stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), spare_(OpenSpare()) {}

Listener::~Listener() {
  Stop();
  if (stop_ >= 0) close(stop_);
  if (spare_ >= 0) close(spare_);
}

absl::Status Listener::BindAll(const std::string& host, const std::string& port) {
  if (stop_ < 0) return Failed("eventfd", errno);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return absl::UnavailableError(gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(found, &freeaddrinfo);
  absl::Status problem;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const absl::StatusOr<int> fd = ListenOn(*one, port_);
    if (fd.ok()) {
      listening_.push_back(*fd);
      if (port_ == 0) port_ = PortOf(*fd);
    } else {
      problem = fd.status();
    }
  }
  return listening_.empty() ? problem : absl::OkStatus();
}

void Listener::Start(Accept accept) {
  accept_ = std::move(accept);
  thread_ = std::thread([this] { Run(); });
}

void Listener::Stop() {
  if (thread_.joinable()) {
    eventfd_write(stop_, 1);
    thread_.join();
  }
  for (const int fd : std::exchange(listening_, {})) close(fd);
}

void Listener::Run() {
  std::vector<pollfd> watched{{stop_, POLLIN, 0}};
  for (const int fd : listening_) watched.push_back({fd, POLLIN, 0});
  while (true) {
    const int ready = poll(watched.data(), watched.size(), refused_ > 0 ? kTellEveryMs : -1);
    if (ready < 0 && errno != EINTR) return;
    if (watched[0].revents != 0) break;
    if (ready == 0) TellRefused();
    for (size_t i = 1; i < watched.size(); ++i) {
      if (watched[i].revents != 0) TakeFrom(watched[i].fd);
    }
  }
  TellRefused();
}

void Listener::TakeFrom(int listening) {
  for (int taken = 0; taken < kMostAtOnce; ++taken) {
    const int fd = accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      if (HasRoom(fd)) {
        const int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        open_[fd] = IdentityOf(fd);
        accept_(listening, fd);
      } else {
        close(fd);
        Refuse();
      }
    } else if (errno == EMFILE || errno == ENFILE) {
      RefuseWithoutADescriptor(listening);
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;  // none waits, or the kernel is short of something: poll says when to look again
    }
  }
}

bool Listener::HasRoom(int connection) {
  const size_t limit = DescriptorLimit();
  const size_t kept_back = std::min(limit / 4, options_.kept_back);
  if (static_cast<size_t>(connection) + kept_back >= limit) return false;
  if (open_.size() >= options_.max_connections) CountOpen();
  return open_.size() < options_.max_connections;
}

void Listener::CountOpen() {
  for (auto it = open_.begin(); it != open_.end();) {
    if (IdentityOf(it->first) == it->second) {
      ++it;
    } else {
      open_.erase(it++);
    }
  }
}

// Somebody else took the last descriptors. What waits would wait for ever, and wake the poll at once each time.
void Listener::RefuseWithoutADescriptor(int listening) {
  if (spare_ >= 0) close(spare_);
  const int fd = accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd >= 0) {
    close(fd);
    Refuse();
  }
  spare_ = OpenSpare();
  if (spare_ >= 0) return;
  pollfd stop{stop_, POLLIN, 0};
  poll(&stop, 1, 10);
}

void Listener::Refuse() {
  if (++refused_ >= 10'000) TellRefused();
}

void Listener::TellRefused() {
  const size_t count = std::exchange(refused_, 0);
  if (count > 0 && options_.refused) options_.refused(count);
}

}  // namespace muster::rpc
