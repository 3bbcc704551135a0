#include "cli/task_input.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/errors.h"
#include "cli/text.h"
#include "cli/yaml.h"
#include "common/base/status_macros.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"

namespace muster::cli {
namespace {

using google::protobuf::Value;

std::string JsonOf(const Value& value) {
  std::string json;
  return google::protobuf::util::MessageToJsonString(value, &json).ok() ? json : "null";
}

// The specifications in a value: itself, or what its wrapping holds.
void Unwrap(const Value& value, const std::string& text, std::vector<std::string>* specs) {
  if (value.has_list_value()) {
    for (const Value& item : value.list_value().values()) Unwrap(item, JsonOf(item), specs);
    return;
  }
  if (value.has_struct_value()) {
    const auto& fields = value.struct_value().fields();
    for (const char* key : {"task", "spec"}) {
      const auto found = fields.find(key);
      if (found != fields.end() && found->second.has_struct_value()) return Unwrap(found->second, JsonOf(found->second), specs);
    }
    const auto tasks = fields.find("tasks");
    if (tasks != fields.end() && tasks->second.has_list_value()) return Unwrap(tasks->second, "", specs);
  }
  specs->push_back(text);
}

}  // namespace

absl::Status TaskReader::Bad(int line, const std::string& why) const {
  return UsageError(absl::StrCat(name_, ":", line, ": ", why));
}

absl::StatusOr<bool> TaskReader::Fill() {
  if (at_end_) return false;
  if (buffer_.size() > kMostTaskBytes) return Bad(line_, absl::StrCat("a task larger than ", SizeText(kMostTaskBytes)));
  char chunk[65536];
  ssize_t count;
  do {
    count = read(fd_, chunk, sizeof(chunk));
  } while (count < 0 && errno == EINTR);
  if (count < 0) return UsageError(absl::StrCat("cannot read ", name_, ": ", std::strerror(errno)));
  if (count == 0) {
    at_end_ = true;
    return false;
  }
  buffer_.append(chunk, static_cast<size_t>(count));
  return true;
}

bool TaskReader::HasMoreNow() {
  if (!ready_.empty() || at_end_) return true;
  if (form_ == Form::kJson) {
    // A whole value, or at least a line of one, is there already.
    const size_t begin = buffer_.find_first_not_of(" \t\r\n,");
    if (begin != std::string::npos && buffer_.find('\n', begin) != std::string::npos) return true;
  }
  pollfd input = {fd_, POLLIN, 0};
  return poll(&input, 1, 0) > 0;
}

absl::StatusOr<bool> TaskReader::NextJson(std::string* text, int* line) {
  while (true) {
    const size_t begin = std::min(buffer_.find_first_not_of(" \t\r\n"), buffer_.size());
    if (scanned_ == 0 && begin > 0) {
      line_ += static_cast<int>(std::count(buffer_.begin(), buffer_.begin() + static_cast<long>(begin), '\n'));
      buffer_.erase(0, begin);
    }
    if (!buffer_.empty() && scanned_ == 0 && buffer_[0] != '{' && buffer_[0] != '[') {
      return Bad(line_, absl::StrCat("expected a JSON object, found '", OneLine(buffer_.substr(0, 20), 20), "'"));
    }
    for (; scanned_ < buffer_.size(); ++scanned_) {
      const char c = buffer_[scanned_];
      if (in_string_) {
        if (escaped_) {
          escaped_ = false;
        } else if (c == '\\') {
          escaped_ = true;
        } else if (c == '"') {
          in_string_ = false;
        }
        continue;
      }
      if (c == '"') in_string_ = true;
      if (c == '{' || c == '[') ++depth_;
      if ((c == '}' || c == ']') && --depth_ == 0) {
        *line = line_;
        *text = buffer_.substr(0, scanned_ + 1);
        line_ += static_cast<int>(std::count(text->begin(), text->end(), '\n'));
        buffer_.erase(0, scanned_ + 1);
        scanned_ = 0;
        return true;
      }
    }
    MUSTER_ASSIGN_OR_RETURN(const bool more, Fill());
    if (more) continue;
    if (buffer_.empty()) return false;
    return Bad(line_, "the input ends in the middle of a JSON value");
  }
}

absl::StatusOr<bool> TaskReader::NextYaml(std::string* text, int* line) {
  while (true) {
    // A document ends before a line "---", or with the input.
    size_t from = scanned_;
    while (true) {
      const size_t mark = buffer_.find("\n---", from);
      if (mark == std::string::npos || mark + 4 >= buffer_.size()) break;
      const char after = buffer_[mark + 4];
      if (after == '\n' || after == '\r' || after == ' ') {
        *line = line_;
        *text = buffer_.substr(0, mark + 1);
        line_ += static_cast<int>(std::count(text->begin(), text->end(), '\n'));
        buffer_.erase(0, mark + 1);
        scanned_ = 3;
        return true;
      }
      from = mark + 1;
    }
    scanned_ = buffer_.size() > 8 ? std::max<size_t>(scanned_, buffer_.size() - 8) : scanned_;
    MUSTER_ASSIGN_OR_RETURN(const bool more, Fill());
    if (more) continue;
    if (buffer_.empty()) return false;
    *line = line_;
    text->swap(buffer_);
    buffer_.clear();
    return true;
  }
}

absl::Status TaskReader::Take(const std::string& json, int line) {
  Value value;
  auto parsed = google::protobuf::util::JsonStringToMessage(json, &value);
  if (!parsed.ok()) return Bad(line, absl::StrCat("no valid JSON: ", OneLine(std::string(parsed.message()), 200)));
  std::vector<std::string> specs;
  Unwrap(value, json, &specs);
  for (const std::string& text : specs) {
    v1::TaskSpec spec;
    parsed = google::protobuf::util::JsonStringToMessage(text, &spec);
    if (!parsed.ok()) return Bad(line, absl::StrCat("no TaskSpec: ", OneLine(std::string(parsed.message()), 200)));
    ready_.push_back(std::move(spec));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> TaskReader::NextValue(std::string* text, int* line) {
  while (form_ == Form::kUnknown) {
    const size_t begin = buffer_.find_first_not_of(" \t\r\n");
    if (begin != std::string::npos) {
      form_ = buffer_[begin] == '{' || buffer_[begin] == '[' ? Form::kJson : Form::kYaml;
      break;
    }
    MUSTER_ASSIGN_OR_RETURN(const bool more, Fill());
    if (!more) return false;
  }
  return form_ == Form::kJson ? NextJson(text, line) : NextYaml(text, line);
}

absl::StatusOr<bool> TaskReader::Next(v1::TaskSpec* spec) {
  while (ready_.empty()) {
    std::string text;
    int line = 0;
    MUSTER_ASSIGN_OR_RETURN(const bool found, NextValue(&text, &line));
    if (!found) return false;
    if (form_ == Form::kYaml) {
      const absl::StatusOr<std::string> json = YamlToJson(text, v1::TaskSpec::descriptor());
      if (!json.ok()) return Bad(line, std::string(json.status().message()));
      if (json->empty()) continue;
      text = *json;
    }
    MUSTER_RETURN_IF_ERROR(Take(text, line));
  }
  spec->Swap(&ready_.front());
  ready_.pop_front();
  return true;
}

absl::StatusOr<v1::TaskSpec> ReadOneTask(const std::string& file) {
  const int fd = file == "-" ? STDIN_FILENO : open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return UsageError(absl::StrCat("cannot open ", file, ": ", std::strerror(errno)));
  TaskReader reader(fd, file == "-" ? "stdin" : file);
  v1::TaskSpec spec, second;
  absl::StatusOr<bool> found = reader.Next(&spec);
  absl::StatusOr<bool> more = found.ok() && *found ? reader.Next(&second) : false;
  if (fd != STDIN_FILENO) close(fd);
  if (!found.ok()) return found.status();
  if (!more.ok()) return more.status();
  if (!*found) return UsageError(absl::StrCat("no task in ", file));
  if (*more) return UsageError(absl::StrCat("more than one task in ", file, "; `muster submit -f` takes many"));
  return spec;
}

}  // namespace muster::cli
