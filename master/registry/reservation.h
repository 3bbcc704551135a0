// Room on a worker that is taken for an attempt which is not dispatched yet.
//
//   auto reservation = table.Reserve(worker, resources);   // empty: there is no room
//   ...                                                    // anything may fail here: the destructor returns the room
//   reservation->Commit();                                 // dispatched: from now on Release() returns it
//
// Move-only. Must not outlive its table. Thread rule: the table's.
#pragma once

#include <utility>

#include "common/domain/ids.h"
#include "common/domain/task_spec.h"

namespace muster::registry {

class WorkerTable;

class Reservation {
 public:
  Reservation(Reservation&& other) noexcept
      : table_(std::exchange(other.table_, nullptr)), worker_(other.worker_), amounts_(std::move(other.amounts_)) {}
  Reservation& operator=(Reservation&& other) noexcept {
    std::swap(table_, other.table_);
    std::swap(worker_, other.worker_);
    std::swap(amounts_, other.amounts_);
    return *this;
  }
  ~Reservation();

  // The attempt holds the room from here on.
  void Commit() { table_ = nullptr; }
  WorkerId worker() const { return worker_; }

 private:
  friend class WorkerTable;
  Reservation(WorkerTable* table, WorkerId worker, ResourceAmounts amounts)
      : table_(table), worker_(worker), amounts_(std::move(amounts)) {}

  WorkerTable* table_;
  WorkerId worker_;
  ResourceAmounts amounts_;
};

}  // namespace muster::registry
