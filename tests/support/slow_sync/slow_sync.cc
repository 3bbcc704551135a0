// Preloaded into a daemon under test: each sync to disk takes as many milliseconds as the file that MUSTER_SLOW_SYNC
// names says at that moment; none when it is not there. The real sync is done as well.
//
// Thread rule: any thread.
#include <dlfcn.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>

namespace {

long MillisToWait() {
  const char* path = std::getenv("MUSTER_SLOW_SYNC");
  std::FILE* file = path == nullptr ? nullptr : std::fopen(path, "re");
  if (file == nullptr) return 0;
  long millis = 0;
  if (std::fscanf(file, "%ld", &millis) != 1) millis = 0;
  std::fclose(file);
  return millis;
}

int SyncSlowly(const char* name, int descriptor) {
  if (const long millis = MillisToWait(); millis > 0) {
    const timespec wait = {millis / 1000, millis % 1000 * 1'000'000};
    nanosleep(&wait, nullptr);
  }
  return reinterpret_cast<int (*)(int)>(dlsym(RTLD_NEXT, name))(descriptor);
}

}  // namespace

extern "C" int fsync(int descriptor) { return SyncSlowly("fsync", descriptor); }
extern "C" int fdatasync(int descriptor) { return SyncSlowly("fdatasync", descriptor); }
