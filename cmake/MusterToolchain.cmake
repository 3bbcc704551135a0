# How everything is compiled: one standard, one set of warnings, and the quickest tools there are.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_CXX_VISIBILITY_PRESET default)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
# Without assert(), which only the libraries use: with it Abseil compares keys three times for one answer, in every look-up.
# Our own checks (common/base/check.h) stay, and so do Abseil's of bounds; every other preset has the asserts.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1")

add_compile_options(-Wall -Wextra -Werror=return-type -Werror=switch -Wno-missing-field-initializers
                    -fno-omit-frame-pointer)

# What a hole in memory meets in what people run (tests/e2e/hardened_test.py): no address is known, no table stays writable, the
# stack and what libc writes are checked. Debian 12 itself does not switch on the checks of CET; ours is ready for those who do.
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-fstack-protector-strong -D_FORTIFY_SOURCE=2)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    add_compile_options(-fcf-protection=full)
  endif()
  include(CheckPIESupported)
  check_pie_supported(LANGUAGES CXX)
  add_link_options(-Wl,-z,relro,-z,now)
endif()

set(MUSTER_UNITY 5 CACHE STRING "Sources of a folder that are compiled as one; OFF: each on its own")

# MUSTER_SANITIZE: "address,undefined,float-cast-overflow" or "thread".
set(MUSTER_SANITIZE "" CACHE STRING "Sanitizers to build with, as -fsanitize takes them")
if(MUSTER_SANITIZE)
  add_compile_options(-fsanitize=${MUSTER_SANITIZE} -fno-sanitize-recover=all -g1)
  add_link_options(-fsanitize=${MUSTER_SANITIZE})
endif()

# MUSTER_FUZZ: the programs of tests/fuzz are libFuzzer's, and all code tells it where it has been.
option(MUSTER_FUZZ "Build the fuzz targets with libFuzzer (clang alone)" OFF)
if(MUSTER_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# MUSTER_PLANTED_FAULTS: common/base/planted_fault.h does something. Never in what anyone runs for work.
option(MUSTER_PLANTED_FAULTS "A bug or a death can be planted at start" OFF)
if(MUSTER_PLANTED_FAULTS)
  add_compile_definitions(MUSTER_PLANTED_FAULTS)
endif()

if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  add_compile_options(-Wthread-safety -Werror=thread-safety)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  # Paths relative to the checkout, so that a second clone of the same tree finds what the first one built.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
      CCACHE_NOHASHDIR=1 ${CCACHE})
endif()
find_program(MOLD ld.mold)
find_program(LLD ld.lld)
if(MOLD AND NOT (MUSTER_SANITIZE AND CMAKE_COMPILER_IS_GNUCXX))
  add_link_options(-fuse-ld=mold)
elseif(LLD)
  add_link_options(-fuse-ld=lld)
endif()
