// The file of what salvage did not take over: one JSON object a line, for people and for jq.
//
//   {"task":"7","table":"outcome","row":"row 7 (task 7)","why":"its checksum does not match","values":{"task":7,...}}
//
// Text that is not plain ASCII, and blobs, are "hex:...". Thread rule: one thread. Errors: INTERNAL, naming the file.
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/domain/ids.h"
#include "master/store/sqlite_database.h"
#include "master/store/store_tables.h"

namespace muster::store {

class SetAsideFile {
 public:
  static absl::StatusOr<SetAsideFile> Make(const std::string& path);

  void AddRow(const StoreTable& table, const Query& row, TaskId task, const std::string& why);
  // What is not one row: pages, or a part of the history.
  void AddNote(const std::string& table, TaskId task, const std::string& why);
  absl::Status Finish();  // synced

  const std::map<std::string, uint64_t>& rows() const { return rows_; }  // by table

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  SetAsideFile(std::string path, std::FILE* file) : path_(std::move(path)), file_(file) {}
  void Write(const std::string& line);

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::map<std::string, uint64_t> rows_;
  bool failed_ = false;
};

// A JSON string, quotes included.
std::string JsonText(std::string_view text);

}  // namespace muster::store
