// The file store.mark, any bytes of it.
//
// Claims: it is read without harm; what is written after it is read back; a failed sync stays noted.
#include "absl/strings/str_cat.h"
#include "master/store/store_mark.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/scratch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace muster;
  static const fuzz::Scratch scratch;
  fuzz::Input input(data, size);
  scratch.Write("store.mark", input.Rest());
  absl::StatusOr<store::StoreMark> mark = store::StoreMark::Open(scratch.path());
  MUSTER_CLAIM(mark.ok(), mark.status().ToString());

  const auto found = mark->Read().value_or(store::StoreMark::Content{});
  if (found.commit == UINT64_MAX) return 0;
  const store::StoreMark::Content next{found.commit + 1, ~found.digest, false};
  mark->Write(next);
  const auto read = mark->Read();
  MUSTER_CLAIM(read && read->commit == next.commit && read->digest == next.digest && !read->sync_failed,
               absl::StrCat(found.commit));
  mark->NoteFailedSync();
  MUSTER_CLAIM(mark->Read() && mark->Read()->sync_failed && mark->Read()->commit == next.commit, absl::StrCat(found.commit));
  return 0;
}
