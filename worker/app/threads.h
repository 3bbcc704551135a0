// Every thread of muster-worker, on one page. Two processes:
//
// The supervisor (worker/app/supervisor.h) has one thread: it waits for signals and children, looks at the lease now
// and then, and forked the server before any thread existed.
//
// The server:
//   thread          | runs                                   | may block on                | started, joined by
//   ----------------|----------------------------------------|-----------------------------|-----------------------------
//   main            | start-up, signals, shut-down           | signals, the end of a drain | the process
//   loop            | WorkerLoop: the core and its effects   | its mailbox, until due time | WorkerLoop::Start, ::Stop
//   registry        | RegistryClient: Join, Heartbeat        | those calls (bounded)       | RegistryClient::Start, ::Stop
//   accept          | rpc::Listener: takes connections       | the listening socket        | rpc::Server::Start, ::Stop
//   rights          | StreamWatch, with TLS: ends streams    | its own timer               | rpc::Server
//                   | that may not go on                     |                             |
//   certificates    | gRPC's, with TLS: looks for new files  | the disk                    | gRPC, after the last channel
//   gRPC            | reactors: sessions, Execute, health    | nothing                     | rpc::Server::Start, ::Stop
//   execution       | the host's event loop, its spawners,   | epoll; vfork until exec     | ExecutionHost::Create,
//                   | plugin health checks, plugins' own; at |                             | its destructor
//                   | the start one that tries a strict tier |                             |
//   HTTP            | civetweb: /metrics, /healthz, /readyz, | sockets, briefly; two of    | telemetry::HttpServer
//                   | /drain                                 | 16: the end of a drain      |
//   log             | writes log lines                       | stderr, the log file        | StartLogging, StopLogging
//
// Who tells whom: everyone posts to the loop's mailbox; the loop calls host and service, which never call back into
// it but by posting. Live output alone goes around the loop, from the host's thread to the session's queue, through
// OutputRelay, which has a mutex.
//
// Start-up order (WorkerApp's members): mailbox, metrics → service → relay → listener → execution host → loop → HTTP →
// gRPC → registry. Shut-down is exactly the reverse.
#pragma once
