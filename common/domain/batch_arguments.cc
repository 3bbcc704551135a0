#include "common/domain/batch_arguments.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace muster {
namespace {

// What stands in braces, taken apart: {2/.} is source 2, form "/.".
struct Placeholder {
  size_t source = 0;  // 0: all of the row
  std::string_view form;
  bool sequence = false;
};

bool IsForm(std::string_view form) {
  return form.empty() || form == "." || form == "/" || form == "//" || form == "/.";
}

std::optional<Placeholder> Parse(std::string_view inside) {
  if (inside == "#") return Placeholder{.sequence = true};
  Placeholder placeholder;
  size_t digits = 0;
  while (digits < inside.size() && digits < 6 && inside[digits] >= '0' && inside[digits] <= '9') {
    placeholder.source = placeholder.source * 10 + static_cast<size_t>(inside[digits] - '0');
    ++digits;
  }
  placeholder.form = inside.substr(digits);
  if (!IsForm(placeholder.form) || (digits > 0 && placeholder.source == 0)) return std::nullopt;
  return placeholder;
}

std::string_view WithoutExtension(std::string_view path) {
  const size_t slash = path.rfind('/');
  const size_t dot = path.rfind('.');
  const size_t name = slash == std::string_view::npos ? 0 : slash + 1;
  return dot == std::string_view::npos || dot <= name ? path : path.substr(0, dot);
}

std::string_view BaseName(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view DirectoryName(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string_view InForm(std::string_view value, std::string_view form) {
  if (form == ".") return WithoutExtension(value);
  if (form == "/") return BaseName(value);
  if (form == "//") return DirectoryName(value);
  if (form == "/.") return WithoutExtension(BaseName(value));
  return value;
}

// 'as it is': inside single quotes a shell reads everything but the quote itself literally.
std::string ShellQuoted(std::string_view value) {
  std::string quoted = "'";
  for (const char c : value) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  quoted += '\'';
  return quoted;
}

std::string For(FillFor target, std::string_view value) {
  return target == FillFor::kShell ? ShellQuoted(value) : std::string(value);
}

std::string Value(const Placeholder& placeholder, const std::vector<std::string>& row, uint64_t index, FillFor target) {
  if (placeholder.sequence) return absl::StrCat(index);
  if (placeholder.source > 0) {
    if (placeholder.source > row.size()) return "";
    return For(target, InForm(row[placeholder.source - 1], placeholder.form));
  }
  std::vector<std::string> values;
  values.reserve(row.size());
  for (const std::string& value : row) values.push_back(For(target, InForm(value, placeholder.form)));
  return absl::StrJoin(values, " ");
}

// The next placeholder of `text`, with what stands before it; takes both off. Nothing: `before` is the rest.
std::optional<Placeholder> NextPlaceholder(std::string_view* text, std::string* before) {
  while (true) {
    const size_t open = text->find('{');
    const size_t close = open == std::string_view::npos ? open : text->find('}', open);
    if (close == std::string_view::npos) {
      before->append(*text);
      *text = {};
      return std::nullopt;
    }
    // "{ {}" : the innermost brace is the one that may be a placeholder.
    const size_t inner = text->rfind('{', close);
    const auto placeholder = Parse(text->substr(inner + 1, close - inner - 1));
    before->append(text->substr(0, placeholder ? inner : close + 1));
    text->remove_prefix(close + 1);
    if (placeholder) return placeholder;
  }
}

std::string Fill(std::string_view text, const std::vector<std::string>& row, uint64_t index, FillFor target, bool* found) {
  std::string filled;
  while (const auto placeholder = NextPlaceholder(&text, &filled)) {
    *found = true;
    filled += Value(*placeholder, row, index, target);
  }
  return filled;
}

}  // namespace

std::vector<std::string> FillArguments(const std::vector<std::string>& argv_template,
                                       const std::vector<std::string>& row, uint64_t index, FillFor target) {
  bool found = false;
  std::vector<std::string> argv;
  argv.reserve(argv_template.size() + row.size());
  for (const std::string& argument : argv_template) argv.push_back(Fill(argument, row, index, target, &found));
  if (!found) {
    for (const std::string& value : row) argv.push_back(For(target, value));
  }
  return argv;
}

std::string FillText(const std::string& text, const std::vector<std::string>& row, uint64_t index, FillFor target) {
  bool found = false;
  return Fill(text, row, index, target, &found);
}

std::string WithoutPlaces(std::string_view text) {
  std::string apart;
  apart.reserve(text.size());
  for (const char c : text) {
    apart += c;
    if (c == '{') apart += kEmptyPlace;
  }
  return apart;
}

size_t HighestPlace(const std::vector<std::string>& words) {
  size_t highest = 0;
  std::string ignored;
  for (const std::string& word : words) {
    std::string_view text = word;
    while (const auto placeholder = NextPlaceholder(&text, &ignored)) highest = std::max(highest, placeholder->source);
  }
  return highest;
}

}  // namespace muster
