// Where map's arguments come from: words after ":::", lines of files, lines of stdin; crossed and linked as GNU
// parallel does.
//
//   echo {1} {2} ::: A B ::: 1 2     A 1, A 2, B 1, B 2: the last source turns fastest
//   echo {1} {2} ::: A B :::+ 1 2    A 1, B 2: linked to the source before, as long as the shorter one
//   :::: FILE, ::::+ FILE            the same with the lines of a file ("-": stdin)
//
// One source that is a file or stdin is read as it comes and may be endless; several are read whole.
// Source: the manual of GNU parallel (behaviour), written anew. Thread rule: one thread.
// Errors: errors.h's UsageError.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace muster::cli {

struct ArgumentSource {
  std::vector<std::string> words;
  std::string file;  // not empty: its lines, in place of words
  bool linked = false;

  friend bool operator==(const ArgumentSource&, const ArgumentSource&) = default;
};

struct MapWords {
  std::vector<std::string> argv;
  std::vector<ArgumentSource> sources;
};
// Splits what follows "muster map".
absl::StatusOr<MapWords> SplitMapWords(const std::vector<std::string>& words);

class ArgumentRows {
 public:
  virtual ~ArgumentRows() = default;
  // `delimiter` ends the lines of files.
  static absl::StatusOr<std::unique_ptr<ArgumentRows>> Open(const std::vector<ArgumentSource>& sources, char delimiter);

  // False at the end.
  virtual absl::StatusOr<bool> Next(std::vector<std::string>* row) = 0;
  // Whether Next would answer without waiting for input.
  virtual bool HasMoreNow() = 0;
  // How many rows there are in all, when that is known.
  virtual std::optional<int64_t> total() const = 0;
};

}  // namespace muster::cli
