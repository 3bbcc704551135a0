#include "cli/workflow_file/scalar.h"

#include <cctype>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "common/config/config.h"

namespace muster::cli {

bool IsNull(const std::string& text) { return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL"; }

bool IsNumber(const std::string& text) {
  double value;
  return !text.empty() && (std::isdigit(static_cast<unsigned char>(text.back())) != 0 || text.back() == '.') &&
         absl::SimpleAtod(text, &value) && text.find_first_not_of("0123456789+-.eE") == std::string::npos;
}

bool IsTruth(const std::string& text) { return text == "true" || text == "True" || text == "TRUE"; }
bool IsFalsehood(const std::string& text) { return text == "false" || text == "False" || text == "FALSE"; }

std::string DurationJson(const std::string& text) {
  const absl::StatusOr<absl::Duration> duration = config::ParseDuration(text);
  return duration.ok() ? absl::StrFormat("%.9fs", absl::ToDoubleSeconds(*duration)) : text;
}

}  // namespace muster::cli
