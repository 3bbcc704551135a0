#include "common/config/key_pages.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace muster::config {
namespace {

std::string DefaultInYaml(const Key& key) {
  if (!key.default_text.empty()) return key.default_text;
  if (absl::StartsWith(key.type, "list")) return "[]";
  return key.type == "map" ? "{}" : "\"\"";
}

// The maps that hold a key, outermost first, and at last its own name in the innermost. A key that is a value and the
// name of others at once (memory, memory.low_water) can hold nothing: those stay dotted.
std::vector<std::string> PathOf(const KeyTable& table, const Key& key) {
  std::vector<std::string> path = absl::StrSplit(key.name, '.');
  for (const Key& other : table.keys()) {
    if (absl::StartsWith(key.name, other.name + ".")) return {key.name};
  }
  return path;
}

}  // namespace

std::string HelpPage(const KeyTable& table, const std::string& summary) {
  const std::string& program = table.program();
  std::string text = absl::StrCat(program, ": ", summary, "\n\nUsage: ", program,
                                  " [--config FILE] [--KEY=VALUE ...]\n\n"
                                  "  --config FILE     read this YAML file first\n"
                                  "  --check-config    print what is in effect and where it comes from, then exit\n"
                                  "  --config-example  print a commented file with every default, then exit\n"
                                  "  --version         print the version\n"
                                  "  --help            this text\n\nKeys (flag > environment > file > default):\n");
  for (const Key& key : table.keys()) {
    absl::StrAppend(&text, "  --", key.name, "=", absl::AsciiStrToUpper(key.type),
                    key.default_text.empty() ? "" : absl::StrCat("  (default ", key.default_text, ")"), "\n      ",
                    key.help, "\n");
  }
  const Key& first = table.keys().front();
  absl::StrAppend(&text, "\nExamples:\n  ", program, " --config /etc/muster/", program, ".yaml\n  ", program,
                  " --log.level=debug\n  ", table.EnvironmentName(first), "=", first.default_text, " ", program, "\n");
  return text;
}

std::string EffectivePage(const KeyTable& table) {
  std::string text;
  for (const Key& key : table.keys()) absl::StrAppend(&text, key.name, " = ", key.show(), "   # ", key.origin, "\n");
  return text;
}

std::string MarkdownPage(const KeyTable& table, const std::string& summary) {
  std::string text = absl::StrCat("## ", table.program(), "\n\n", summary,
                                  "\n\n| Key | Type | Default | Environment | Meaning |\n|---|---|---|---|---|\n");
  for (const Key& key : table.keys()) {
    absl::StrAppend(&text, "| `", key.name, "` | ", absl::StrReplaceAll(key.type, {{"|", " or "}}), " | ",
                    key.default_text.empty() ? "" : absl::StrCat("`", key.default_text, "`"), " | ",
                    key.set_text ? absl::StrCat("`", table.EnvironmentName(key), "`") : "file only", " | ", key.help,
                    " |\n");
  }
  return text;
}

std::string ExamplePage(const KeyTable& table, const std::string& summary) {
  std::string text = absl::StrCat("# ", table.program(), ": ", summary,
                                  "\n# Every key with its default; uncomment what you change.\n");
  std::vector<std::string> open;  // the maps that the last key was in
  for (const Key& key : table.keys()) {
    const std::vector<std::string> path = PathOf(table, key);
    const size_t depth = path.size() - 1;
    size_t same = 0;
    while (same < std::min(open.size(), depth) && open[same] == path[same]) ++same;
    if (same == 0 && (depth > 0 || !open.empty())) absl::StrAppend(&text, "\n");
    for (; same < depth; ++same) absl::StrAppend(&text, "# ", std::string(same * 2, ' '), path[same], ":\n");
    const std::string indent(depth * 2, ' ');
    absl::StrAppend(&text, "# ", indent, "# ", key.help, "\n# ", indent, path.back(), ": ", DefaultInYaml(key), "\n");
    open.assign(path.begin(), path.end() - 1);
  }
  return text;
}

}  // namespace muster::config
