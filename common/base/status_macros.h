// Passing an absl::Status up: MUSTER_RETURN_IF_ERROR(expr); MUSTER_ASSIGN_OR_RETURN(auto x, expr);
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define MUSTER_RETURN_IF_ERROR(expression)                          \
  do {                                                              \
    if (absl::Status muster_status = (expression); !muster_status.ok()) return muster_status; \
  } while (false)

#define MUSTER_CONCAT_INNER(a, b) a##b
#define MUSTER_CONCAT(a, b) MUSTER_CONCAT_INNER(a, b)
#define MUSTER_ASSIGN_OR_RETURN(declaration, expression) \
  MUSTER_ASSIGN_OR_RETURN_INNER(MUSTER_CONCAT(muster_or_, __LINE__), declaration, expression)
#define MUSTER_ASSIGN_OR_RETURN_INNER(temporary, declaration, expression) \
  auto temporary = (expression);                                          \
  if (!temporary.ok()) return std::move(temporary).status();              \
  declaration = *std::move(temporary)
