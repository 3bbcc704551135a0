#include "cli/top_frame.h"

#include <algorithm>
#include <functional>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/output.h"
#include "cli/queue_table.h"
#include "cli/task_table.h"
#include "cli/text.h"
#include "cli/worker_table.h"
#include "common/convert/convert.h"

namespace muster::cli {
namespace {

constexpr size_t kBarWidth = 10;
constexpr size_t kMostCell = 40;
constexpr size_t kMostText = 500;  // of a last column, which the screen cuts
constexpr int kRowsWithKeys = 10;  // a smaller screen has better use for the line
constexpr size_t kAllRows = 1'000'000;

using Cells = std::vector<std::string>;

// Safe and short, each but the last.
Cells Clean(Cells cells) {
  for (size_t i = 0; i < cells.size(); ++i) cells[i] = OneLine(cells[i], i + 1 < cells.size() ? kMostCell : kMostText);
  return cells;
}

bool Shows(const Cells& cells, const std::string& filter) {
  const std::string wanted = absl::AsciiStrToLower(filter);
  return std::any_of(cells.begin(), cells.end(),
                     [&](const std::string& cell) { return absl::StrContains(absl::AsciiStrToLower(cell), wanted); });
}

std::string PerSecond(double rate) { return rate < 10 ? absl::StrFormat("%.1f", rate) : absl::StrFormat("%.0f", rate); }

int64_t CountOf(const v1::ClusterSummary& summary, std::initializer_list<v1::TaskState> states) {
  int64_t count = 0;
  for (const v1::StateCount& open : summary.open_tasks()) {
    if (std::find(states.begin(), states.end(), open.state()) != states.end()) count += open.count();
  }
  return count;
}

// Words with what they are worth: where there is no room, the cheapest go.
struct HeadWord {
  int worth;
  std::string text;
};

std::string FitWords(std::vector<HeadWord> words, size_t width) {
  const auto line = [&words] {
    return absl::StrJoin(words, "  ", [](std::string* out, const HeadWord& word) { out->append(word.text); });
  };
  while (width > 0 && words.size() > 1 && DisplayWidth(line()) > width) {
    words.erase(std::min_element(words.begin(), words.end(), [](const auto& a, const auto& b) { return a.worth < b.worth; }));
  }
  return line();
}

StyledLine HeadLine(const TopView& view, size_t width) {
  const v1::ClusterSummary& summary = view.snapshot.summary.summary();
  const absl::Duration up = view.snapshot.time - convert::FromProto(summary.start_time());
  const auto rate = [&](double TopRates::*member) { return view.rates ? PerSecond((*view.rates).*member) : std::string("-"); };
  return {{FitWords({{2, OneLine(absl::StrCat("cluster ", summary.cluster_id().substr(0, 8)), kMostCell)},
                     {3, absl::StrCat("epoch ", summary.epoch())},
                     {1, absl::StrCat("up ", DurationText(absl::Trunc(std::max(up, absl::ZeroDuration()), absl::Seconds(1))))},
                     {9, absl::StrCat("queued ", CountOf(summary, {v1::TASK_STATE_QUEUED, v1::TASK_STATE_PENDING}))},
                     {8, absl::StrCat("running ", CountOf(summary, {v1::TASK_STATE_DISPATCHED, v1::TASK_STATE_RUNNING,
                                                                    v1::TASK_STATE_VALIDATING, v1::TASK_STATE_UNKNOWN}))},
                     {7, absl::StrCat("ended ", rate(&TopRates::ended), "/s")},
                     {6, absl::StrCat("failed ", rate(&TopRates::failed), "/s")},
                     {5, absl::StrCat("started ", rate(&TopRates::started), "/s")}},
                    width),
           Colour::kBold}};
}

StyledLine StatusLine(const TopView& view, const TopControls& controls) {
  if (!view.trouble.empty()) return {{OneLine(absl::StrCat("reconnecting: ", view.trouble), kMostText), Colour::kRed}};
  if (controls.typing()) return {{OneLine(absl::StrCat("show what has in it: ", controls.filter(), "_"), kMostText)}};
  if (controls.paused()) return {{"paused; p goes on", Colour::kYellow}};
  if (!controls.filter().empty()) {
    return {{OneLine(absl::StrCat("only what has '", controls.filter(), "' in it; Esc shows all"), kMostText), Colour::kYellow}};
  }
  const v1::ClusterSummary& summary = view.snapshot.summary.summary();
  if (summary.draining()) return {{"the cluster stops: nothing new is accepted", Colour::kYellow}};
  StyledLine line = {{absl::StrCat(summary.active_worker_count(), " of ", summary.worker_count(), " workers active, ",
                                   summary.used_slots(), " of ", summary.slots(), " slots in use")}};
  if (const int64_t count = summary.straggler_count(); count > 0) {
    line.push_back({absl::StrCat(", ", count, count == 1 ? " straggler" : " stragglers"), Colour::kYellow});
  }
  return line;
}

std::string SlotsBar(const v1::Worker& worker) {
  const uint64_t slots = worker.offer().slots();
  const uint64_t used = std::min<uint64_t>(worker.used_slots(), slots);
  const size_t filled = slots == 0 ? 0 : (used * kBarWidth + slots - 1) / slots;
  return absl::StrCat("[", std::string(filled, '#'), std::string(kBarWidth - filled, '.'), "] ", worker.used_slots(), "/", slots);
}

double LoadOf(const v1::Worker& worker) {
  return worker.offer().slots() == 0 ? 0 : static_cast<double>(worker.used_slots()) / worker.offer().slots();
}

// The most interesting first; equal ones by name.
template <typename Resource>
std::vector<const Resource*> Ordered(const google::protobuf::RepeatedPtrField<Resource>& from,
                                     const std::function<double(const Resource&)>& interest) {
  std::vector<const Resource*> ordered;
  for (const Resource& resource : from) ordered.push_back(&resource);
  std::sort(ordered.begin(), ordered.end(), [&](const Resource* a, const Resource* b) {
    return std::make_tuple(-interest(*a), std::cref(a->name())) < std::make_tuple(-interest(*b), std::cref(b->name()));
  });
  return ordered;
}

// Rows under a header, of which a screen may show some.
struct Section {
  std::vector<StyledLine> lines;
  size_t rows() const { return lines.size() - 1; }
};

Section WorkerSection(const TopView& view, const TopControls& controls, size_t width) {
  Table table({"WORKER", "STATE", "SLOTS", "LOAD", "MEM FREE", "DISK FREE", "WHY"});
  const std::function<double(const v1::Worker&)> interest = [&](const v1::Worker& worker) {
    if (controls.order() == TopOrder::kByLoad) return LoadOf(worker);
    if (controls.order() == TopOrder::kByTrouble) return worker.state() == v1::WORKER_STATE_ACTIVE ? 0.0 : static_cast<double>(worker.state());
    return 0.0;
  };
  for (const v1::Worker* worker : Ordered(view.snapshot.workers.workers(), interest)) {
    Cells cells = Clean({worker->name(), StateName(worker->state()), SlotsBar(*worker),
                         absl::StrFormat("%.2f", worker->load().load_average()), SizeText(worker->load().free_memory_bytes()),
                         SizeText(worker->load().free_disk_bytes()), WorkerReasons(*worker)});
    if (Shows(cells, controls.filter())) table.Add(std::move(cells), StateColour(worker->state()), kWorkerStateColumn);
  }
  return {table.Lines(width)};
}

Section QueueSection(const TopView& view, const TopControls& controls, size_t width) {
  Cells header = QueueHeader(false);
  header.front() = "QUEUE";
  Table table(header);
  const std::function<double(const v1::Queue&)> interest = [&](const v1::Queue& queue) {
    if (controls.order() == TopOrder::kByLoad) return static_cast<double>(queue.queued_count());
    if (controls.order() == TopOrder::kByTrouble) return queue.paused() ? 2.0 : queue.held_because().empty() ? 0.0 : 1.0;
    return 0.0;
  };
  for (const v1::Queue* queue : Ordered(view.snapshot.queues.queues(), interest)) {
    Cells cells = Clean(QueueRow(*queue, false));
    if (Shows(cells, controls.filter())) table.Add(std::move(cells), QueueColour(*queue), kQueueStateColumn);
  }
  return {table.Lines(width)};
}

Section TaskSection(const TopView& view, const TopControls& controls, size_t width) {
  constexpr size_t kTimeColumn = 2;
  Table table({"TASK", "WORKER", "RUNS FOR", "NAME", "COMMAND"});
  for (const v1::Task& task : view.snapshot.summary.longest_running()) {
    const std::string worker = task.attempts().empty() ? "-" : task.attempts().rbegin()->worker();
    Cells cells = Clean({task.id(), worker, RunTimeText(task, view.snapshot.time), task.spec().name().empty() ? "-" : task.spec().name(),
                         SpecCommandText(task.spec())});
    if (!Shows(cells, controls.filter())) continue;
    table.Add(std::move(cells), task.has_straggler() ? Colour::kYellow : Colour::kPlain, kTimeColumn);
  }
  return {table.Lines(width)};
}

const char* OrderName(TopOrder order) {
  return order == TopOrder::kByName ? "by name" : order == TopOrder::kByLoad ? "by load" : "troubles first";
}

// As many of the section's lines as it got; when some are left out, the last one says how many.
void AddSection(const Section& section, size_t rows, std::vector<StyledLine>* frame) {
  frame->push_back(section.lines.front());
  const size_t shown = rows < section.rows() ? rows - std::min<size_t>(rows, 1) : section.rows();
  frame->insert(frame->end(), section.lines.begin() + 1, section.lines.begin() + 1 + static_cast<std::ptrdiff_t>(shown));
  if (rows > shown) frame->push_back({{absl::StrCat("... and ", section.rows() - shown, " more"), Colour::kDim}});
}

}  // namespace

std::vector<size_t> ShareRows(const std::vector<size_t>& wanted, size_t room) {
  std::vector<size_t> given(wanted.size(), 0);
  for (bool any = true; any && room > 0;) {
    any = false;
    for (size_t i = 0; i < wanted.size() && room > 0; ++i) {
      if (given[i] >= wanted[i]) continue;
      ++given[i];
      --room;
      any = true;
    }
  }
  return given;
}

std::vector<StyledLine> TopFrame(const TopView& view, const TopControls& controls, ScreenSize size, bool keys) {
  const auto width = static_cast<size_t>(std::max(0, size.columns));
  std::vector<StyledLine> frame = {HeadLine(view, width), StatusLine(view, controls)};
  std::vector<Section> sections;
  sections.push_back(WorkerSection(view, controls, width));
  sections.push_back(QueueSection(view, controls, width));
  sections.push_back(TaskSection(view, controls, width));

  const bool has_keys = keys && size.rows >= kRowsWithKeys;
  size_t room = kAllRows;
  if (size.rows > 0) {
    const size_t taken = frame.size() + 2 * sections.size() + (has_keys ? 1 : 0);  // a blank line and a header for each
    room = static_cast<size_t>(size.rows) > taken ? static_cast<size_t>(size.rows) - taken : 0;
  }
  std::vector<size_t> wanted;
  for (const Section& section : sections) wanted.push_back(section.rows());
  const std::vector<size_t> given = ShareRows(wanted, room);
  for (size_t i = 0; i < sections.size(); ++i) {
    frame.emplace_back();
    AddSection(sections[i], given[i], &frame);
  }
  if (size.rows > 0) frame.resize(std::min(frame.size(), static_cast<size_t>(size.rows) - (has_keys ? 1 : 0)));
  if (has_keys) {
    frame.resize(static_cast<size_t>(size.rows) - 1);
    frame.push_back({{absl::StrCat("q quit   p ", controls.paused() ? "go on" : "pause", "   s sort (", OrderName(controls.order()),
                                   ")   / filter"),
                      Colour::kDim}});
  }
  if (width == 0) return frame;
  for (StyledLine& line : frame) line = CutLine(line, width);
  return frame;
}

std::string TopJson(const TopView& view) {
  const auto list = [](const auto& messages) {
    return absl::StrCat("[", absl::StrJoin(messages, ",", [](std::string* out, const auto& message) { *out += ToJson(message, false); }), "]");
  };
  std::string rates = "null";
  if (view.rates) {
    rates = absl::StrFormat("{\"ended_per_second\":%g,\"failed_per_second\":%g,\"started_per_second\":%g}", view.rates->ended,
                            view.rates->failed, view.rates->started);
  }
  return absl::StrCat("{\"time\":\"", TimeText(view.snapshot.time), "\",\"summary\":", ToJson(view.snapshot.summary.summary(), false),
                      ",\"rates\":", rates, ",\"workers\":", list(view.snapshot.workers.workers()),
                      ",\"queues\":", list(view.snapshot.queues.queues()),
                      ",\"longest_running\":", list(view.snapshot.summary.longest_running()), "}");
}

}  // namespace muster::cli
