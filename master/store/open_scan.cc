#include "master/store/open_scan.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <memory>
#include <thread>
#include <utility>

#include "common/base/status_macros.h"
#include "master/store/row_reader.h"
#include "master/store/sqlite_database.h"

namespace muster::store {
namespace {

constexpr size_t kExceptionsPerSlice = 16'384;
constexpr int64_t kIdsPerSlice = 65'536;
constexpr int64_t kMostIdSlices = 4096;  // ids may have great gaps
constexpr size_t kMostThreads = 4;

// Exceptions by their place in the list, or a range of ids above the floor.
struct Slice {
  size_t first_exception = 0;
  size_t past_exception = 0;
  int64_t first_id = 0;
  int64_t past_id = 0;
};

struct SliceRows {
  std::vector<core::TaskGroupPtr> groups;
  std::vector<TaskRange> tasks;
};

class SliceReader {
 public:
  SliceReader(Database* database, const std::vector<int64_t>& exceptions)
      : database_(database), exceptions_(exceptions) {}

  absl::Status Read(const Slice& slice, SliceRows* rows) {
    rows_ = rows;
    MUSTER_ASSIGN_OR_RETURN(auto snapshot, SqlTransaction::Begin(database_, SqlTransaction::Kind::kRead));
    MUSTER_RETURN_IF_ERROR(ReadExceptions(slice));
    return ReadRange(slice);
  }

 private:
  absl::Status ReadExceptions(const Slice& slice) {
    for (size_t i = slice.first_exception; i < slice.past_exception; ++i) {
      Query row(database_, "SELECT * FROM specification WHERE first = ?", "specification");
      row.Bind(1, exceptions_[i]);
      if (row.Next()) MUSTER_RETURN_IF_ERROR(AddIfOpen(row));
      MUSTER_RETURN_IF_ERROR(row.status());
    }
    return absl::OkStatus();
  }

  absl::Status ReadRange(const Slice& slice) {
    Query rows(database_,
               "SELECT * FROM specification WHERE first >= ? AND first < ? AND (count > 1 OR NOT EXISTS "
               "(SELECT 1 FROM outcome WHERE task = first)) ORDER BY first",
               "specification");
    rows.Bind(1, slice.first_id);
    rows.Bind(2, slice.past_id);
    while (rows.Next()) {
      if (rows.Int(1) == 1) {
        AddTasks(rows.Int(0), rows.Int(0) + 1);
        MUSTER_RETURN_IF_ERROR(AddSpecification(rows));
      } else {
        MUSTER_RETURN_IF_ERROR(AddIfOpen(rows));
      }
    }
    return rows.status();
  }

  absl::Status AddIfOpen(const Query& row) {
    const int64_t first = row.Int(0);
    const int64_t count = row.Int(1);
    bool is_open = false;
    int64_t next = first;
    Query ended(database_, "SELECT task FROM outcome WHERE task >= ? AND task < ? ORDER BY task");
    ended.Bind(1, first);
    ended.Bind(2, first + count);
    while (ended.Next()) {
      is_open |= AddTasks(next, ended.Int(0));
      next = ended.Int(0) + 1;
    }
    MUSTER_RETURN_IF_ERROR(ended.status());
    is_open |= AddTasks(next, first + count);
    return is_open ? AddSpecification(row) : absl::OkStatus();
  }

  absl::Status AddSpecification(const Query& row) {
    MUSTER_ASSIGN_OR_RETURN(core::SpecificationRow specification, specifications_.Read(row));
    rows_->groups.push_back(core::MakeTaskGroup(std::move(specification)));
    return absl::OkStatus();
  }

  // Whether there are any.
  bool AddTasks(int64_t first, int64_t past) {
    if (first >= past) return false;
    std::vector<TaskRange>& ranges = rows_->tasks;
    const TaskRange added{TaskId(static_cast<uint64_t>(first)), static_cast<uint64_t>(past - first)};
    if (!ranges.empty() && ranges.back().first.value() + ranges.back().count == added.first.value()) {
      ranges.back().count += added.count;
    } else {
      ranges.push_back(added);
    }
    return true;
  }

  Database* const database_;
  const std::vector<int64_t>& exceptions_;
  SpecificationReader specifications_;
  SliceRows* rows_ = nullptr;
};

std::vector<Slice> Cut(size_t exceptions, int64_t floor, int64_t past) {
  std::vector<Slice> slices;
  for (size_t at = 0; at < exceptions; at += kExceptionsPerSlice) {
    slices.push_back({.first_exception = at, .past_exception = std::min(at + kExceptionsPerSlice, exceptions)});
  }
  const int64_t ids = std::max(kIdsPerSlice, (past - floor) / kMostIdSlices + 1);
  for (int64_t at = floor; at < past; at += ids) {
    slices.push_back({.first_id = at, .past_id = std::min(at + ids, past)});
  }
  return slices;
}

// Each thread takes the next slice until none is left; a slice's rows have their own place.
class SlicedScan {
 public:
  SlicedScan(const std::string& path, const std::vector<int64_t>& exceptions, std::vector<Slice> slices)
      : path_(path), exceptions_(exceptions), slices_(std::move(slices)), found_(slices_.size()) {}

  absl::Status Run() {
    const size_t cores = std::max<size_t>(1, std::thread::hardware_concurrency());
    std::vector<absl::Status> ends(std::min({cores, kMostThreads, slices_.size()}));
    std::vector<std::thread> threads;
    for (absl::Status& end : ends) threads.emplace_back([this, &end] { end = TakeSlices(); });
    for (std::thread& thread : threads) thread.join();
    for (const absl::Status& end : ends) MUSTER_RETURN_IF_ERROR(end);
    return absl::OkStatus();
  }

  OpenRows TakeAll() {
    OpenRows all;
    size_t groups = 0, tasks = 0;
    for (const SliceRows& found : found_) {
      groups += found.groups.size();
      for (const TaskRange range : found.tasks) tasks += range.count;
    }
    all.groups.reserve(groups);
    all.tasks.reserve(tasks);
    for (SliceRows& found : found_) {
      std::move(found.groups.begin(), found.groups.end(), std::back_inserter(all.groups));
      for (const TaskRange range : found.tasks) {
        for (uint64_t i = 0; i < range.count; ++i) all.tasks.emplace_back(TaskId(range.first.value() + i));
      }
      found = {};
    }
    return all;
  }

 private:
  absl::Status TakeSlices() {
    MUSTER_ASSIGN_OR_RETURN(const std::unique_ptr<Database> database,
                            Database::Open(path_, {.access = Database::Access::kLook}));
    SliceReader reader(database.get(), exceptions_);
    for (size_t i = next_++; i < slices_.size() && !failed_; i = next_++) {
      if (absl::Status read = reader.Read(slices_[i], &found_[i]); !read.ok()) {
        failed_ = true;
        return read;
      }
    }
    return absl::OkStatus();
  }

  const std::string& path_;
  const std::vector<int64_t>& exceptions_;
  const std::vector<Slice> slices_;
  std::vector<SliceRows> found_;  // by slice
  std::atomic<size_t> next_{0};
  std::atomic<bool> failed_{false};
};

}  // namespace

absl::StatusOr<OpenRows> ScanOpen(const std::string& path, std::vector<int64_t> exceptions, int64_t floor,
                                  int64_t past) {
  SlicedScan scan(path, exceptions, Cut(exceptions.size(), floor, past));
  MUSTER_RETURN_IF_ERROR(scan.Run());
  return scan.TakeAll();
}

}  // namespace muster::store
