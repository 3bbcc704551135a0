#include "master/store/header_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "absl/strings/str_cat.h"

namespace muster::store {
namespace {

constexpr size_t kHeaderBytes = 100;
constexpr size_t kPageSizeAt = 16;
constexpr size_t kVersionsAt = 18;  // write, read: 2 is WAL mode, 1 is not (what a copy of other tools may be)
constexpr int kPageBytes = 4096;    // what stores are made with

struct Fixed {
  size_t offset;
  std::string_view bytes;
  const char* what;
};

using namespace std::string_view_literals;
constexpr std::array<Fixed, 10> kFixed = {{
    {0, "SQLite format 3\0"sv, "the file is not a database"},
    {20, "\0\x40\x20\x20"sv, "reserved bytes and payload fractions"},
    {44, "\0\0\0\4"sv, "schema format"},
    {48, "\0\0\0\0"sv, "cache size"},
    {52, "\0\0\0\0"sv, "vacuum mode"},
    {56, "\0\0\0\1"sv, "text encoding"},
    {60, "\0\0\0\0"sv, "user version"},
    {64, "\0\0\0\0"sv, "vacuum mode"},
    {68, "MSTR"sv, "application id"},
    {72, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"sv, "reserved bytes"},
}};

absl::Status Damaged(const std::string& path, size_t offset, const char* what) {
  return absl::DataLossError(
      absl::StrCat("store ", path, " is damaged: header, offset ", offset, ": ", what));
}

bool IsPageSize(uint32_t bytes) { return bytes == 1 || (bytes >= 512 && bytes <= 32768 && (bytes & (bytes - 1)) == 0); }

}  // namespace

absl::Status CheckDatabaseHeader(const std::string& path) {
  std::array<char, kHeaderBytes> header{};
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return absl::OkStatus();
  const ssize_t size = pread(descriptor, header.data(), header.size(), 0);
  close(descriptor);
  if (size == 0) return absl::OkStatus();
  if (size != static_cast<ssize_t>(header.size())) return Damaged(path, 0, "the file is cut off in its header");
  // Of another program: schema.h says so, as a refusal and not as damage.
  const bool is_ours = std::memcmp(&header[68], "\0\0\0\0", 4) != 0;
  for (const Fixed& fixed : kFixed) {
    if (!is_ours && fixed.offset != 0) continue;
    if (std::string_view(&header[fixed.offset], fixed.bytes.size()) != fixed.bytes) {
      return Damaged(path, fixed.offset, fixed.what);
    }
  }
  const auto byte = [&header](size_t at) { return static_cast<uint8_t>(header[at]); };
  if (!IsPageSize(uint32_t{byte(kPageSizeAt)} << 8 | byte(kPageSizeAt + 1))) {
    return Damaged(path, kPageSizeAt, "page size");
  }
  const uint8_t version = byte(kVersionsAt);
  if ((version != 1 && version != 2) || byte(kVersionsAt + 1) != version) {
    return Damaged(path, kVersionsAt, "format version");
  }
  return absl::OkStatus();
}

absl::Status MendDatabaseHeader(const std::string& path) {
  if (CheckDatabaseHeader(path).ok()) return absl::OkStatus();
  const int descriptor = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return absl::InternalError(absl::StrCat("cannot open ", path, ": ", std::strerror(errno)));
  bool written = true;
  const auto put = [&](size_t offset, std::string_view bytes) {
    written = written && pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
                             static_cast<ssize_t>(bytes.size());
  };
  for (const Fixed& fixed : kFixed) put(fixed.offset, fixed.bytes);
  const char sizes[] = {static_cast<char>(kPageBytes >> 8), static_cast<char>(kPageBytes & 0xff), 2, 2};
  put(kPageSizeAt, {sizes, sizeof sizes});
  close(descriptor);
  return written ? absl::OkStatus() : absl::InternalError(absl::StrCat("cannot write ", path));
}

}  // namespace muster::store
