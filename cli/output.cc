#include "cli/output.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "cli/text.h"
#include "cli/yaml.h"
#include "google/protobuf/util/json_util.h"

namespace muster::cli {

std::optional<Format> ParseFormat(std::string_view text) {
  if (text == "table" || text.empty()) return Format::kTable;
  if (text == "wide") return Format::kWide;
  if (text == "json") return Format::kJson;
  if (text == "jsonl") return Format::kJsonl;
  if (text == "yaml") return Format::kYaml;
  if (text == "name") return Format::kName;
  return std::nullopt;
}

bool IsData(Format format) { return format == Format::kJson || format == Format::kJsonl || format == Format::kYaml; }

std::string ToJson(const google::protobuf::Message& message, bool pretty) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  options.add_whitespace = pretty;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  return status.ok() ? json : "{}";
}

std::string ToYaml(const google::protobuf::Message& message) { return JsonToYaml(ToJson(message, false)); }

void Print(std::string_view text) { PrintAsItIs(Harmless(text)); }
void PrintAsItIs(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void PrintMessage(Format format, const google::protobuf::Message& message) {
  if (format == Format::kYaml) {
    PrintAsItIs(ToYaml(message));
  } else {
    const std::string json = ToJson(message, format == Format::kJson);
    PrintAsItIs(json);
    if (json.empty() || json.back() != '\n') Print("\n");
  }
}

void ListWriter::Add(const google::protobuf::Message& message) {
  switch (format_) {
    case Format::kJsonl:
      PrintMessage(format_, message);
      break;
    case Format::kYaml: {
      if (!begun_) Print(absl::StrCat(list_name_, ":\n"));
      const std::string yaml = ToYaml(message);
      PrintAsItIs(absl::StrCat("- ", absl::StrReplaceAll(absl::string_view(yaml).substr(0, yaml.size() - 1), {{"\n", "\n  "}}), "\n"));
      break;
    }
    default:
      Print(begun_ ? ",\n" : absl::StrCat("{\"", list_name_, "\":[\n"));
      PrintAsItIs(ToJson(message, false));
      break;
  }
  begun_ = true;
}

void ListWriter::Finish() {
  if (format_ == Format::kYaml && !begun_) Print(absl::StrCat(list_name_, ": []\n"));
  if (format_ == Format::kJson) Print(begun_ ? "\n]}\n" : absl::StrCat("{\"", list_name_, "\":[]}\n"));
}

size_t DisplayWidth(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

void Table::Add(std::vector<std::string> cells, Colour colour, size_t coloured_column) {
  cells.resize(header_.size());
  for (std::string& cell : cells) cell = OneLine(cell, kAnyWidth);
  rows_.push_back({std::move(cells), colour, coloured_column});
}

std::string PlainText(const StyledLine& line) {
  std::string text;
  for (const Span& span : line) text += span.text;
  return text;
}

StyledLine CutLine(const StyledLine& line, size_t width) {
  StyledLine cut;
  for (const Span& span : line) {
    const size_t wide = DisplayWidth(span.text);
    cut.push_back({wide > width ? OneLine(span.text, width) : span.text, span.colour});
    if (wide >= width) break;
    width -= wide;
  }
  return cut;
}

std::vector<StyledLine> Table::Lines(size_t screen) {
  widths_.resize(header_.size(), 0);
  if (!header_printed_) rows_.insert(rows_.begin(), {header_, Colour::kBold, header_.size()});
  for (const Row& row : rows_) {
    for (size_t i = 0; i < row.cells.size(); ++i) widths_[i] = std::max(widths_[i], DisplayWidth(row.cells[i]));
  }
  std::vector<StyledLine> lines;
  for (const Row& row : rows_) {
    size_t last = row.cells.size();  // that has something in it
    while (last > 0 && row.cells[last - 1].empty()) --last;
    StyledLine& line = lines.emplace_back();
    size_t column = 0;
    for (size_t i = 0; i < last; ++i) {
      std::string cell = row.cells[i];
      if (i + 1 == row.cells.size() && screen > 0) cell = OneLine(cell, screen > column + 10 ? screen - column : 10);
      const size_t width = DisplayWidth(cell);
      const bool painted = row.coloured_column == i || row.coloured_column == header_.size();
      line.push_back({std::move(cell), painted ? row.colour : Colour::kPlain});
      if (i + 1 < last) line.push_back({std::string(widths_[i] - width + 2, ' ')});
      column += widths_[i] + 2;
    }
  }
  header_printed_ = true;
  rows_.clear();
  return lines;
}

void Table::Print(const Terminal& terminal) {
  for (const StyledLine& line : Lines(static_cast<size_t>(terminal.Width()))) PrintAsItIs(terminal.Paint(line) + "\n");
}

std::string Table::Text() {
  std::string text;
  for (const StyledLine& line : Lines(0)) text += PlainText(line) + "\n";
  return text;
}

}  // namespace muster::cli
