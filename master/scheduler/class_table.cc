#include "master/scheduler/class_table.h"

namespace muster::scheduler {

ClassId ClassTable::For(const ClassKey& key) {
  if (last_key_ != nullptr && key == *last_key_) return last_id_;
  auto interned = ids_.try_emplace(key, ClassId(next_id_));
  if (interned.second) {
    ++next_id_;
    classes_[interned.first->second].key = &interned.first->first;
  }
  last_key_ = &interned.first->first;
  last_id_ = interned.first->second;
  return last_id_;
}

void ClassTable::SetStanding(ClassId cls, Standing standing) {
  At(cls).standing = standing;
  if (standing == Standing::kParked) {
    parked_.insert(cls);
  } else {
    parked_.erase(cls);
  }
}

void ClassTable::RemoveLane(ClassId cls, QueueIndex queue, int32_t priority) {
  Class& owner = At(cls);
  owner.lanes.erase({queue, priority});
  if (!owner.lanes.empty()) return;
  parked_.erase(cls);
  last_key_ = nullptr;
  ids_.erase(ids_.find(*owner.key));
  classes_.erase(cls);
}

void ClassTable::CheckInvariants() const {
  MUSTER_CHECK(classes_.size() == ids_.size());
  for (const auto& [cls, owner] : classes_) {
    MUSTER_CHECK(!owner.lanes.empty());
    MUSTER_CHECK((owner.standing == Standing::kParked) == parked_.contains(cls));
  }
}

}  // namespace muster::scheduler
