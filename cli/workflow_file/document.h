// One YAML or JSON document as a tree that knows where each thing stands, for messages with line and column.
//
//   absl::StatusOr<Document> document = Document::Parse("nightly.yaml", text);
//   for (const Document::Entry& entry : document->root().entries()) { entry.key.text(), entry.value.kind(), ... }
//   return value.Bad("is no number; write 5");   // nightly.yaml:3:7: ...
//
// Safe to be given anything: size, depth, number of nodes and what aliases stand for are bounded before they cost anything,
// and keys are words that come once in a map. A document of lists and maps is flat arrays; nothing recurses.
// Thread rule: const calls from any thread. Nodes are handles into their document, which must live. Errors:
// INVALID_ARGUMENT, one line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace muster::cli {

class Document {
 public:
  static constexpr size_t kMostBytes = size_t{64} << 20;
  static constexpr int kMostDepth = 64;
  static constexpr size_t kMostNodes = 4'000'000;

  enum class Kind : uint8_t { kNull, kText, kList, kMap };
  struct Entry;
  class Node;

  // `name` is for messages. Refused: not UTF-8, control characters, no YAML, more than one document, a key that is no word or
  // comes twice, tags, and what goes beyond the bounds. An empty text is a document whose root is null.
  static absl::StatusOr<Document> Parse(std::string name, std::string text);

  Node root() const;
  const std::string& name() const { return *name_; }

 private:
  class Builder;
  static constexpr uint32_t kNone = UINT32_MAX;

  // Places are as the library counts them: bytes, from 0.
  struct Stored {
    uint32_t line = 0, column = 0;
    uint32_t begin = 0, size = 0;  // a text's bytes in texts_; of lists and maps `begin` is the first child
    uint32_t next = kNone;         // sibling; in a map key, value, key, value, ...
    uint32_t alias_of = kNone;
    Kind kind = Kind::kNull;
    bool quoted = false;
  };

  absl::Status Bad(uint32_t line, uint32_t column, std::string_view what) const;

  std::unique_ptr<std::string> name_, source_;  // a document may move while nodes point to it
  std::vector<Stored> nodes_;
  std::string texts_;
};

class Document::Node {
 public:
  Node() = default;  // nothing, which is null as well
  Node(const Document* document, uint32_t index) : document_(document), index_(index) {}

  explicit operator bool() const { return document_ != nullptr; }
  Kind kind() const { return document_ == nullptr ? Kind::kNull : Content().kind; }
  bool is_map() const { return kind() == Kind::kMap; }
  bool is_list() const { return kind() == Kind::kList; }
  bool is_text() const { return kind() == Kind::kText; }
  bool is_null() const { return kind() == Kind::kNull; }
  // Of a text; `quoted`: it was not plain, so it is no number, no truth.
  std::string_view text() const;
  bool quoted() const { return Content().quoted; }
  std::string str() const { return std::string(text()); }

  std::vector<Node> items() const;     // of a list, else none
  std::vector<Entry> entries() const;  // of a map, else none
  // The value of a key; no node: there is none.
  Node Find(std::string_view key) const;

  int line() const { return static_cast<int>(At().line) + 1; }
  const std::string& file() const { return document_->name(); }
  // NAME:LINE:COLUMN: what
  absl::Status Bad(std::string_view what) const;

 private:
  const Stored& At() const { return document_->nodes_[index_]; }
  const Stored& Content() const { return At().alias_of == kNone ? At() : document_->nodes_[At().alias_of]; }

  const Document* document_ = nullptr;
  uint32_t index_ = 0;
};

struct Document::Entry {
  Node key, value;
};

// "a list", for messages.
std::string_view KindText(Document::Kind kind);

}  // namespace muster::cli
