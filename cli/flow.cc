// muster flow run|add|plan|get|ls|retry|cancel|import: workflows.
#include <cstdlib>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/errors.h"
#include "cli/flow_follow.h"
#include "cli/list_flags.h"
#include "cli/list_printer.h"
#include "cli/page.h"
#include "cli/plan_page.h"
#include "cli/session.h"
#include "cli/task_flags.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "cli/wfcommons.h"
#include "cli/workflow_input.h"
#include "cli/workflow_page.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

constexpr size_t kMostInstanceBytes = size_t{256} << 20;

void PrintLines(const Terminal& terminal, const std::vector<StyledLine>& lines) {
  for (const StyledLine& line : lines) PrintAsItIs(absl::StrCat(terminal.Paint(line), "\n"));
}

// A file and what its parameters stand for.
struct FileFlags {
  std::string file;
  std::vector<std::string> sets;

  void Declare(Flags& flags) {
    flags.Positional("FILE", &file, "The workflow: a YAML or JSON file, a folder of task files, or - for stdin.");
    flags.Texts("--set", &sets, "NAME=VALUE", "A parameter's value.");
  }

  template <typename Request>
  absl::StatusOr<std::vector<Request>> Parts(FileKind kind = FileKind::kWorkflow) const {
    MUSTER_ASSIGN_OR_RETURN(v1::WorkflowSpec spec, ReadWorkflow(file, kind));
    if (kind == FileKind::kWorkflow) SetOwner(Owner(), &spec);  // else the workflow's
    Request first;
    MUSTER_RETURN_IF_ERROR(ReadParameters(sets, first.mutable_parameters()));
    std::vector<Request> parts;
    SendInParts(std::move(spec), [&parts, &first](v1::WorkflowSpec part) {
      Request& request = parts.emplace_back();
      if (parts.size() == 1) request.Swap(&first);
      request.mutable_workflow()->Swap(&part);
      return true;
    });
    return parts;
  }
};

template <typename Request>
int32_t NodeCount(const std::vector<Request>& parts) {
  int32_t nodes = 0;
  for (const Request& part : parts) nodes += part.workflow().nodes_size();
  return nodes;
}

Action SetUpFlowRun(Flags& flags) {
  struct Values {
    FileFlags file;
    std::string request_id;
    bool no_wait = false;
    OutputFlags output;
  };
  auto values = std::make_shared<Values>();
  flags.Usage("flow run [flags] FILE|DIR|-");
  values->file.Declare(flags);
  flags.Switch("--no-wait", &values->no_wait, "Print its id and return.");
  flags.Text("--request-id", &values->request_id, "ID", "Makes the call safe to repeat: the same id and file give the same workflow.");
  values->output.Declare(flags);
  flags.Examples("  muster flow run nightly.yaml --set city=Bonn\n  id=$(muster flow run --no-wait -q nightly.yaml)\n"
                 "  muster flow run tasks/            a folder of task files");
  return [values](Session& session) -> absl::StatusOr<int> {
    MUSTER_ASSIGN_OR_RETURN(auto parts, values->file.Parts<v1::RunWorkflowRequest>());
    parts.front().set_node_count(NodeCount(parts));
    parts.front().set_request_id(values->request_id.empty() ? MakeRequestId() : values->request_id);
    if (!values->no_wait) session.HandleInterrupts();
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    MUSTER_ASSIGN_OR_RETURN(const v1::RunWorkflowResponse response, client->RunWorkflow(parts));
    for (const std::string& warning : response.warnings()) {
      session.terminal().Say(absl::StrCat("accepted, but nothing can run some of it now: ", warning));
    }
    const Format format = values->output.Get();
    if (values->no_wait) {
      if (IsData(format)) {
        PrintMessage(format, response.workflow());
      } else {
        Print(absl::StrCat(response.workflow().id(), "\n"));
      }
      return 0;
    }
    session.terminal().Say(absl::StrCat("workflow ", response.workflow().id(), " runs ", response.workflow().task_count(),
                                        response.workflow().task_count() == 1 ? " task" : " tasks"));
    return FollowFlow(session, response.workflow().id(), format);
  };
}

