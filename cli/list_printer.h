// A whole list of resources of one kind, in whatever form was asked for: the shape that `workers`, `queues` and `stats`
// have in common.
// Thread rule: the main thread.
#pragma once

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/output.h"
#include "cli/terminal.h"

namespace muster::cli {

// `add` puts a resource into the table; `name_of` is what `-q` prints of it.
template <typename Resources, typename NameOf, typename Add>
void PrintList(const Terminal& terminal, Format format, const std::string& list_name, const Resources& resources, NameOf name_of,
               Table table, Add add) {
  ListWriter list(format, list_name);
  for (const auto& resource : resources) {
    if (IsData(format)) {
      list.Add(resource);
    } else if (format == Format::kName) {
      Print(absl::StrCat(name_of(resource), "\n"));
    } else {
      add(resource, &table);
    }
  }
  if (IsData(format)) {
    list.Finish();
  } else if (format != Format::kName) {
    table.Print(terminal);
  }
}

}  // namespace muster::cli
