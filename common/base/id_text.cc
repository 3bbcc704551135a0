#include "common/base/id_text.h"

#include <array>

namespace muster {
namespace {

constexpr std::string_view kLetters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

constexpr std::array<int8_t, 256> MakeValues() {
  std::array<int8_t, 256> values{};
  for (int8_t& value : values) value = -1;
  for (size_t i = 0; i < kLetters.size(); ++i) {
    const char letter = kLetters[i];
    values[static_cast<uint8_t>(letter)] = static_cast<int8_t>(i);
    if (letter >= 'A') values[static_cast<uint8_t>(letter - 'A' + 'a')] = static_cast<int8_t>(i);
  }
  for (const char letter : {'I', 'i', 'L', 'l'}) values[static_cast<uint8_t>(letter)] = 1;
  for (const char letter : {'O', 'o'}) values[static_cast<uint8_t>(letter)] = 0;
  return values;
}
constexpr std::array<int8_t, 256> kValues = MakeValues();

}  // namespace

std::string IdToText(uint64_t value) {
  std::array<char, 13> letters;
  size_t begin = letters.size();
  do {
    letters[--begin] = kLetters[value % 32];
    value /= 32;
  } while (value != 0);
  return std::string(letters.data() + begin, letters.size() - begin);
}

std::optional<uint64_t> TextToId(std::string_view text) {
  if (text.empty()) return std::nullopt;
  uint64_t value = 0;
  for (const char letter : text) {
    const int8_t digit = kValues[static_cast<uint8_t>(letter)];
    if (digit < 0 || value >> 59 != 0) return std::nullopt;
    value = value * 32 + static_cast<uint64_t>(digit);
  }
  return value;
}

}  // namespace muster