Action SetUpFlowAdd(Flags& flags) {
  struct Values {
    FileFlags file;
    std::string selector, request_id;
    OutputFlags output;
  };
  auto values = std::make_shared<Values>();
  flags.Usage("flow add [flags] FILE|DIR|-");
  values->file.Declare(flags);
  flags.Word("--to", &values->selector, "ID|NAME", "The workflow, which has not ended. Default: $MUSTER_WORKFLOW, the one that this command is a task of.");
  flags.Text("--request-id", &values->request_id, "ID", "Makes the call safe to repeat. Without one, what was added to this workflow before is not added again.");
  values->output.Declare(flags);
  flags.Examples("  muster flow add more.yaml                  in a task of a workflow: more tasks for it\n"
                 "  generate | muster flow add --to nightly -  from outside, while it runs");
  return [values](Session& session) -> absl::StatusOr<int> {
    std::string selector = values->selector;
    if (const char* const own = std::getenv("MUSTER_WORKFLOW"); selector.empty() && own != nullptr) selector = own;
    if (selector.empty()) return UsageError("which workflow? This command is no task of one (MUSTER_WORKFLOW is not set); name it with --to");
    MUSTER_ASSIGN_OR_RETURN(auto parts, values->file.Parts<v1::AddToWorkflowRequest>(FileKind::kMoreTasks));
    parts.front().set_selector(selector);
    parts.front().set_node_count(NodeCount(parts));
    parts.front().set_request_id(values->request_id);
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    MUSTER_ASSIGN_OR_RETURN(const v1::AddToWorkflowResponse response, client->AddToWorkflow(parts));
    for (const std::string& warning : response.warnings()) {
      session.terminal().Say(absl::StrCat("accepted, but nothing can run some of it now: ", warning));
    }
    const Format format = values->output.Get();
    if (IsData(format)) {
      PrintMessage(format, response);
    } else {
      session.terminal().Say(absl::StrCat("workflow ", response.workflow().id(), " has ", response.task_count(),
                                          response.task_count() == 1 ? " task" : " tasks", " more"));
    }
    return 0;
  };
}

Action SetUpFlowPlan(Flags& flags) {
  struct Values {
    FileFlags file;
    std::string format;
  };
  auto values = std::make_shared<Values>();
  flags.Usage("flow plan [flags] FILE|DIR|-");
  values->file.Declare(flags);
  flags.Choice("-o,--output", &values->format, {"table", "json", "yaml", "dot"}, "How to print it; dot is for Graphviz.");
  flags.Examples("  muster flow plan nightly.yaml --set city=Bonn\n  muster flow plan -o dot nightly.yaml | dot -Tsvg > nightly.svg");
  return [values](Session& session) -> absl::StatusOr<int> {
    MUSTER_ASSIGN_OR_RETURN(const auto parts, values->file.Parts<v1::PlanWorkflowRequest>());
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    MUSTER_ASSIGN_OR_RETURN(const v1::PlanWorkflowResponse response, client->PlanWorkflow(parts));
    if (values->format == "dot") {
      v1::WorkflowSpec spec = parts.front().workflow();
      for (size_t i = 1; i < parts.size(); ++i) spec.mutable_nodes()->MergeFrom(parts[i].workflow().nodes());
      Print(PlanDot(spec, response));
    } else if (const Format format = *ParseFormat(values->format); IsData(format)) {
      PrintMessage(format, response);
    } else {
      PrintLines(session.terminal(), PlanLines(response.plan(), static_cast<size_t>(session.terminal().Width())));
    }
    return 0;
  };
}

