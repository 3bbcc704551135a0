// Which bytes of a database file hold something: all but the space inside pages that SQLite has not given to any cell.
// Source: https://www.sqlite.org/fileformat2.html#b_tree_pages.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace muster::store {

class PageMap {
 public:
  PageMap(const std::string& path, const std::string& content) : used_(content.size(), true), content_(content) {
    page_bytes_ = At(16) * 256 + At(17);
    sqlite3* database = nullptr;
    sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READONLY, nullptr);
    sqlite3_stmt* pages = nullptr;
    sqlite3_prepare_v2(database, "SELECT pageno, pagetype, unused, name FROM dbstat", -1, &pages, nullptr);
    while (sqlite3_step(pages) == SQLITE_ROW) {
      const auto page = static_cast<size_t>(sqlite3_column_int64(pages, 0));
      const std::string type = reinterpret_cast<const char*>(sqlite3_column_text(pages, 1));
      ++known_pages_;
      owners_[page] = reinterpret_cast<const char*>(sqlite3_column_text(pages, 3));
      if (type == "overflow") {
        Free(page * page_bytes_ - static_cast<size_t>(sqlite3_column_int64(pages, 2)), page * page_bytes_);
      } else {
        FreeInside(page);
      }
    }
    sqlite3_finalize(pages);
    sqlite3_close(database);
  }

  bool IsUsed(size_t offset) const { return used_[offset]; }
  // The table or index that the page is of; sqlite_schema has the first. Empty: none, a page that is free.
  std::string OwnerOf(size_t offset) const {
    const auto owner = owners_.find(offset / page_bytes_ + 1);
    return owner == owners_.end() ? "" : owner->second;
  }
  std::set<std::string> owners() const {
    std::set<std::string> all;
    for (const auto& [page, owner] : owners_) all.insert(owner);
    return all;
  }
  size_t known_pages() const { return known_pages_; }

 private:
  size_t At(size_t offset) const { return static_cast<uint8_t>(content_[offset]); }
  size_t Two(size_t offset) const { return At(offset) * 256 + At(offset + 1); }
  void Free(size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) used_[i] = false;
  }

  // The gap between cell pointers and cells, and the inside of free blocks.
  void FreeInside(size_t page) {
    const size_t start = (page - 1) * page_bytes_;
    const size_t header = start + (page == 1 ? 100 : 0);
    const bool is_leaf = At(header) == 10 || At(header) == 13;
    const size_t cells = Two(header + 5) == 0 ? 65536 : Two(header + 5);
    Free(header + (is_leaf ? 8 : 12) + 2 * Two(header + 3), start + cells);
    for (size_t block = Two(header + 1); block != 0; block = Two(start + block)) {
      Free(start + block + 4, start + block + Two(start + block + 2));
    }
  }

  std::vector<bool> used_;
  const std::string& content_;
  std::map<size_t, std::string> owners_;  // by page
  size_t page_bytes_ = 0;
  size_t known_pages_ = 0;
};

}  // namespace muster::store
