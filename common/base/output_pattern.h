// Whether a line of an output contains what a regular expression describes.
//
// RE2: no input makes it slow beyond what the size of the expression allows, which is bounded here: it is read within some
// 30 ms at worst, and looks at 40 KB a second or more, most at hundreds of MB. Who reads many of them, or shares a thread
// with others, has to bound the sum.
//
//   auto pattern = OutputPattern::Compile("all \\d+ tests passed");    an error is the answer to whoever wrote it
//   (*pattern)->Feed(0, bytes); ...   (*pattern)->Close();   (*pattern)->found()
//
// It looks at all that comes and keeps only a line that has not ended, up to kLongestLine; a longer one counts as
// several. Lines of different streams are not mixed. Bytes that are not UTF-8 match nothing.
// Thread rule: one thread. Units: bytes.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace re2 {
class RE2;
}

namespace muster {

class OutputPattern {
 public:
  static constexpr size_t kLongestLine = 16 * 1024;
  static constexpr size_t kLongestPattern = 512;
  static constexpr size_t kStreams = 2;

  // What it costs to read, in bytes of plain text: a class of Unicode (\pL) is a list of hundreds of ranges.
  static size_t ReadingCost(std::string_view pattern);

  // INVALID_ARGUMENT: what is wrong with it, in words.
  static absl::StatusOr<std::unique_ptr<OutputPattern>> Compile(const std::string& pattern);
  ~OutputPattern();

  void Feed(size_t stream, std::string_view bytes);
  // Nothing more comes: a last line needs no end.
  void Close();
  bool found() const { return found_; }

 private:
  explicit OutputPattern(std::unique_ptr<re2::RE2> expression);
  void Look(std::string_view line);

  const std::unique_ptr<re2::RE2> expression_;
  std::string begun_[kStreams];  // the line that has not ended yet
  bool found_ = false;
};

}  // namespace muster