Action SetUpFlowImport(Flags& flags) {
  struct Values {
    std::string file, command;
    std::optional<double> scale;
  };
  auto values = std::make_shared<Values>();
  flags.Usage("flow import --wfcommons FILE [flags]");
  flags.Word("--wfcommons", &values->file, "FILE", "A WfCommons instance, in JSON; - for stdin.");
  flags.Real("--scale", &values->scale, "FACTOR", "Of the tasks' run times. Default 1.");
  flags.Word("--command", &values->command, "LINE",
             "What each task runs in place of a sleep: a line for /bin/sh, with {{ name }}, {{ type }} and {{ seconds }} of the task.");
  flags.Examples("  muster flow import --wfcommons montage.json --scale 0.01 > montage.yaml && muster flow run montage.yaml");
  return [values](Session&) -> absl::StatusOr<int> {
    if (values->file.empty()) return UsageError("flow import needs --wfcommons FILE: what to import");
    const double scale = values->scale.value_or(1);
    if (!(scale >= 0 && scale <= 1e6)) return UsageError("--scale must be between 0 and 1000000");
    MUSTER_ASSIGN_OR_RETURN(const std::string json, ReadInput(values->file, kMostInstanceBytes, "the instance"));
    MUSTER_ASSIGN_OR_RETURN(const v1::WorkflowSpec spec,
                            ImportWfCommons(values->file == "-" ? "stdin" : values->file, json, {.scale = scale, .command = values->command}));
    Print(WorkflowFileText(spec));
    return 0;
  };
}

Action SetUpFlowGet(Flags& flags) {
  struct Values {
    std::string selector;
    bool watch = false;
    bool all = false;
    OutputFlags output;
  };
  auto values = std::make_shared<Values>();
  flags.Usage("flow get [flags] ID|NAME");
  flags.Positional("ID", &values->selector, "The workflow, or its name: the newest one of that name.");
  flags.Switch("-w,--watch", &values->watch, "Follow it to its end; exit with 0 when it has SUCCEEDED.");
  flags.Switch("--all", &values->all, "A line for each node; else many like ones share a line.");
  values->output.Declare(flags);
  flags.Examples("  muster flow get nightly\n  muster flow get -w 4F");
  return [values](Session& session) -> absl::StatusOr<int> {
    if (values->watch) session.HandleInterrupts();
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    if (values->watch) return FollowFlow(session, values->selector, values->output.Get());
    MUSTER_ASSIGN_OR_RETURN(const v1::GetWorkflowResponse whole, ReadFlow(*client, values->selector));
    const Format format = values->output.Get();
    if (IsData(format)) {
      PrintMessage(format, whole);
    } else if (format == Format::kName) {
      Print(absl::StrCat(whole.workflow().id(), "\n"));
    } else {
      PrintLines(session.terminal(), WorkflowSummary(whole.workflow(), absl::Now()));
      PrintAsItIs("\n");
      PrintLines(session.terminal(), WorkflowGraphLines({whole.nodes().begin(), whole.nodes().end()}, !values->all, absl::Now(),
                                                        static_cast<size_t>(session.terminal().Width())));
    }
    return 0;
  };
}

Action SetUpFlowList(Flags& flags) {
  struct Values {
    bool all = false;
    std::optional<int64_t> limit;
    OutputFlags output;
  };
  auto values = std::make_shared<Values>();
  flags.Usage("flow ls [flags]");
  flags.Switch("-a,--all", &values->all, "Also those that have ended.");
  flags.Number("--limit", &values->limit, "N", "At most so many, the newest. Default 100.");
  values->output.Declare(flags);
  flags.Examples("  muster flow ls -a --limit 10");
  return [values](Session& session) -> absl::StatusOr<int> {
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    int64_t left = values->limit.value_or(100);
    v1::ListWorkflowsRequest request;
    request.set_include_finished(values->all);
    v1::ListWorkflowsResponse all;
    while (left > 0) {
      request.set_page_size(static_cast<int32_t>(std::min<int64_t>(left, 1000)));
      MUSTER_ASSIGN_OR_RETURN(const v1::ListWorkflowsResponse page, client->ListWorkflows(request));
      all.mutable_workflows()->MergeFrom(page.workflows());
      left -= page.workflows_size();
      request.set_page_token(page.next_page_token());
      if (page.next_page_token().empty()) break;
    }
    const bool wide = values->output.Get() == Format::kWide;
    PrintList(session.terminal(), values->output.Get(), "workflows", all.workflows(), [](const v1::Workflow& workflow) { return workflow.id(); },
              Table(WorkflowListHeader(wide)), [wide](const v1::Workflow& workflow, Table* table) {
                table->Add(WorkflowListRow(workflow, wide, absl::Now()), StateColour(workflow.state()), kWorkflowStateColumn);
              });
    if (all.workflows().empty() && !IsData(values->output.Get())) {
      session.terminal().Say(values->all ? "no workflows yet; `muster flow run FILE` runs one" : "no open workflows; -a shows those that have ended");
    }
    return 0;
  };
}

