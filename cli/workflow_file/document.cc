#include "cli/workflow_file/document.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/workflow_file/source_check.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"

namespace muster::cli {
namespace {

// By aliases: an alias costs its writer two bytes and may stand for all that was written before.
constexpr uint64_t kMostGrowth = 16;
constexpr uint64_t kAlwaysFine = uint64_t{1} << 20;
constexpr size_t kManyKeys = 16;

// Thrown through the library, which knows no other way to stop.
struct Stop {
  uint32_t line, column;
  std::string what;
};

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

// Takes the library's events; what is open is a list of its own.
class Document::Builder final : public YAML::EventHandler {
 public:
  explicit Builder(Document* document)
      : document_(*document), most_weight_(kMostGrowth * document->source_->size() + kAlwaysFine) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) Refuse(mark, "a second document begins here; one workflow is one document, so take out this '---' and what follows");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { Add(mark, anchor, Kind::kNull, 1); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) Refuse(mark, "an alias to what this stands in; write it out");
    const Anchored& to = found->second;
    if (open_.size() + to.height > kMostDepth) RefuseDepth(mark);
    const uint32_t index = Add(mark, 0, Kind::kNull, to.weight, to.height);
    document_.nodes_[index].alias_of = to.index;
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& text) override {
    CheckTag(mark, tag);
    const uint32_t index = Add(mark, anchor, Kind::kText, 1 + text.size());
    Stored& stored = document_.nodes_[index];
    stored.begin = static_cast<uint32_t>(document_.texts_.size());
    stored.size = static_cast<uint32_t>(text.size());
    stored.quoted = tag != "?" && !tag.empty();
    document_.texts_ += text;
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    CheckTag(mark, tag);
    Open(mark, anchor, Kind::kList);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    CheckTag(mark, tag);
    Open(mark, anchor, Kind::kMap);
  }
  void OnMapEnd() override {
    CheckKeys();
    Close();
  }

 private:
  struct Anchored {
    uint32_t index;
    uint64_t weight;
    size_t height;
  };
  struct OpenNode {
    uint32_t index, last = kNone, count = 0;
    YAML::anchor_t anchor = 0;
    uint64_t weight = 1;  // bytes and nodes, with aliases written out
    size_t height = 1;    // levels, itself included
  };

  [[noreturn]] static void Refuse(const YAML::Mark& mark, std::string what) {
    throw Stop{static_cast<uint32_t>(std::max(mark.line, 0)), static_cast<uint32_t>(std::max(mark.column, 0)), std::move(what)};
  }
  [[noreturn]] static void RefuseDepth(const YAML::Mark& mark) {
    Refuse(mark, absl::StrCat("nested more than ", kMostDepth, " levels deep; a workflow needs about six"));
  }
  static void CheckTag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!" || tag == "tag:yaml.org,2002:str") return;
    Refuse(mark, absl::StrCat("a tag (", ToLine(tag, 40), "), which means nothing here; take it out"));
  }

  uint32_t Add(const YAML::Mark& mark, YAML::anchor_t anchor, Kind kind, uint64_t weight, size_t height = 0) {
    std::vector<Stored>& nodes = document_.nodes_;
    if (nodes.size() >= kMostNodes) Refuse(mark, absl::StrCat("more than ", kMostNodes, " words, lists and maps; make several workflows of it"));
    const auto index = static_cast<uint32_t>(nodes.size());
    Stored& stored = nodes.emplace_back();
    stored.line = static_cast<uint32_t>(std::max(mark.line, 0));
    stored.column = static_cast<uint32_t>(std::max(mark.column, 0));
    stored.kind = kind;
    if (kind == Kind::kList || kind == Kind::kMap) stored.begin = kNone;
    if (!open_.empty()) Append(index);
    if (!open_.empty()) Grow(mark, weight, height);
    if (anchor != 0 && kind != Kind::kList && kind != Kind::kMap) anchors_[anchor] = {index, weight, height};
    return index;
  }

  void Append(uint32_t index) {
    OpenNode& in = open_.back();
    (in.last == kNone ? document_.nodes_[in.index].begin : document_.nodes_[in.last].next) = index;
    in.last = index;
    ++in.count;
  }

  void Grow(const YAML::Mark& mark, uint64_t weight, size_t height) {
    OpenNode& in = open_.back();
    in.weight += weight;
    in.height = std::max(in.height, height + 1);
    if (in.weight > most_weight_) Refuse(mark, "its aliases make it too large; write out what is meant");
  }

  void Open(const YAML::Mark& mark, YAML::anchor_t anchor, Kind kind) {
    if (open_.size() >= kMostDepth) RefuseDepth(mark);
    OpenNode opened;
    opened.index = Add(mark, 0, kind, 1, 1);
    opened.anchor = anchor;
    open_.push_back(opened);
  }

  void Close() {
    const OpenNode closed = open_.back();
    open_.pop_back();
    if (closed.anchor != 0) anchors_[closed.anchor] = {closed.index, closed.weight, closed.height};
    const Stored& stored = document_.nodes_[closed.index];
    if (!open_.empty()) Grow(MarkOf(stored), closed.weight, closed.height);
  }

  static YAML::Mark MarkOf(const Stored& stored) {
    YAML::Mark mark;
    mark.line = static_cast<int>(stored.line);
    mark.column = static_cast<int>(stored.column);
    return mark;
  }

  std::string_view TextOf(const Stored& stored) const { return std::string_view(document_.texts_).substr(stored.begin, stored.size); }

  // Of the map that ends.
  void CheckKeys() {
    const OpenNode& map = open_.back();
    std::vector<uint32_t> seen;
    absl::flat_hash_map<absl::string_view, uint32_t> many;
    for (uint32_t at = document_.nodes_[map.index].begin; at != kNone;) {
      const Stored& key = document_.nodes_[at];
      if (key.kind != Kind::kText) Refuse(MarkOf(key), key.kind == Kind::kMap ? "a map where a key belongs; a text that begins with '{' goes in quotes" : "a key must be a word; put it in quotes");
      const std::string_view text = TextOf(key);
      const uint32_t first = map.count > 2 * kManyKeys ? many.try_emplace(View(text), at).first->second : FirstOf(seen, text, at);
      if (first != at) {
        Refuse(MarkOf(key), absl::StrCat("the key '", ToLine(std::string(text), 60), "' a second time, after line ",
                                         document_.nodes_[first].line + 1, "; take one out or give it another name"));
      }
      seen.push_back(at);
      at = document_.nodes_[key.next].next;
    }
  }

  uint32_t FirstOf(const std::vector<uint32_t>& seen, std::string_view text, uint32_t otherwise) const {
    for (const uint32_t at : seen) {
      if (TextOf(document_.nodes_[at]) == text) return at;
    }
    return otherwise;
  }

  Document& document_;
  const uint64_t most_weight_;
  int documents_ = 0;
  std::vector<OpenNode> open_;
  absl::flat_hash_map<YAML::anchor_t, Anchored> anchors_;
};

