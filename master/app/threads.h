// Every thread of muster-master, on one page.
//
// | Thread          | Runs                                                   | May block on                 | Joined by |
// |-----------------|--------------------------------------------------------|------------------------------|-----------|
// | main            | start-up, then waits for SIGTERM or SIGINT, shut-down  | everything                   | nobody    |
// | loop            | MasterLoop: core, commits, release of effects          | the store's sync, its mailbox| Master    |
// | lease keeper    | MasterLoop: answers heartbeats while the loop commits  | nothing; the loop waits for it| MasterLoop |
// | store           | the store's maintenance: checkpoints, the open floor   | the disk                     | the store |
// | store scan      | at start: reads what is open in slices, looks at pages | the disk                     | LoadOpen  |
// | task reads      | TaskService's ReadPool: store reads, questions to loop | the store's readers, the loop| TaskService |
// | cluster reads   | ClusterService's ReadPool: the same                    | the store's readers, the loop| ClusterService |
// | accept          | rpc::Listener: takes connections, closes too many      | the listening sockets        | Server::Stop |
// | rights          | rpc's StreamWatch, with TLS: ends what may not go on   | its own timer                | the server |
// | certificates    | gRPC's, with TLS: looks for files that have changed    | the disk                     | gRPC, after the last channel |
// | gRPC            | reactions of services, sessions and timers             | nothing: hand over, return   | gRPC, at Server::Stop and Dispatcher::Shutdown |
// | HTTP            | civetweb: /metrics, /healthz, /readyz, /v1/events/     | sockets; an event, for its   | HttpServer |
// |                 |                                                        | answer                       |            |
// | log             | spdlog: writes the lines                               | stderr, the log file         | StopLogging |
// | deadline        | StopDeadline: ends a shut-down that takes too long     | its own timer                | main      |
//
// The loop never waits for another thread, except for the disk. gRPC's threads never wait at all. Everything between
// them is a mailbox (common/runtime/mailbox.h), an outbox (common/rpc/outbox.h) or a short lock.
#pragma once

namespace muster::master {

// As ps -L and gdb show it (15 letters at most).
inline constexpr char kLoopThreadName[] = "muster-loop";
inline constexpr char kLeaseKeeperThreadName[] = "muster-leases";

}  // namespace muster::master
