// The findings of a check, for people and for programs. Thread rule: pure functions.
#pragma once

#include <string>

#include "master/store/store_check.h"

namespace muster::master {

std::string CheckText(const std::string& directory, const store::CheckReport& report);
std::string CheckJson(const std::string& directory, const store::CheckReport& report);

}  // namespace muster::master
