#include "cli/workflow_file/workflow_file.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "cli/workflow_file/document.h"
#include "common/convert/workflow_parameters.h"
#include "common/domain/batch_arguments.h"

namespace muster::cli {
namespace {

using ::testing::ElementsAre;

v1::WorkflowSpec Read(const std::string& text) {
  const absl::StatusOr<v1::WorkflowSpec> spec = ReadWorkflowText({"f.yaml", text});
  EXPECT_TRUE(spec.ok()) << spec.status() << "\n" << text;
  return spec.value_or(v1::WorkflowSpec());
}

std::string Refusal(const std::string& text) {
  const absl::StatusOr<v1::WorkflowSpec> spec = ReadWorkflowText({"f.yaml", text});
  return spec.ok() ? "read: " + spec->ShortDebugString() : std::string(spec.status().message());
}

void ExpectSpec(const std::string& text, const std::string& expected_text) {
  v1::WorkflowSpec expected;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(expected_text, &expected)) << expected_text;
  const v1::WorkflowSpec spec = Read(text);
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(spec, expected)) << spec.DebugString();
}

// One task, its fields.
std::string Task(const std::string& fields) { return absl::StrCat("parameters: {city: Bonn}\ntasks:\n  t: {", fields, "}\n"); }

TEST(WorkflowFile, AWholeFile) {
  ExpectSpec(R"(
name: nightly
parameters:
  city: {default: Bonn, description: where}
  year:
max_parallel: 8
on_failure: fail-fast
labels: {team: data}
defaults:
  retry: {max_attempts: 3}
  env: {LC_ALL: C, TZ: UTC}
tasks:
  fetch:
    run: ./fetch.sh {{ city }}
    outputs: [version]
  score:
    command: [./score, "{{ matrix.model }}", "{{ matrix.seed }}"]
    matrix: {model: [a, b], seed: [1, 2]}
    needs: [fetch]
    env: {VERSION: "{{ fetch.version }}", TZ: Europe/Berlin}
    if: fetch.version != ""
  report:
    needs: [{score: any}]
    run: ./report.sh
    may_fail: true
    retries: 0
)",
             R"pb(
    name: "nightly"
    max_parallel: 8
    on_failure: FAILURE_RULE_FAIL_FAST
    parameters { name: "city" default_value: "Bonn" description: "where" }
    parameters { name: "year" }
    labels { key: "team" value: "data" }
    nodes {
      name: "fetch"
      task {
        command { argv: "./fetch.sh {{ city }}" shell: true environment { name: "LC_ALL" value: "C" } environment { name: "TZ" value: "UTC" } }
        retry { max_attempts: 3 }
      }
      outputs: "version"
    }
    nodes {
      name: "score"
      task {
        command { argv: "./score" argv: "{1}" argv: "{2}" environment { name: "LC_ALL" value: "C" } environment { name: "TZ" value: "Europe/Berlin" } }
        retry { max_attempts: 3 }
      }
      rows { values: "a" values: "1" }
      rows { values: "a" values: "2" }
      rows { values: "b" values: "1" }
      rows { values: "b" values: "2" }
      needs { node: "fetch" }
      variables { name: "VERSION" node: "fetch" output: "version" }
      condition { node: "fetch" output: "version" negated: true }
    }
    nodes {
      name: "report"
      task {
        command { argv: "./report.sh" shell: true environment { name: "LC_ALL" value: "C" } environment { name: "TZ" value: "UTC" } }
        retry { max_attempts: 1 }
      }
      needs { node: "score" condition: DEPENDENCY_CONDITION_ANY }
      may_fail: true
    })pb");
}

TEST(WorkflowFile, JsonIsTheSame) {
  ExpectSpec(R"({"name": "j", "tasks": {"a": {"command": ["x", "\u00fc\n\"\/"], "needs": []}, "b":{"needs":["a"],"run":"y"}}})",
             R"pb(
    name: "j"
    nodes { name: "a" task { command { argv: "x" argv: "ü\n\"/" } } }
    nodes { name: "b" task { command { argv: "y" shell: true } } needs { node: "a" } })pb");
}

