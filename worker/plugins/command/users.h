// Whom commands run as, when the worker is root: one user for all of them, or one of its own for each, from a range.
//
// What runs in an attempt's directory after its command (a validation) runs as the same user again: it is the
// directory's owner.
// Thread rule: any thread. Ownership: what was taken goes back when nothing of the attempt is left. Errors: a bad
// setting throws std::invalid_argument; none left is nullopt.
#pragma once

#include <sys/types.h>

#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace muster::command {

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string home;  // empty: the task's directory
};

class Users {
 public:
  // Of an isolated command whose worker is root and has no other user for it: nobody's.
  static constexpr uid_t kNobody = 65534;

  // `user`: a name or a number. `range`: "FIRST-LAST". At most one of them; empty: none.
  Users(const std::string& user, const std::string& range);

  // False: commands run as the worker.
  bool configured() const { return one_.has_value() || last_ > 0; }
  std::string words() const;  // "its own user", "nobody (65534)", "a user of their own of 70000-70999"

  // Throws when there are users who cannot pass through to the directories below `work_dir`.
  void CheckWay(const std::string& work_dir) const;

  // Whom an attempt in this directory runs as. Nullopt: all of the range are taken.
  std::optional<User> Take(const std::string& task_directory);
  void GiveBack(const User& user);

 private:
  bool InRange(uid_t uid) const { return last_ > 0 && uid >= first_ && uid <= last_; }

  std::optional<User> one_;
  std::string name_;
  uid_t first_ = 0, last_ = 0;

  std::mutex mutex_;          // guards what follows
  std::vector<bool> taken_;   // by uid - first_
  size_t next_ = 0;           // so that a number is not used again at once
};

}  // namespace muster::command
