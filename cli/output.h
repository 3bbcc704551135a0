// What a verb prints on stdout: tables for people, the API's own messages for programs.
//
// Words of others reach a terminal as text and never as orders: Print, Table, Page and Terminal see to it, for all verbs.
//
// JSON is protobuf's mapping with snake_case names and fields that hold their default, so that `.exit_code` is always
// there; lists are {"tasks":[...]}. Lists are written as they come and are never held whole.
// Thread rule: the main thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "cli/terminal.h"
#include "google/protobuf/message.h"

namespace muster::cli {

enum class Format { kTable, kWide, kJson, kJsonl, kYaml, kName };
std::optional<Format> ParseFormat(std::string_view text);
bool IsData(Format format);  // json, jsonl, yaml

std::string ToJson(const google::protobuf::Message& message, bool pretty);
std::string ToYaml(const google::protobuf::Message& message);

// One resource: json (pretty), jsonl (one line) or yaml.
void PrintMessage(Format format, const google::protobuf::Message& message);

// A list of resources of one kind, in json, jsonl or yaml.
class ListWriter {
 public:
  ListWriter(Format format, std::string list_name) : format_(format), list_name_(std::move(list_name)) {}
  void Add(const google::protobuf::Message& message);
  void Finish();

 private:
  const Format format_;
  const std::string list_name_;
  bool begun_ = false;
};

// Columns as wide as their widest cell, two spaces between; the last one is cut at the terminal's width.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}
  void Add(std::vector<std::string> cells, Colour colour = Colour::kPlain, size_t coloured_column = 0);
  // Prints what was added since; the header only the first time, the widths never shrink.
  void Print(const Terminal& terminal);
  bool empty() const { return rows_.empty(); }
  // What Print would print at this width (0: nothing is cut), for who draws it.
  std::vector<StyledLine> Lines(size_t width);
  // Without colours or cutting, for tests.
  std::string Text();

 private:
  struct Row {
    std::vector<std::string> cells;
    Colour colour;
    size_t coloured_column;
  };
  std::vector<std::string> header_;
  std::vector<Row> rows_;
  std::vector<size_t> widths_;
  bool header_printed_ = false;
};

size_t DisplayWidth(std::string_view text);  // UTF-8 characters
std::string PlainText(const StyledLine& line);
// At most so many characters of it.
StyledLine CutLine(const StyledLine& line, size_t width);
// To stdout, for a person: what others wrote (names, reasons, labels) can order no terminal about. Whether it is one is
// not asked: what is piped is shown on one later.
void Print(std::string_view text);
// Data for programs, and lines that a Terminal has painted.
void PrintAsItIs(std::string_view text);

}  // namespace muster::cli