TEST(WorkflowFile, EveryFieldOfATaskAndItsShortForms) {
  ExpectSpec(R"(
tasks:
  long:
    queue: q
    priority: -3
    executor: command
    command: {argv: [a, 1, true], shell: true, workingDirectory: /tmp, stdin: aGk=, environment: [{name: A, value: b}]}
    requirements: {needs: [gpu], avoids: [spot], slots: 2, cpu: 0.5, memory_bytes: 2G, resources: {gpu: 1}, arrangement: pack}
    retry: {max_attempts: 2, base_delay: 500ms, on_exit_codes: [75]}
    on_worker_loss: rerun-after-fence
    isolation: strict
    no_network: true
    run_timeout: 1m30s
    labels: [{key: a, value: b}]
    limit_key: user=ann
    limit: 3
    validation: {accepted_exit_codes: [0, 3]}
  short:
    command: [x]
    timeout: 5m
    cwd: /srv
    slots: 3
    cpu: 2
    memory: 512M
    disk: 1G
    retries: 2
    accept_exit: [0, 7]
    validate_output: ^done
    validate: test -s out
    validate_timeout: 10s
    labels: {a: 1}
  other:
    executor: http
    parameters: {url: "http://h", deep: [1, "1", true, ~, {a: 1.5}]}
    arguments: [x]
)",
             R"pb(
    nodes {
      name: "long"
      task {
        queue: "q"
        priority: -3
        executor: "command"
        command { argv: "a" argv: "1" argv: "true" shell: true working_directory: "/tmp" stdin: "hi" environment { name: "A" value: "b" } }
        requirements { needs: "gpu" avoids: "spot" slots: 2 cpu: 0.5 memory_bytes: 2147483648 resources { name: "gpu" amount: 1 } arrangement: ARRANGEMENT_PACK }
        retry { max_attempts: 2 base_delay { nanos: 500000000 } on_exit_codes: 75 }
        on_worker_loss: ON_WORKER_LOSS_RERUN_AFTER_FENCE
        isolation: ISOLATION_STRICT
        no_network: true
        run_timeout { seconds: 90 }
        labels { key: "a" value: "b" }
        limit_key: "user=ann"
        limit: 3
        validation { accepted_exit_codes: 0 accepted_exit_codes: 3 }
      }
    }
    nodes {
      name: "short"
      task {
        command { argv: "x" working_directory: "/srv" }
        run_timeout { seconds: 300 }
        requirements { slots: 3 cpu: 2 memory_bytes: 536870912 disk_bytes: 1073741824 }
        retry { max_attempts: 3 }
        validation { accepted_exit_codes: 0 accepted_exit_codes: 7 output_pattern: "^done" command: "test -s out" timeout { seconds: 10 } }
        labels { key: "a" value: "1" }
      }
    }
    nodes {
      name: "other"
      task {
        executor: "http"
        parameters {
          fields { key: "url" value { string_value: "http://h" } }
          fields {
            key: "deep"
            value { list_value {
              values { number_value: 1 } values { string_value: "1" } values { bool_value: true } values { null_value: NULL_VALUE }
              values { struct_value { fields { key: "a" value { number_value: 1.5 } } } }
            } }
          }
        }
        arguments: "x"
      }
    })pb");
}

TEST(WorkflowFile, NeedsInEachForm) {
  ExpectSpec("tasks:\n  a: {run: x}\n  b: {run: x, needs: a}\n  c: {run: x, needs: {a: failure, b: always}}\n  d: {run: x, needs: ['a: any', c]}\n", R"pb(
    nodes { name: "a" task { command { argv: "x" shell: true } } }
    nodes { name: "b" task { command { argv: "x" shell: true } } needs { node: "a" } }
    nodes { name: "c" task { command { argv: "x" shell: true } } needs { node: "a" condition: DEPENDENCY_CONDITION_FAILURE } needs { node: "b" condition: DEPENDENCY_CONDITION_ANY } }
    nodes { name: "d" task { command { argv: "x" shell: true } } needs { node: "a" condition: DEPENDENCY_CONDITION_ANY } needs { node: "c" } })pb");
}

TEST(WorkflowFile, ConditionsInEachForm) {
  const auto condition = [](const std::string& text) {
    const v1::WorkflowSpec spec = Read(absl::StrCat("parameters: {city: Bonn}\ntasks:\n  a: {run: x, outputs: [v]}\n  b:\n    run: x\n    needs: a\n    if: ", text, "\n"));
    return spec.nodes_size() < 2 ? "" : spec.nodes(1).condition().ShortDebugString();
  };
  EXPECT_EQ(condition("a.v == 1"), "node: \"a\" output: \"v\" right: \"1\"");
  EXPECT_EQ(condition("a.v != ''"), "node: \"a\" output: \"v\" negated: true");
  EXPECT_EQ(condition("'{{ a.v }} == \"x == y\"'"), "node: \"a\" output: \"v\" right: \"x == y\"");
  EXPECT_EQ(condition("city == Bonn"), "text: \"{{ city }}\" right: \"Bonn\"");
  EXPECT_EQ(condition("'\"in {{ city }}\" != {{ city }}'"), "text: \"in {{ city }}\" negated: true right: \"{{ city }}\"");
}

TEST(WorkflowFile, AMatrixWithRowsLeftOutAndAdded) {
  const v1::WorkflowSpec spec = Read(
      "tasks:\n  t:\n    run: x {{ matrix.b }}\n    matrix: {a: [1, 0.10, yes], b: ['', y], exclude: [{a: 1}, {a: 0.10, b: y}], include: [{b: z, a: 9}]}\n");
  std::vector<std::string> rows;
  for (const v1::ArgumentRow& row : spec.nodes(0).rows()) rows.push_back(row.values(0) + "|" + row.values(1));
  EXPECT_THAT(rows, ElementsAre("0.10|", "yes|", "yes|y", "9|z"));
  EXPECT_EQ(spec.nodes(0).task().command().argv(0), "x {2}");
}

// What a worker makes of a node's command, for one row.
std::vector<std::string> Filled(const v1::WorkflowNode& node, int row) {
  const auto& argv = node.task().command().argv();
  const auto& values = node.rows(row).values();
  return FillArguments({argv.begin(), argv.end()}, {values.begin(), values.end()}, 1, node.task().command().shell() ? FillFor::kShell : FillFor::kExec);
}