absl::StatusOr<Document> Document::Parse(std::string name, std::string text) {
  Document document;
  document.name_ = std::make_unique<std::string>(std::move(name));
  document.source_ = std::make_unique<std::string>(std::move(text));
  const std::string& source = *document.source_;
  if (source.size() > kMostBytes) {
    return absl::InvalidArgumentError(absl::StrCat(*document.name_, ": larger than ", kMostBytes >> 20, " MiB; pass large data in files"));
  }
  if (const auto wrong = FindBadCharacter(source)) return document.Bad(wrong->line, wrong->column, wrong->what);
  try {
    std::istringstream input(source);
    YAML::Parser parser(input);
    Builder builder(&document);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Stop& stop) {
    return document.Bad(stop.line, stop.column, stop.what);
  } catch (const YAML::Exception& error) {
    const SourceError plain = PlainWords(source, static_cast<uint32_t>(std::max(error.mark.line, 0)),
                                         static_cast<uint32_t>(std::max(error.mark.column, 0)), error.msg);
    return document.Bad(plain.line, plain.column, plain.what);
  }
  if (document.nodes_.empty()) document.nodes_.emplace_back();
  return document;
}

absl::Status Document::Bad(uint32_t line, uint32_t column, std::string_view what) const {
  return absl::InvalidArgumentError(
      absl::StrCat(*name_, ":", line + 1, ":", CharacterColumn(*source_, line, column) + 1, ": ", ToLine(std::string(what), 1024)));
}

Document::Node Document::root() const { return {this, 0}; }

std::string_view Document::Node::text() const {
  const Stored& content = Content();
  if (content.kind != Kind::kText) return {};
  return std::string_view(document_->texts_).substr(content.begin, content.size);
}

std::vector<Document::Node> Document::Node::items() const {
  std::vector<Node> items;
  if (!is_list()) return items;
  for (uint32_t at = Content().begin; at != kNone; at = document_->nodes_[at].next) items.emplace_back(document_, at);
  return items;
}

std::vector<Document::Entry> Document::Node::entries() const {
  std::vector<Entry> entries;
  if (!is_map()) return entries;
  for (uint32_t at = Content().begin; at != kNone;) {
    const uint32_t value = document_->nodes_[at].next;
    entries.push_back({Node(document_, at), Node(document_, value)});
    at = document_->nodes_[value].next;
  }
  return entries;
}

Document::Node Document::Node::Find(std::string_view key) const {
  if (!is_map()) return {};
  for (uint32_t at = Content().begin; at != kNone;) {
    const uint32_t value = document_->nodes_[at].next;
    if (Node(document_, at).text() == key) return {document_, value};
    at = document_->nodes_[value].next;
  }
  return {};
}

absl::Status Document::Node::Bad(std::string_view what) const { return document_->Bad(At().line, At().column, what); }

std::string_view KindText(Document::Kind kind) {
  switch (kind) {
    case Document::Kind::kNull: return "nothing";
    case Document::Kind::kText: return "a word";
    case Document::Kind::kList: return "a list";
    case Document::Kind::kMap: return "a map";
  }
  return "";
}

}  // namespace muster::cli
