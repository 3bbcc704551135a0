// Tells the thread sanitizer what Abseil's locks order. Debian's Abseil is not instrumented, so without this every
// datum under an absl::Mutex looks like a race.
//
// Linked into each test program of the tsan build: these definitions are found before those of the shared library,
// also by gRPC, whose own locks are absl::Mutex; each says what it orders and calls the library's.
// A Condition is evaluated inside the library, by whichever thread holds the lock, before our "acquire" and after
// our "release": its reads are left out.
//
// Thread rule: any thread. Errors: a function that the library does not have crashes at its first call.
#include <dlfcn.h>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"

extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
}

namespace {

// Debian names Abseil's inline namespace debian3.
#define MUSTER_ABSEIL_NAME(class_and_function) "_ZN4absl7debian3" class_and_function
#define MUSTER_ABSEIL_NAME_CONST(class_and_function) "_ZNK4absl7debian3" class_and_function

template <typename Result, typename... Arguments>
Result CallLibrary(Result (*function)(Arguments...), Arguments... arguments) {
  struct ReadsLeftOut {
    ReadsLeftOut() { AnnotateIgnoreReadsBegin(__FILE__, __LINE__); }
    ~ReadsLeftOut() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }
  } reads_left_out;
  return function(arguments...);
}

template <typename Function>
Function* Library(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
  static auto* const library = Library<void(Mutex*)>(MUSTER_ABSEIL_NAME("5Mutex4LockEv"));
  CallLibrary(library, this);
  __tsan_acquire(this);
}

bool Mutex::TryLock() {
  static auto* const library = Library<bool(Mutex*)>(MUSTER_ABSEIL_NAME("5Mutex7TryLockEv"));
  const bool locked = CallLibrary(library, this);
  if (locked) __tsan_acquire(this);
  return locked;
}

void Mutex::Unlock() {
  static auto* const library = Library<void(Mutex*)>(MUSTER_ABSEIL_NAME("5Mutex6UnlockEv"));
  __tsan_release(this);
  CallLibrary(library, this);
}

void Mutex::ReaderLock() {
  static auto* const library = Library<void(Mutex*)>(MUSTER_ABSEIL_NAME("5Mutex10ReaderLockEv"));
  CallLibrary(library, this);
  __tsan_acquire(this);
}

void Mutex::ReaderUnlock() {
  static auto* const library = Library<void(Mutex*)>(MUSTER_ABSEIL_NAME("5Mutex12ReaderUnlockEv"));
  __tsan_release(this);
  CallLibrary(library, this);
}

void Mutex::LockWhen(const Condition& condition) {
  static auto* const library =
      Library<void(Mutex*, const Condition*)>(MUSTER_ABSEIL_NAME("5Mutex8LockWhenERKNS0_9ConditionE"));
  CallLibrary(library, this, &condition);
  __tsan_acquire(this);
}

void Mutex::Await(const Condition& condition) {
  static auto* const library =
      Library<void(Mutex*, const Condition*)>(MUSTER_ABSEIL_NAME("5Mutex5AwaitERKNS0_9ConditionE"));
  __tsan_release(this);
  CallLibrary(library, this, &condition);
  __tsan_acquire(this);
}

bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  static auto* const library = Library<bool(Mutex*, const Condition*, Duration)>(
      MUSTER_ABSEIL_NAME("5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE"));
  __tsan_release(this);
  const bool held = CallLibrary(library, this, &condition, timeout);
  __tsan_acquire(this);
  return held;
}

bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  static auto* const library = Library<bool(Mutex*, const Condition*, Time)>(
      MUSTER_ABSEIL_NAME("5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE"));
  __tsan_release(this);
  const bool held = CallLibrary(library, this, &condition, deadline);
  __tsan_acquire(this);
  return held;
}

void CondVar::Wait(Mutex* mutex) {
  static auto* const library =
      Library<void(CondVar*, Mutex*)>(MUSTER_ABSEIL_NAME("7CondVar4WaitEPNS0_5MutexE"));
  __tsan_release(mutex);
  CallLibrary(library, this, mutex);
  __tsan_acquire(mutex);
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  static auto* const library = Library<bool(CondVar*, Mutex*, Duration)>(
      MUSTER_ABSEIL_NAME("7CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE"));
  __tsan_release(mutex);
  const bool timed_out = CallLibrary(library, this, mutex, timeout);
  __tsan_acquire(mutex);
  return timed_out;
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  static auto* const library = Library<bool(CondVar*, Mutex*, Time)>(
      MUSTER_ABSEIL_NAME("7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE"));
  __tsan_release(mutex);
  const bool timed_out = CallLibrary(library, this, mutex, deadline);
  __tsan_acquire(mutex);
  return timed_out;
}

// Notified before it waits, it takes no lock.
void Notification::Notify() {
  static auto* const library = Library<void(Notification*)>(MUSTER_ABSEIL_NAME("12Notification6NotifyEv"));
  __tsan_release(this);
  CallLibrary(library, this);
}

void Notification::WaitForNotification() const {
  static auto* const library =
      Library<void(const Notification*)>(MUSTER_ABSEIL_NAME_CONST("12Notification19WaitForNotificationEv"));
  CallLibrary(library, this);
  __tsan_acquire(const_cast<Notification*>(this));
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  static auto* const library = Library<bool(const Notification*, Duration)>(
      MUSTER_ABSEIL_NAME_CONST("12Notification30WaitForNotificationWithTimeoutENS0_8DurationE"));
  const bool notified = CallLibrary(library, this, timeout);
  if (notified) __tsan_acquire(const_cast<Notification*>(this));
  return notified;
}

ABSL_NAMESPACE_END
}  // namespace absl
