#include "master/store/set_aside.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/id_text.h"

namespace muster::store {
namespace {

bool IsPlain(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char byte) { return byte >= ' ' && byte < 0x7f; });
}

std::string ValueText(const Query& row, int column) {
  switch (row.Type(column)) {
    case SQLITE_NULL: return "null";
    case SQLITE_INTEGER: return absl::StrCat(row.Int(column));
    default: break;
  }
  const std::string_view bytes = row.Bytes(column);
  if (row.Type(column) == SQLITE_TEXT && IsPlain(bytes)) return JsonText(bytes);
  return absl::StrCat("\"hex:", absl::BytesToHexString(absl::string_view(bytes.data(), bytes.size())), "\"");
}

std::string TaskText(TaskId task) { return task ? absl::StrCat("\"task\":\"", IdToText(task.value()), "\",") : ""; }

}  // namespace

std::string JsonText(std::string_view text) {
  std::string json = "\"";
  for (const char byte : text) {
    if (byte == '"' || byte == '\\') {
      json += '\\';
      json += byte;
    } else if (static_cast<unsigned char>(byte) < ' ') {
      absl::StrAppendFormat(&json, "\\u%04x", byte);
    } else {
      json += byte;
    }
  }
  return json + "\"";
}

absl::StatusOr<SetAsideFile> SetAsideFile::Make(const std::string& path) {
  std::FILE* const file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return absl::InternalError(absl::StrCat("cannot make ", path, ": ", std::strerror(errno)));
  return SetAsideFile(path, file);
}

void SetAsideFile::AddRow(const StoreTable& table, const Query& row, TaskId task, const std::string& why) {
  std::string values;
  const int columns = std::min(row.ColumnCount(), static_cast<int>(table.columns.size()));
  for (int i = 0; i < columns; ++i) {
    absl::StrAppend(&values, i == 0 ? "" : ",", JsonText(table.columns[static_cast<size_t>(i)].name), ":",
                    ValueText(row, i));
  }
  ++rows_[table.name];
  Write(absl::StrCat("{", TaskText(task), "\"table\":", JsonText(table.name), ",\"row\":",
                     JsonText(NameOfRow(table, row)), ",\"why\":", JsonText(why), ",\"values\":{", values, "}}\n"));
}

void SetAsideFile::AddNote(const std::string& table, TaskId task, const std::string& why) {
  Write(absl::StrCat("{", TaskText(task), "\"table\":", JsonText(table), ",\"why\":", JsonText(why), "}\n"));
}

void SetAsideFile::Write(const std::string& line) {
  failed_ = failed_ || std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size();
}

absl::Status SetAsideFile::Finish() {
  failed_ = failed_ || std::fflush(file_.get()) != 0 || fsync(fileno(file_.get())) != 0;
  if (failed_) return absl::InternalError(absl::StrCat("cannot write ", path_, ": ", std::strerror(errno)));
  return absl::OkStatus();
}

}  // namespace muster::store
