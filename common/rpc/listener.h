// The listening sockets of a gRPC server, and a bound on what it accepts.
//
// gRPC 1.51 accepts without a bound, and its own listener stops for good once the process is out of descriptors
// (accept4: EMFILE): connections that somebody opens and forgets would make a master deaf until it is started again.
// This one counts, keeps descriptors back for the process itself, and closes at once what is too much.
//
//   auto listener = Listener::Bind("127.0.0.1:0", {.max_connections = 1000});
//   (*listener)->Start([](int listening, int connection) { ...take it over... });
//
// A connection is known by its descriptor: the kernel gives out the lowest number that is free, so a number that comes
// again has been closed before; at the bound those that were closed meanwhile are looked for.
// Thread rule: Bind, Start, Stop by one thread; `accept` and `refused` run on the listener's own. Errors: of Bind, what
// the kernel says of the address.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"

namespace muster::rpc {

class Listener {
 public:
  struct Options {
    size_t max_connections = 10'000;
    // Of the process's descriptors, how many connections leave to it: a quarter, this at most.
    size_t kept_back = 1024;
    // So many were closed since the last call; about once a second. May be empty.
    std::function<void(size_t count)> refused;
  };
  // Takes over the descriptor of a connection, which does not block.
  using Accept = std::function<void(int listening, int connection)>;

  // host:port; port 0 takes a free one; every address of the host.
  static absl::StatusOr<std::unique_ptr<Listener>> Bind(const std::string& address, Options options);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int port() const { return port_; }
  void Start(Accept accept);
  // Nothing is accepted any more, and new connections fail at once.
  void Stop();

 private:
  explicit Listener(Options options);

  absl::Status BindAll(const std::string& host, const std::string& port);
  void Run();
  void TakeFrom(int listening);
  bool HasRoom(int connection);
  void CountOpen();
  void Refuse();
  void TellRefused();
  void RefuseWithoutADescriptor(int listening);

  const Options options_;
  std::vector<int> listening_;
  int port_ = 0;
  int stop_ = -1;   // an eventfd
  int spare_ = -1;  // a descriptor that can be let go of when there is no other
  std::thread thread_;

  // The thread's own.
  Accept accept_;
  absl::flat_hash_map<int, ino_t> open_;  // by descriptor; some may be closed by now
  size_t refused_ = 0;                    // not yet told
};

}  // namespace muster::rpc
