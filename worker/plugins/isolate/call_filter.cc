#include "worker/plugins/isolate/call_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cstdint>
#include <vector>

namespace muster::isolate {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "the filter of system calls does not know this architecture"
#endif

// By number where the headers of the C library may be older than the kernel; these are the same everywhere.
constexpr uint32_t kNewer[] = {425, 426, 427,            // io_uring_*
                               428, 429, 430, 431, 432, 433,  // open_tree, move_mount, fs*
                               438,                      // pidfd_getfd
                               442, 443};                // mount_setattr, quotactl_fd
constexpr uint32_t kClone3 = 435;

constexpr uint32_t kRefused[] = {
    // The system's mounts, namespaces and roots.
    SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_unshare, SYS_setns, SYS_swapon, SYS_swapoff,
    // Other processes.
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp,
    // The kernel itself, its keys, clocks and accounts.
    SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_bpf, SYS_perf_event_open, SYS_userfaultfd,
    SYS_add_key, SYS_request_key, SYS_keyctl, SYS_syslog, SYS_reboot, SYS_settimeofday, SYS_clock_settime, SYS_acct,
    SYS_quotactl, SYS_sethostname, SYS_setdomainname, SYS_vhangup, SYS_lookup_dcookie,
    // Files by number, past the paths that are out of sight; and looking at everyone's.
    SYS_open_by_handle_at, SYS_name_to_handle_at, SYS_fanotify_init,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#if defined(__x86_64__)
    SYS_iopl, SYS_ioperm, SYS_modify_ldt,
#endif
};
constexpr uint32_t kNewNamespaces = CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                                    CLONE_NEWUTS | CLONE_NEWCGROUP;
constexpr uint32_t kTypeOfSocket = 0xf;
constexpr uint32_t kInjectInput = 0x5412, kLinuxConsole = 0x541c;  // TIOCSTI, TIOCLINUX

constexpr uint32_t kAllow = SECCOMP_RET_ALLOW;
constexpr uint32_t Fail(uint32_t error) { return SECCOMP_RET_ERRNO | error; }

class Program {
 public:
  void Load(size_t offset) { Add(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset)); }
  void LoadArgument(int which) { Load(offsetof(seccomp_data, args) + 8 * static_cast<size_t>(which)); }
  void And(uint32_t mask) { Add(BPF_ALU | BPF_AND | BPF_K, mask); }
  void Return(uint32_t value) { Add(BPF_RET | BPF_K, value); }
  void ReturnIf(uint32_t value, uint32_t verdict) {
    Add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    Return(verdict);
  }
  void ReturnUnless(uint32_t value, uint32_t verdict) {
    Add(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0);
    Return(verdict);
  }
  void ReturnIfAny(uint32_t bits, uint32_t verdict) {
    Add(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
    Return(verdict);
  }
  // What follows, up to Close, is for this value alone; it must end in a Return.
  size_t OpenFor(uint32_t value) {
    Add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 0);
    return code_.size();
  }
  void Close(size_t opened) { code_[opened - 1].jf = static_cast<uint8_t>(code_.size() - opened); }
  std::vector<sock_filter>& code() { return code_; }

 private:
  void Add(int code, uint32_t value, uint8_t then = 0, uint8_t otherwise = 0) {
    code_.push_back({static_cast<uint16_t>(code), then, otherwise, value});
  }
  std::vector<sock_filter> code_;
};

// Local ones, the internet's without raw packets, and asking the kernel about its network.
void AddSockets(Program* program) {
  const size_t socket = program->OpenFor(SYS_socket);
  program->LoadArgument(0);
  program->ReturnIf(AF_UNIX, kAllow);
  const size_t netlink = program->OpenFor(AF_NETLINK);
  program->LoadArgument(2);
  program->ReturnIf(0, kAllow);  // NETLINK_ROUTE
  program->Return(Fail(EPERM));
  program->Close(netlink);
  for (const uint32_t family : {AF_INET, AF_INET6}) {
    const size_t internet = program->OpenFor(family);
    program->LoadArgument(1);
    program->And(kTypeOfSocket);
    program->ReturnIf(SOCK_RAW, Fail(EPERM));
    program->ReturnIf(SOCK_PACKET, Fail(EPERM));
    program->Return(kAllow);
    program->Close(internet);
  }
  program->Return(Fail(EAFNOSUPPORT));
  program->Close(socket);
}

Program MakeFilter() {
  Program program;
  // Calls of another architecture have other numbers: none of them.
  program.Load(offsetof(seccomp_data, arch));
  program.ReturnUnless(kArchitecture, Fail(ENOSYS));
  program.Load(offsetof(seccomp_data, nr));
#if defined(__x86_64__)
  program.ReturnIfAny(0x40000000, Fail(ENOSYS));  // x32
#endif
  for (const uint32_t number : kRefused) program.ReturnIf(number, Fail(EPERM));
  for (const uint32_t number : kNewer) program.ReturnIf(number, Fail(EPERM));
  program.ReturnIf(kClone3, Fail(ENOSYS));
  const size_t clone = program.OpenFor(SYS_clone);
  program.LoadArgument(0);
  program.ReturnIfAny(kNewNamespaces, Fail(EPERM));
  program.Return(kAllow);
  program.Close(clone);
  const size_t ioctl = program.OpenFor(SYS_ioctl);
  program.LoadArgument(1);
  program.ReturnIf(kInjectInput, Fail(EPERM));
  program.ReturnIf(kLinuxConsole, Fail(EPERM));
  program.Return(kAllow);
  program.Close(ioctl);
  AddSockets(&program);
  program.Return(kAllow);
  return program;
}

}  // namespace

bool FilterSystemCalls() {
  Program program = MakeFilter();
  sock_fprog filter{static_cast<unsigned short>(program.code().size()), program.code().data()};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace muster::isolate
