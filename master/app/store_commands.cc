#include "master/app/store_commands.h"

#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/id_text.h"
#include "master/app/check_text.h"
#include "master/store/salvage.h"
#include "master/store/store_check.h"
#include "master/store/store_copy.h"

namespace muster::master {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

struct Arguments {
  std::vector<std::string> places;
  std::string format = "text";
  bool wants_help = false;
  std::string wrong;  // what cannot be understood
};

struct Command {
  const char* name;
  const char* usage;
  size_t places;
  int (*run)(const Arguments& arguments);
};

int Fail(const absl::Status& status, int code) {
  std::fprintf(stderr, "muster-master: error: %s\n", std::string(status.message()).c_str());
  return code;
}
int CodeFor(const absl::Status& status) { return absl::IsNotFound(status) ? kWrongUsage : kFailed; }

void Print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

int Check(const Arguments& arguments) {
  const std::string& directory = arguments.places[0];
  const auto report = store::CheckStore(directory);
  if (!report.ok()) return Fail(report.status(), CodeFor(report.status()));
  Print(arguments.format == "json" ? CheckJson(directory, *report) : CheckText(directory, *report));
  return report->sound() ? kDone : kFailed;
}

int BackUp(const Arguments& arguments) {
  const auto made = store::BackUpStore(arguments.places[0], arguments.places[1]);
  if (!made.ok()) return Fail(made.status(), CodeFor(made.status()));
  Print(absl::StrCat(arguments.places[1], ": backup of commit ", made->check.last_commit.value(), ", ",
                     made->check.tasks, " tasks, ", made->bytes, " bytes, verified\n"));
  return kDone;
}

// What a store was told that comes back from a copy.
std::string RaisedText(const store::Raised& raised) {
  return absl::StrCat("  the next master serves with epoch ", raised.epoch + 1, ", and its first new task is ",
                      IdToText(raised.next_id.value()), "\n");
}

std::string LostText(uint64_t count) {
  if (count == 0) return "";
  return absl::StrCat("  ended LOST: ", count, " open tasks with --on-worker-loss hold or rerun-after-fence: they may have ",
                      "run since, or run now; `muster retry` runs them again\n");
}

int Restore(const Arguments& arguments) {
  const auto made = store::RestoreStore(arguments.places[0], arguments.places[1], absl::Now());
  if (!made.ok()) return Fail(made.status(), CodeFor(made.status()));
  Print(absl::StrCat(arguments.places[1], ": restored as of commit ", made->check.last_commit.value(), ", ",
                     made->check.tasks, " tasks, ", made->check.tasks - made->check.ended_tasks, " open\n",
                     RaisedText(made->raised), LostText(made->lost_tasks)));
  return kDone;
}

std::string TasksText(const char* what, const std::map<TaskId, std::string>& tasks) {
  std::string text;
  for (const auto& [task, why] : tasks) absl::StrAppend(&text, "  ", what, ": ", IdToText(task.value()), ": ", why, "\n");
  return text;
}

int Salvage(const Arguments& arguments) {
  const std::string& to = arguments.places[1];
  const auto made = store::SalvageStore(arguments.places[0], to, absl::Now());
  if (!made.ok()) return Fail(made.status(), CodeFor(made.status()));
  std::string text = absl::StrCat(to, ": serves ", made->check.tasks, " tasks, ",
                                  made->check.tasks - made->check.ended_tasks, " open\n");
  for (const auto& [table, count] : made->set_aside_rows) {
    absl::StrAppend(&text, "  set aside: ", count, " rows of table ", table, "\n");
  }
  absl::StrAppend(&text, TasksText("ended LOST", made->lost_tasks), TasksText("not served", made->gone_tasks),
                  LostText(made->held_tasks), RaisedText(made->raised));
  if (made->is_new_cluster) text += "  the cluster's id could not be read: workers will stop what they still run\n";
  Print(absl::StrCat(text, "  what was set aside is in ", to, "/", store::kSetAsideName, "\n"));
  return kDone;
}

constexpr Command kCommands[] = {
    {"check",
     "muster-master check [-o text|json] DIR\n\n"
     "Verifies the store in DIR without changing it, also while a master serves it: the files, every row's checksum,\n"
     "what rows and activity log say of each other, SQLite's structures, and store.mark. Prints each damage with its\n"
     "place, and what could be salvaged. Exit status: 0 sound, 1 damaged, 2 wrong usage.\n\n"
     "Examples:\n  muster-master check /var/lib/muster\n  muster-master check -o json /var/lib/muster | jq .findings\n",
     1, &Check},
    {"backup",
     "muster-master backup DIR TO\n\n"
     "Copies the store in DIR into the new directory TO, also while a master serves it: one moment of it, synced and\n"
     "verified. Nothing is overwritten. Exit status: 0 done, 1 not done, 2 wrong usage.\n\n"
     "Examples:\n  muster-master backup /var/lib/muster /backup/muster-$(date +%F)\n"
     "  muster-master check /backup/muster-2026-11-27\n",
     2, &BackUp},
    {"restore",
     "muster-master restore FROM DIR\n\n"
     "Makes a store in the new directory DIR of the backup in FROM. It serves with a higher epoch and with ids past\n"
     "those that were given out since; what the backup does not know is stopped by the workers' next sessions.\n"
     "Exit status: 0 done, 1 not done, 2 wrong usage.\n\n"
     "Example:\n  mv /var/lib/muster /var/lib/muster.old && muster-master restore /backup/muster-2026-11-27 /var/lib/muster\n",
     2, &Restore},
    {"salvage",
     "muster-master salvage DIR TO\n\n"
     "Makes a store in the new directory TO of what is whole in the damaged one in DIR, which stays as it is. What is\n"
     "damaged is set aside by task, in TO/set-aside.jsonl. Exit status: 0 done, 1 not done, 2 wrong usage.\n\n"
     "Example:\n  muster-master salvage /var/lib/muster /var/lib/muster.new && jq . /var/lib/muster.new/set-aside.jsonl\n",
     2, &Salvage},
};

const Command* FindCommand(std::string_view name) {
  for (const Command& command : kCommands) {
    if (name == command.name) return &command;
  }
  return nullptr;
}

Arguments Parse(int count, const char* const* words) {
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--help" || word == "-h") {
      arguments.wants_help = true;
    } else if (word == "-o" && i + 1 < count) {
      arguments.format = words[++i];
    } else if (word.size() > 1 && word[0] == '-') {
      arguments.wrong = word;
    } else {
      arguments.places.push_back(word);
    }
  }
  return arguments;
}

int Misused(const Command& command, const std::string& why) {
  std::fprintf(stderr, "muster-master: error: %s: %s; `muster-master %s --help` shows the usage\n", command.name,
               why.c_str(), command.name);
  return kWrongUsage;
}

}  // namespace

bool IsStoreCommand(std::string_view word) { return FindCommand(word) != nullptr; }

int RunStoreCommand(int count, const char* const* words) {
  const Command& command = *FindCommand(words[0]);
  const Arguments arguments = Parse(count, words);
  if (arguments.wants_help) {
    Print(absl::StrCat("Usage: ", command.usage));
    return kDone;
  }
  if (!arguments.wrong.empty()) return Misused(command, absl::StrCat("unknown flag ", arguments.wrong));
  const bool formats = command.run == &Check;
  if (arguments.format != "text" && !(formats && arguments.format == "json")) {
    return Misused(command, absl::StrCat("no output format ", arguments.format, formats ? ": text or json" : ""));
  }
  if (arguments.places.size() != command.places) {
    return Misused(command, absl::StrCat("it takes ", command.places, command.places == 1 ? " directory" : " directories",
                                         ", not ", arguments.places.size()));
  }
  return command.run(arguments);
}

}  // namespace muster::master