TEST(WorkflowFile, AUsersOwnBracesSurviveAMatrix) {
  v1::WorkflowSpec spec = Read(R"(
parameters: {p: '{}'}
defaults: {env: {D: '{1}'}}
tasks:
  none: {command: [./x, -a], matrix: {i: [1, 2]}}
  own: {command: [find, -exec, 'a{}', '${1}', '{{.}}', '\{{ i }}', '{ {{ matrix.i }} }', '{{{ matrix.i }}}', '{{{ p }}}'], matrix: {i: [1, 2]}}
  line:
    run: 'find {{ matrix.i }} -exec a {} ${1} {{ p }} + #{#}'
    matrix: {i: ["it's", 2]}
    env: {A: '{1}{{ matrix.i }}'}
)");
  ASSERT_EQ(convert::FillParameters({}, &spec), absl::OkStatus());
  EXPECT_THAT(Filled(spec.nodes(0), 1), ElementsAre("./x", "-a"));
  EXPECT_THAT(Filled(spec.nodes(1), 1), ElementsAre("find", "-exec", "a{}", "${1}", "{{.}}", "{{ i }}", "{ 2 }", "{2}", "{{}}"));
  EXPECT_THAT(Filled(spec.nodes(2), 0), ElementsAre("find 'it'\\''s' -exec a {} ${1} '{}' + #{#}"));
  const auto& environment = spec.nodes(2).task().command().environment();
  EXPECT_EQ(FillText(environment[0].value(), {"v"}, 1), "{1}");
  EXPECT_EQ(FillText(environment[1].value(), {"v"}, 1), "{1}v");
}

TEST(WorkflowFile, DefaultsAreLaidUnder) {
  const v1::WorkflowSpec spec = Read(R"(
defaults: {run: base, labels: {a: 1, b: 1}, timeout: 5m, may_fail: true, retry: {on_exit_codes: [1, 2], max_attempts: 2}}
tasks:
  a:
  b: {command: [own], labels: {b: 2}, timeout: 500ms, may_fail: false, retry: {on_exit_codes: [3]}}
)");
  EXPECT_EQ(spec.nodes(0).task().command().ShortDebugString(), "argv: \"base\" shell: true");
  EXPECT_TRUE(spec.nodes(0).may_fail());
  const v1::TaskSpec& own = spec.nodes(1).task();
  EXPECT_EQ(own.command().ShortDebugString(), "argv: \"own\"");
  EXPECT_EQ(own.run_timeout().ShortDebugString(), "nanos: 500000000");
  EXPECT_EQ(own.retry().ShortDebugString(), "max_attempts: 2 on_exit_codes: 3");
  EXPECT_EQ(own.labels_size(), 2);
  EXPECT_EQ(own.labels(1).value(), "2");
  EXPECT_FALSE(spec.nodes(1).may_fail());
}

TEST(WorkflowFile, AliasesStandForWhatTheyName) {
  const v1::WorkflowSpec spec = Read("tasks:\n  a: &a {run: x, labels: &l {k: v}}\n  b: *a\n  c: {run: y, labels: *l, needs: [a]}\n");
  EXPECT_EQ(spec.nodes(1).task().ShortDebugString(), spec.nodes(0).task().ShortDebugString());
  EXPECT_EQ(spec.nodes(2).task().labels(0).value(), "v");
}

TEST(WorkflowFile, BytesThatAreNoTextAreRefusedWithTheirPlace) {
  EXPECT_EQ(Refusal("tasks:\n  t: {run: \"\xff\"}\n"), "f.yaml:2:13: the byte 0xff is not UTF-8; save the file as UTF-8");
  EXPECT_EQ(Refusal("tasks:\n  ü: {run: \"ü\xed\xa0\x80\"}\n"), "f.yaml:2:14: the byte 0xed is not UTF-8; save the file as UTF-8");
  EXPECT_EQ(Refusal(std::string("a\0b", 3)), "f.yaml:1:2: a control character (0x00); take it out, or write \"\\x00\" in double quotes");
  EXPECT_EQ(Refusal("tasks:\n\tt: {run: x}\n"), "f.yaml:2:1: a tab in the indentation; YAML is indented with spaces");
  EXPECT_EQ(Refusal("tasks:\n  t:\n    run: x\n\tneeds: [a]\n"), "f.yaml:4:1: a tab in the indentation; YAML is indented with spaces");
  EXPECT_EQ(Refusal("name: a\n---\nname: b\n"), "f.yaml:2:1: a second document begins here; one workflow is one document, so take out this '---' and what follows");
}

TEST(WorkflowFile, BrokenYamlIsRefusedWithTheFix) {
  EXPECT_EQ(Refusal("tasks: {a: {run: x}\n"), "f.yaml:2:1: a '{' without its '}', or a ',' is missing; close it");
  EXPECT_EQ(Refusal("tasks:\n  a: {run: x: y: z]\n"), "f.yaml:2:13: a '{' without its '}', or a ',' is missing; close it");
  EXPECT_EQ(Refusal("tasks:\n  a:\n    run: x: y\n"), "f.yaml:3:11: a ':' where none may stand; put the text in quotes");
  EXPECT_EQ(Refusal("tasks:\n  a:\n    run: {{ city }}\n"), "f.yaml:3:11: a map where a key belongs; a text that begins with '{' goes in quotes");
  EXPECT_EQ(Refusal("tasks:\n  a: {run: !shout x}\n"), "f.yaml:2:12: a tag (!shout), which means nothing here; take it out");
  EXPECT_EQ(Refusal("tasks:\n  a: {run: *x}\n"), "f.yaml:2:12: an alias (*) to an anchor (&) that is nowhere above; write it out, or put the text in quotes");
  EXPECT_EQ(Refusal("tasks:\n  a:\n    run: \"x"), "f.yaml:3:12: a quote that is not closed; close it");
}