Action SetUpFlowRetry(Flags& flags) {
  struct Values {
    std::string selector;
    bool no_wait = false;
    OutputFlags output;
  };
  auto values = std::make_shared<Values>();
  flags.Usage("flow retry [flags] ID|NAME");
  flags.Positional("ID", &values->selector, "A workflow that has ended, or its name.");
  flags.Switch("--no-wait", &values->no_wait, "Print its id and return.");
  values->output.Declare(flags);
  flags.Examples("  muster flow retry nightly       what failed, and what hangs on it; what succeeded stays");
  return [values](Session& session) -> absl::StatusOr<int> {
    if (!values->no_wait) session.HandleInterrupts();
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    v1::RetryWorkflowRequest request;
    request.set_selector(values->selector);
    request.set_request_id(MakeRequestId());
    MUSTER_ASSIGN_OR_RETURN(const v1::RetryWorkflowResponse response, client->RetryWorkflow(request));
    const std::string& id = response.workflow().id();
    session.terminal().Say(absl::StrCat("workflow ", id, " tries ", response.task_count(), response.task_count() == 1 ? " task" : " tasks", " again"));
    if (!values->no_wait) return FollowFlow(session, id, values->output.Get());
    const Format format = values->output.Get();
    if (IsData(format)) {
      PrintMessage(format, response.workflow());
    } else {
      Print(absl::StrCat(id, "\n"));
    }
    return 0;
  };
}

Action SetUpFlowCancel(Flags& flags) {
  struct Values {
    std::string selector, reason;
    bool no_wait = false;
  };
  auto values = std::make_shared<Values>();
  flags.Usage("flow cancel [flags] ID|NAME");
  flags.Positional("ID", &values->selector, "The workflow, or its name.");
  flags.Text("--reason", &values->reason, "WORDS", "Why; kept with it and its tasks.");
  flags.Switch("--no-wait", &values->no_wait, "Return when the wish is durable, not when all has ended.");
  flags.Examples("  muster flow cancel nightly --reason 'wrong input'");
  return [values](Session& session) -> absl::StatusOr<int> {
    session.HandleInterrupts();
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    v1::CancelWorkflowRequest request;
    request.set_selector(values->selector);
    request.set_reason(values->reason);
    MUSTER_ASSIGN_OR_RETURN(const v1::CancelWorkflowResponse response, client->CancelWorkflow(request));
    v1::Workflow workflow = response.workflow();
    if (!values->no_wait) {
      MUSTER_ASSIGN_OR_RETURN(workflow, WaitForFlow(session, response.workflow().id()));
    }
    session.terminal().Say(absl::StrCat("workflow ", workflow.id(), values->no_wait ? " is being cancelled" : absl::StrCat(" has ended ", StateName(workflow.state()))));
    return 0;
  };
}

}  // namespace

Action SetUpFlow(Flags& flags) {
  flags.Usage("flow run|add|plan|get|ls|retry|cancel|import ...");
  flags.Verb("run", "Run a workflow and follow it to its end.", SetUpFlowRun);
  flags.Verb("add", "Add tasks to a workflow that has not ended: of a task, to its own.", SetUpFlowAdd);
  flags.Verb("plan", "What it would be: stages, longest way, work, slots. Changes nothing.", SetUpFlowPlan);
  flags.Verb("get", "Show its graph, with states and times.", SetUpFlowGet);
  flags.Verb("ls", "List workflows.", SetUpFlowList);
  flags.Verb("retry", "Run again what failed, and what hangs on it.", SetUpFlowRetry);
  flags.Verb("cancel", "Cancel it, with all its tasks.", SetUpFlowCancel);
  flags.Verb("import", "Make a workflow's file of a WfCommons instance.", SetUpFlowImport);
  return {};
}

}  // namespace muster::cli
