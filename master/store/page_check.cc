#include "master/store/page_check.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "master/store/sqlite_database.h"

namespace muster::store {
namespace {

constexpr int kOperationsPerQuestion = 4096;  // of what quick_check does with rows, after the pages

// Between a connection and its database file, as long as it lives: reads fail when it is enough.
class BoundedReads {
 public:
  BoundedReads(sqlite3* connection, std::function<bool()> enough) : connection_(connection), enough_(std::move(enough)) {
    const int code = sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &file_);
    MUSTER_CHECK(code == SQLITE_OK && file_->pMethods != nullptr);
    bounded_ = {*file_->pMethods, file_->pMethods, this};
    bounded_.methods.xRead = &BoundedReads::Read;
    file_->pMethods = &bounded_.methods;
    sqlite3_progress_handler(connection, kOperationsPerQuestion, &BoundedReads::AskAmongRows, this);
  }
  ~BoundedReads() {
    file_->pMethods = bounded_.original;
    sqlite3_progress_handler(connection_, 0, nullptr, nullptr);
  }
  BoundedReads(const BoundedReads&) = delete;

  bool refused() const { return refused_; }

 private:
  // SQLite hands a function the file alone; from its methods, which come first here, we find ourselves.
  struct Methods {
    sqlite3_io_methods methods;
    const sqlite3_io_methods* original;
    BoundedReads* self;
  };

  static int Read(sqlite3_file* file, void* bytes, int size, sqlite3_int64 offset) {
    const auto* const bounded = reinterpret_cast<const Methods*>(file->pMethods);
    if (bounded->self->Enough()) return SQLITE_IOERR_READ;
    return bounded->original->xRead(file, bytes, size, offset);
  }
  static int AskAmongRows(void* self) { return static_cast<BoundedReads*>(self)->Enough() ? 1 : 0; }

  bool Enough() { return refused_ = refused_ || enough_(); }

  sqlite3* const connection_;
  const std::function<bool()> enough_;
  sqlite3_file* file_ = nullptr;
  Methods bounded_ = {};
  bool refused_ = false;
};

}  // namespace

absl::Status CheckPages(const std::string& path, std::function<bool()> enough) {
  MUSTER_ASSIGN_OR_RETURN(const auto database, Database::Open(path, {.access = Database::Access::kLook}));
  // The schema is read before: a connection that could not is refused for a reason of its own.
  Query schema(database.get(), "SELECT count(*) FROM sqlite_master");
  MUSTER_RETURN_IF_ERROR(schema.Run());
  BoundedReads reads(database->handle(), std::move(enough));
  Query check(database.get(), "PRAGMA quick_check(1)");
  std::string finding;
  if (check.Next()) finding = std::string(check.Bytes(0));
  if (reads.refused()) return absl::OkStatus();
  MUSTER_RETURN_IF_ERROR(check.status());
  if (finding == "ok" || finding.empty()) return absl::OkStatus();
  finding = absl::StrReplaceAll(finding, {{"*** in database main ***\n", ""}, {"\n", ": "}});
  return absl::DataLossError(absl::StrCat("store ", path, " is damaged: ", finding));
}

}  // namespace muster::store