TEST(WorkflowFile, AKeyTwiceIsRefused) {
  EXPECT_EQ(Refusal("name: a\ntasks:\n  t: {run: x}\n  u: {run: x}\n  t: {run: y}\n"),
            "f.yaml:5:3: the key 't' a second time, after line 3; take one out or give it another name");
  std::string many = "tasks:\n";
  for (int i = 0; i < 100; ++i) absl::StrAppend(&many, "  t", i % 99, ": {run: x}\n");
  EXPECT_EQ(Refusal(many), "f.yaml:101:3: the key 't0' a second time, after line 2; take one out or give it another name");
  EXPECT_EQ(Refusal("tasks: {t: {run: x, command: {argv: [a], argv: [b]}}}"), "f.yaml:1:42: the key 'argv' a second time, after line 1; take one out or give it another name");
  EXPECT_EQ(Refusal(Task("run: x, run_timeout: 1s, runTimeout: 2s")), "f.yaml:3:32: `runTimeout` says what is said already in `run_timeout`; take one of them out");
}

TEST(WorkflowFile, WhatWouldCostTooMuchIsRefusedFirst) {
  const size_t mebibyte = size_t{1} << 20;
  EXPECT_EQ(Refusal(std::string(mebibyte, '[')), "f.yaml:1:33: nested more than 64 levels deep; a workflow needs about six");
  EXPECT_EQ(Refusal("tasks: {t: " + std::string(mebibyte, '[')), "f.yaml:1:43: nested more than 64 levels deep; a workflow needs about six");
  std::string maps = "tasks: ";
  for (size_t i = 0; i < mebibyte / 4; ++i) maps += "{a: ";
  EXPECT_EQ(Refusal(maps), "f.yaml:1:260: nested more than 64 levels deep; a workflow needs about six");
  std::string lists;
  for (size_t i = 0; i < mebibyte / 2; ++i) lists += "- ";
  EXPECT_EQ(Refusal(lists), "f.yaml:1:129: nested more than 64 levels deep; a workflow needs about six");
  EXPECT_EQ(Refusal(std::string(Document::kMostBytes + 1, ' ')), "f.yaml: larger than 64 MiB; pass large data in files");
}

TEST(WorkflowFile, AliasesThatExplodeAreRefused) {
  std::string laughs = "a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (char c = 'b'; c <= 'z'; ++c) {
    const char before = static_cast<char>(c - 1);
    absl::StrAppend(&laughs, std::string(1, c), ": &", std::string(1, c), " [");
    for (int i = 0; i < 9; ++i) absl::StrAppend(&laughs, i > 0 ? ", *" : "*", std::string(1, before));
    absl::StrAppend(&laughs, "]\n");
  }
  EXPECT_EQ(Refusal(laughs), "f.yaml:6:24: its aliases make it too large; write out what is meant");
  EXPECT_EQ(Refusal("tasks: &a\n  t: *a\n"), "f.yaml:2:6: an alias to what this stands in; write it out");
  std::string deep = "a0: &a0 x\n";
  for (int i = 1; i < 100; ++i) absl::StrAppend(&deep, "a", i, ": &a", i, " [*a", i - 1, "]\n");
  EXPECT_EQ(Refusal(deep), "f.yaml:65:12: nested more than 64 levels deep; a workflow needs about six");
}

TEST(WorkflowFile, AMatrixOfTenMillionIsRefusedBeforeItIsMade) {
  std::string values;
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&values, i > 0 ? "," : "", i);
  EXPECT_EQ(Refusal(absl::StrCat("tasks:\n  t:\n    run: x\n    matrix: {a: [", values, "], b: [", values, "], c: [1,2,3,4,5,6,7,8,9,10]}\n")),
            "f.yaml:4:13: a matrix of 1000 x 1000 x 10 combinations; a workflow has at most 100000 tasks, so make several workflows of it");
  EXPECT_EQ(Refusal(absl::StrCat("tasks:\n  t:\n    run: x\n    matrix: {a: [", values, "], b: [", values.substr(0, 199), "]}\n  u: {run: x, matrix: {a: [", values, "], b: [",
                                 values.substr(0, 199), "]}}\n")),
            "f.yaml:5:3: with this one there are 140000 tasks, rows of matrices included; a workflow has at most 100000, so make several of it");
}

TEST(WorkflowFile, ABadMatrixIsRefused) {
  const auto matrix = [](const std::string& text) { return Refusal(absl::StrCat("tasks:\n  t: {run: x, matrix: ", text, "}\n")); };
  EXPECT_EQ(matrix("{a: 1}"), "f.yaml:2:27: '1' where a list of values belongs");
  EXPECT_EQ(matrix("[a]"), "f.yaml:2:23: a list where a map of names and lists of values, as {seed: [1, 2, 3]} belongs");
  EXPECT_EQ(matrix("{a: []}"), "f.yaml:2:27: an empty list, which leaves no combination; give it values");
  EXPECT_EQ(matrix("{a: [~]}"), "f.yaml:2:28: an empty value; write '' for an empty text");
  EXPECT_EQ(matrix("{a: [[1]]}"), "f.yaml:2:28: a list where a value belongs");
  EXPECT_EQ(matrix("{a-b: [1]}"), "f.yaml:2:24: 'a-b' is no name in a matrix; give letters, digits and _, no digit first");
  EXPECT_EQ(matrix("{model: [1], exclude: [{modell: 1}]}"), "f.yaml:2:47: the matrix has no 'modell'; did you mean 'model'?");
  EXPECT_EQ(matrix("{a: [1], exclude: [{a: 2}]}"), "f.yaml:2:42: no combination has these values; correct it or take it out");
  EXPECT_EQ(matrix("{a: [1], exclude: [{a: 1}]}"), "f.yaml:2:23: a matrix with no combination left; give it values, or take it out");
  EXPECT_EQ(matrix("{a: [1], b: [1], include: [{a: 1}]}"), "f.yaml:2:50: a row without 'b'; give it a value");
}

