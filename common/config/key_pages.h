// What people read about a program's keys: help, what is in effect, the table of docs/configuration.md, an example file.
//
// Thread rule: pure.
#pragma once

#include <string>

#include "common/config/key_table.h"

namespace muster::config {

std::string HelpPage(const KeyTable& table, const std::string& summary);
std::string EffectivePage(const KeyTable& table);
std::string MarkdownPage(const KeyTable& table, const std::string& summary);
// Without its "# " it is a file that says what holds by default.
std::string ExamplePage(const KeyTable& table, const std::string& summary);

}  // namespace muster::config