TEST(WorkflowFile, ACircleIsShownWithItsNeeds) {
  EXPECT_EQ(Refusal("tasks:\n  a:\n    run: x\n    needs: [b]\n  b:\n    run: x\n    needs:\n      - a\n"),
            "f.yaml:4:13: tasks need one another in a circle: a -> b -> a (a needs b on line 4, b needs a on line 8); take one of these needs out");
  EXPECT_EQ(Refusal("tasks:\n  a:\n    run: x\n    needs: [a]\n"), "f.yaml:4:13: the task 'a' needs itself and could never start; take this need out");
  std::string ring = "tasks:\n";
  for (int i = 0; i < 20; ++i) absl::StrAppend(&ring, "  t", i, ": {run: x, needs: [t", (i + 1) % 20, "]}\n");
  EXPECT_EQ(Refusal(ring),
            "f.yaml:2:24: tasks need one another in a circle: t0 -> t1 -> t2 -> t3 -> (12 more) -> t16 -> t17 -> t18 -> t19 -> t0 (t0 needs t1 on line 2, t1 "
            "needs t2 on line 3, t2 needs t3 on line 4, t3 needs t4 on line 5, ..., t16 needs t17 on line 18, t17 needs t18 on line 19, t18 needs t19 on "
            "line 20, t19 needs t0 on line 21); take one of these needs out");
}

TEST(WorkflowFile, BadNeedsAreRefusedWithTheNearest) {
  EXPECT_EQ(Refusal("tasks:\n  fetch: {run: x}\n  b: {run: x, needs: [fecth]}\n"), "f.yaml:3:23: there is no task 'fecth'; did you mean 'fetch'?");
  EXPECT_EQ(Refusal("tasks:\n  fetch: {run: x}\n  b: {run: x, needs: [score]}\n"), "f.yaml:3:23: there is no task 'score'; there is b, fetch");
  EXPECT_EQ(Refusal("tasks:\n  a: {run: x}\n  b: {run: x, needs: [a, a]}\n"), "f.yaml:3:26: 'a' is needed a second time; name it once, with one condition");
  EXPECT_EQ(Refusal("tasks:\n  a: {run: x}\n  b: {run: x, needs: [{a: done}]}\n"), "f.yaml:3:27: 'done' is no condition; give success, failure or any");
  EXPECT_EQ(Refusal("tasks:\n  a: {run: x}\n  b: {run: x, needs: [[a]]}\n"), "f.yaml:3:23: a list where the name of a task belongs");
}

TEST(WorkflowFile, UnknownFieldsAreRefusedWithTheNearest) {
  EXPECT_EQ(Refusal("nmae: a\ntasks: {t: {run: x}}\n"), "f.yaml:1:1: there is no field 'nmae' of a workflow; did you mean 'name'?");
  EXPECT_EQ(Refusal(Task("run: x, comand: [y]")), "f.yaml:3:15: there is no field 'comand' of a task; did you mean 'command'?");
  EXPECT_EQ(Refusal(Task("run: x, retry: {max_atempts: 1}")), "f.yaml:3:23: there is no field 'max_atempts' here; did you mean 'max_attempts'?");
  EXPECT_EQ(Refusal("parameters: {a: {defualt: 1}}\n"), "f.yaml:1:18: there is no field 'defualt' of a parameter; did you mean 'default'?");
  EXPECT_EQ(Refusal("defaults: {needs: [a]}\ntasks: {t: {run: x}}\n"), "f.yaml:1:12: `needs` is each task's own and no default; write it in the tasks");
}

TEST(WorkflowFile, FieldsThatBelongElsewhereAreRefusedWithTheFix) {
  EXPECT_EQ(Refusal(Task("run: x, name: a")), "f.yaml:3:15: a task's name is the word before it; take `name` out");
  EXPECT_EQ(Refusal(Task("run: x, dependencies: [{task: a}]")), "f.yaml:3:15: tasks of a workflow need one another by name; write needs: [TASK]");
  EXPECT_EQ(Refusal(Task("run: x, startTime: '2026-01-01T00:00:00Z'")),
            "f.yaml:3:15: a task of a workflow starts when its needs hold; to start the workflow later, make a schedule of it");
  EXPECT_EQ(Refusal(Task("run: x, owner: me")), "f.yaml:3:15: a workflow's owner is who runs it; take `owner` out");
  EXPECT_EQ(Refusal("tasks:\n  a: &a {run: x}\n  b: {<<: *a}\n"), "f.yaml:3:7: merge keys are not read; write what is shared under defaults");
}

TEST(WorkflowFile, WrongTypesAreRefusedWithWhatBelongsThere) {
  EXPECT_EQ(Refusal(Task("run: [x]")), "f.yaml:3:12: a list where a line for /bin/sh belongs");
  EXPECT_EQ(Refusal(Task("command: ./x")), "f.yaml:3:16: a command is a list of words, as [./score, --fast]; a line for the shell goes under run");
  EXPECT_EQ(Refusal(Task("command: []")), "f.yaml:3:16: an empty command; give the program and its arguments");
  EXPECT_EQ(Refusal(Task("command: [a, ~]")), "f.yaml:3:20: an empty entry of `argv`; write '' for an empty text, or take it out");
  EXPECT_EQ(Refusal(Task("run: x, priority: high")), "f.yaml:3:25: 'high' where a number belongs");
  EXPECT_EQ(Refusal(Task("run: x, priority: 1.5")), "f.yaml:3:25: '1.5' where a whole number belongs");
  EXPECT_EQ(Refusal(Task("run: x, limit: -1")), "f.yaml:3:22: '-1' where a whole number within 0..4294967295 belongs");
  EXPECT_EQ(Refusal(Task("run: x, timeout: soon")), "f.yaml:3:24: 'soon' where a time, as 500ms, 30s, 5m or 2h belongs");
  EXPECT_EQ(Refusal(Task("run: x, memory: 2 X")), "f.yaml:3:23: '2 X' where a size, as 512M or 2G belongs");
  EXPECT_EQ(Refusal(Task("run: x, on_worker_loss: hope")), "f.yaml:3:31: 'hope' where one of rerun, rerun-after-fence, hold belongs");
  EXPECT_EQ(Refusal(Task("run: x, lossless_output: maybe")), "f.yaml:3:32: 'maybe' where true or false belongs");
  EXPECT_EQ(Refusal(Task("run: x, retry: 3")), "f.yaml:3:22: '3' where a map belongs");
  EXPECT_EQ(Refusal(Task("run: x, requirements: {needs: gpu}")), "f.yaml:3:37: 'gpu' where a list, as [gpu] belongs");
  EXPECT_EQ(Refusal(Task("run: x, env: [A]")), "f.yaml:3:20: a list where a map, as {NAME: value} belongs");
  EXPECT_EQ(Refusal(Task("run: x, env: {A: }")), "f.yaml:3:24: an empty value; write '' for an empty text");
  EXPECT_EQ(Refusal(Task("run: x, env: {A B: 1}")), "f.yaml:3:21: 'A B' is no name of a variable; take out '=' and spaces");
  EXPECT_EQ(Refusal(Task("run: x, retries: 1000")), "f.yaml:3:24: '1000' where a number within 0..999 belongs");
  EXPECT_EQ(Refusal("max_parallel: 0\n"), "f.yaml:1:15: '0' where a number within 1..1000000 belongs");
  EXPECT_EQ(Refusal("on_failure: go\n"), "f.yaml:1:13: 'go' where one of stop, continue, fail-fast belongs");
  EXPECT_EQ(Refusal("tasks: [a]\n"), "f.yaml:1:8: a list where a map of tasks, the name of each before it, belongs");
  EXPECT_EQ(Refusal("tasks: {t: x}\n"), "f.yaml:1:12: 'x' where a map of the task's fields belongs");
}

TEST(WorkflowFile, TheSameThingSaidTwiceIsRefused) {
  EXPECT_EQ(Refusal(Task("run: x, command: [y]")), "f.yaml:3:7: `run` and `command` are both there; take one of them out");
  EXPECT_EQ(Refusal(Task("run: x, timeout: 1s, run_timeout: 2s")), "f.yaml:3:15: `timeout` says what is said already in `run_timeout`; take one of them out");
  EXPECT_EQ(Refusal(Task("run: x, retries: 1, retry: {max_attempts: 2}")), "f.yaml:3:15: `retries` says what is said already in `retry.max_attempts`; take one of them out");
}

TEST(WorkflowFile, NothingToRunIsRefused) {
  EXPECT_EQ(Refusal(""), "f.yaml:1:1: nothing in it; a workflow is tasks: {NAME: {run: LINE}}");
  EXPECT_EQ(Refusal("# only a comment\n"), "f.yaml:1:1: nothing in it; a workflow is tasks: {NAME: {run: LINE}}");
  EXPECT_EQ(Refusal("- a\n"), "f.yaml:1:1: a list where a workflow belongs, as tasks: {NAME: {run: LINE}}");
  EXPECT_EQ(Refusal("name: a\n"), "f.yaml:1:1: a workflow without tasks; give it tasks: {NAME: {run: LINE}}");
  EXPECT_EQ(Refusal("tasks: {}\n"), "f.yaml:1:8: a workflow without tasks; give it tasks: {NAME: {run: LINE}}");
  EXPECT_EQ(Refusal("tasks:\n  t: {env: {A: b}}\n"), "f.yaml:2:3: a task with nothing to run; give it run: LINE or command: [WORD, ...]");
  EXPECT_EQ(Refusal("tasks:\n  t: {command: {shell: true}}\n"), "f.yaml:2:3: a task with nothing to run; give it run: LINE or command: [WORD, ...]");
  EXPECT_EQ(Refusal("tasks:\n  t: {executor: noop, matrix: {a: [1]}}\n"),
            "f.yaml:2:3: a matrix for the executor noop has no argument that takes its values; give it arguments: [\"{{ matrix.NAME }}\"]");
}

TEST(WorkflowFile, NamesAreOfTheAllowedLetters) {
  EXPECT_EQ(Refusal("tasks:\n  a b: {run: x}\n"), "f.yaml:2:3: 'a b' is no name; give at most 128 of [A-Za-z0-9._-]");
  EXPECT_EQ(Refusal("tasks:\n  " + std::string(129, 'n') + ": {run: x}\n"), "f.yaml:2:3: '" + std::string(60, 'n') + "...' is no name; give at most 128 of [A-Za-z0-9._-]");
  EXPECT_EQ(Refusal("name: a/b\ntasks: {a: {run: x}}\n"), "f.yaml:1:7: 'a/b' is no name; give at most 128 of [A-Za-z0-9._-]");
  EXPECT_EQ(Refusal("tasks:\n  matrix: {run: x}\n"), "f.yaml:2:3: 'matrix' is no name for a task, since {{ matrix.x }} is a value of a task's own matrix; give it another one");
  EXPECT_EQ(Refusal("parameters: {a-b: 1}\n"), "f.yaml:1:14: 'a-b' is no name of a parameter; give letters, digits and _, no digit first");
  EXPECT_EQ(Refusal(Task("run: x, outputs: [a-b]")), "f.yaml:3:25: 'a-b' is no name of an output; give letters, digits and _, no digit first");
}

TEST(WorkflowFile, ReferencesToWhatIsNotThereAreRefused) {
  EXPECT_EQ(Refusal(Task("run: 'x {{ ctiy }}'")), "f.yaml:3:12: {{ ctiy }} is no parameter; did you mean 'city'?");
  EXPECT_EQ(Refusal("tasks: {t: {run: 'x {{ a }}'}}"), "f.yaml:1:18: {{ a }} is no parameter; declare it under parameters, or write \\{{ for the braces themselves");
  EXPECT_EQ(Refusal("name: '{{ a }}'\n"), "f.yaml:1:7: parameters are filled into tasks alone; write the value");
  EXPECT_EQ(Refusal(Task("run: 'x {{ matrix.a }}'")), "f.yaml:3:12: {{ matrix.a }} in a task without a matrix; give it one, as matrix: {a: [1, 2]}");
  EXPECT_EQ(Refusal(Task("run: 'x {{ matrix.mdoel }}', matrix: {model: [1]}")), "f.yaml:3:12: the matrix has no 'mdoel'; did you mean 'model'?");
  EXPECT_EQ(Refusal(Task("run: x, queue: '{{ matrix.a }}', matrix: {a: [1]}")),
            "f.yaml:3:22: {{ matrix.a }} cannot stand here; it can in run, command, env, arguments, working_directory and validate");
  EXPECT_EQ(Refusal("defaults: {run: 'x {{ matrix.a }}'}\n"), "f.yaml:1:17: {{ matrix.a }} in defaults; a matrix is the task's own, so write it there");
  EXPECT_EQ(Refusal("defaults: {env: {A: '{{ a.b }}'}}\n"), "f.yaml:1:21: {{ a.b }} in defaults; an output goes into the env of the task that needs it");
}

TEST(WorkflowFile, ValuesWithinQuotesOfALineAreRefused) {
  constexpr char kWhy[] = " stands where its value could run (within quotes, arithmetic, or after a here-document, backquotes, case, eval); it is a quoted word by itself, so close the quotes before it, or put it in env and use the variable";
  EXPECT_EQ(Refusal(Task("run: 'echo \"in {{ city }}\"'")), absl::StrCat("f.yaml:3:12: {{ city }}", kWhy));
  EXPECT_EQ(Refusal(Task("run: x, validate: \"grep '{{ city }}'\"")), absl::StrCat("f.yaml:3:25: {{ city }}", kWhy));
  EXPECT_EQ(Refusal(Task("run: \"sh -c 'x {{ matrix.a }}'\", matrix: {a: [1]}")), absl::StrCat("f.yaml:3:12: {{ matrix.a }}", kWhy));
  EXPECT_EQ(Refusal(Task("command: {shell: true, argv: [echo, \"'{{ city }}'\"]}")), absl::StrCat("f.yaml:3:43: {{ city }}", kWhy));
  Read(Task("command: [echo, \"'{{ city }}'\"]"));
  // After a value '#' begins no comment.
  EXPECT_EQ(Refusal(Task("run: \"echo {{ city }}#'\\n echo {{ city }}'\"")), absl::StrCat("f.yaml:3:12: {{ city }}", kWhy));
  Read(Task("run: 'echo \"in \"{{ city }} $(cat {{ city }})'"));
}

TEST(WorkflowFile, OutputsArePassedOnByThoseThatNeedThem) {
  const auto refusal = [](const std::string& fields) { return Refusal(absl::StrCat("tasks:\n  fetch: {run: x, outputs: [version]}\n  m: {run: x, matrix: {a: [1]}}\n  b: {run: x, ", fields, "}\n")); };
  EXPECT_EQ(refusal("env: {V: '{{ fetch.version }}'}"), "f.yaml:4:24: an output of 'fetch', which 'b' does not need; put fetch under its needs");
  EXPECT_EQ(refusal("needs: fetch, env: {V: '{{ fetch.versoin }}'}"), "f.yaml:4:38: the task 'fetch' has no output 'versoin'; did you mean 'version'?");
  EXPECT_EQ(refusal("needs: fetch, env: {V: '{{ fecth.version }}'}"), "f.yaml:4:38: there is no task 'fecth'; did you mean 'fetch'?");
  EXPECT_EQ(refusal("needs: m, env: {V: '{{ m.version }}'}"), "f.yaml:4:34: the task 'm' has no output 'version', since it has a matrix; let a task after it make one");
  EXPECT_EQ(refusal("needs: fetch, cwd: '{{ fetch.version }}'"),
            "f.yaml:4:34: {{ fetch.version }} may only be the whole of a value in env, or in if; put it in env, as VERSION: \"{{ fetch.version }}\", and use $VERSION");
  EXPECT_EQ(refusal("needs: fetch, env: {V: 'v{{ fetch.version }}'}"),
            "f.yaml:4:38: {{ fetch.version }} may only be the whole of a value in env, or in if; put it in env, as VERSION: \"{{ fetch.version }}\", and use $VERSION");
  EXPECT_EQ(refusal("outputs: [a], matrix: {a: [1]}"), "f.yaml:4:15: a task with a matrix has no outputs, since its rows would each have their own; let a task after it make one");
  EXPECT_EQ(refusal("outputs: [a, a]"), "f.yaml:4:28: the output 'a' a second time; take one out");
  EXPECT_EQ(refusal("if: fetch.version == 1"), "f.yaml:4:19: an output of 'fetch', which 'b' does not need; put fetch under its needs");
}

TEST(WorkflowFile, BadConditionsAreRefused) {
  EXPECT_EQ(Refusal(Task("run: x, if: city")), "f.yaml:3:19: a condition is LEFT == RIGHT or LEFT != RIGHT, as fetch.version != \"\"");
  EXPECT_EQ(Refusal(Task("run: x, if: ctiy == Bonn")), "f.yaml:3:19: 'ctiy' is neither an output (task.output) nor a parameter; did you mean 'city'?");
  EXPECT_EQ(Refusal(Task("run: x, if: == Bonn")), "f.yaml:3:19: nothing on the left side; give an output (task.output) or a parameter");
  EXPECT_EQ(Refusal(Task("run: x, if: '\"a == b'")), "f.yaml:3:19: a condition is LEFT == RIGHT or LEFT != RIGHT, as fetch.version != \"\"");
  EXPECT_EQ(Refusal(Task("run: x, if: 'city == \"b'")), "f.yaml:3:19: a quote in `\"b` that is not closed at its end; close it");
  EXPECT_EQ(Refusal(Task("run: x, if: 'city == Bonn and city == Ulm'")),
            "f.yaml:3:19: `Bonn and city == Ulm` is compared as one text; put it in quotes if it is one (a condition has one comparison)");
  EXPECT_EQ(Refusal(Task("run: x, if: 'city === Bonn'")),
            "f.yaml:3:19: `= Bonn` is compared as one text; put it in quotes if it is one (a condition has one comparison)");
  EXPECT_EQ(Refusal(Task("run: x, if: 'city == {{ x }}'")), "f.yaml:3:19: {{ x }} is no parameter; there is city");
  EXPECT_EQ(Refusal(Task("run: x, matrix: {a: [1]}, if: '{{ matrix.a }} == 1'")),
            "f.yaml:3:37: {{ matrix.a }} cannot stand here; the task's condition and the matrix itself are of all its rows");
}

TEST(WorkflowFile, AFolderIsAWorkflowOfItsFiles) {
  const auto spec = ReadWorkflowFolder("d", WorkflowSource{"d/workflow.yaml", "name: n\nparameters: {p: 1}\ndefaults: {queue: q}\n"},
                                       {{"a", {"d/a.yaml", "run: x {{ p }}\n"}}, {"b", {"d/b.json", R"({"name": "bee", "run": "y", "needs": ["a"]})"}}});
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->name(), "n");
  EXPECT_EQ(spec->nodes(1).name(), "bee");
  EXPECT_EQ(spec->nodes(1).task().queue(), "q");
  EXPECT_EQ(spec->nodes(1).task().name(), "");
}

TEST(WorkflowFile, AFoldersMistakesNameTheirFile) {
  const auto refusal = [](std::optional<WorkflowSource> head, std::vector<TaskSource> tasks) { return std::string(ReadWorkflowFolder("d", std::move(head), std::move(tasks)).status().message()); };
  EXPECT_EQ(refusal(std::nullopt, {}), "d: no tasks in this folder; each is a file NAME.yaml, NAME.yml or NAME.json");
  EXPECT_EQ(refusal(std::nullopt, {{"a", {"d/a.yaml", "run: x\nneeds: b\n"}}, {"b", {"d/b.yaml", "run: x\nneeds: a\n"}}}),
            "d/a.yaml:2:8: tasks need one another in a circle: a -> b -> a (a needs b on line 2, b needs a on d/b.yaml:2); take one of these needs out");
  EXPECT_EQ(refusal(std::nullopt, {{"a", {"d/a.yaml", "run: x\n"}}, {"b", {"d/b.yaml", "run: x\nname: a\n"}}}), "d/b.yaml:2:7: a second task 'a', after d/a.yaml:1; give it another name");
  EXPECT_EQ(refusal(WorkflowSource{"d/workflow.yaml", "tasks: {a: {run: x}}\n"}, {{"a", {"d/a.yaml", "run: x\n"}}}),
            "d/workflow.yaml:1:8: in a folder each task is a file of its own; move these there, or run this file alone");
  EXPECT_EQ(refusal(std::nullopt, {{"a b", {"d/a b.yaml", "run: x\n"}}}), "d/a b.yaml:1:1: 'a b' is no name; give at most 128 of [A-Za-z0-9._-]");
  EXPECT_EQ(refusal(std::nullopt, {{"a", {"d/a.yaml", "queue: x\n"}}}), "d/a.yaml:1:1: a task with nothing to run; give it run: LINE or command: [WORD, ...]");
}

TEST(WorkflowFile, AHundredThousandTasksAreRead) {
  std::string text = "tasks:\n";
  for (int i = 0; i < 100'000; ++i) absl::StrAppend(&text, "  t", i, ": {executor: noop", i > 0 ? absl::StrCat(", needs: [t", i - 1, "]") : "", "}\n");
  EXPECT_EQ(Read(text).nodes_size(), 100'000);
  EXPECT_EQ(Refusal(text + "  one: {executor: noop}\n"),
            "f.yaml:100002:3: with this one there are 100001 tasks, rows of matrices included; a workflow has at most 100000, so make several of it");
}

}  // namespace
}  // namespace muster::cli
