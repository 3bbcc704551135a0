# One folder is one library, one binary, or one test program. Sources are found by their ending, so a new file
# needs no line here; what a folder may use is the DEPS line of its own CMakeLists.txt.

# A folder's sources are compiled a few at a time, so that the large headers that they share are read once for all of
# them; hence names in unnamed namespaces are unique within a folder. MUSTER_UNITY=OFF: each on its own.
function(muster_compile_together target)
  if(MUSTER_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${MUSTER_UNITY})
  endif()
endfunction()

# muster_library(DEPS a b ...): a static library of every .cc here; its name is the folder's path with '_' for '/'.
function(muster_library)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  file(RELATIVE_PATH path ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  string(REPLACE "/" "_" name ${path})
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  list(FILTER sources EXCLUDE REGEX "_main\\.cc$")
  if(sources)
    add_library(${name} STATIC ${sources})
    muster_compile_together(${name})
    set(scope PUBLIC)
  else()
    add_library(${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${name} ${scope} ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} ${scope} ${ARG_DEPS})
endfunction()

# muster_program(NAME SOURCE DEPS ...): a binary in build/bin.
function(muster_program name source)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
endfunction()

# muster_plugin(NAME SOURCES... DEPS ...): an executor plugin, build/lib/muster/NAME.so.
function(muster_plugin name)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  add_library(plugin_${name} MODULE ${ARG_UNPARSED_ARGUMENTS})
  if(NOT TARGET plugins)
    add_custom_target(plugins)  # all that are shipped
  endif()
  add_dependencies(plugins plugin_${name})
  set_target_properties(plugin_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib/muster)
  target_include_directories(plugin_${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(plugin_${name} PRIVATE ${ARG_DEPS})
endfunction()

# muster_tests(LABEL DEPS ...): one GoogleTest program of every *_test.cc here, each case registered with ctest
# under LABEL. One program per folder: linking is dearer than compiling.
function(muster_tests label)
  cmake_parse_arguments(ARG "" "TIMEOUT" "DEPS" ${ARGN})
  file(RELATIVE_PATH path ${PROJECT_SOURCE_DIR}/tests ${CMAKE_CURRENT_SOURCE_DIR})
  string(REPLACE "/" "_" name ${path})
  file(GLOB sources CONFIGURE_DEPENDS *_test.cc)
  if(NOT sources)
    return()
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  add_executable(${name}_test ${sources})
  muster_compile_together(${name}_test)
  target_include_directories(${name}_test PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name}_test PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  if(NOT TARGET test_programs)
    add_custom_target(test_programs)
  endif()
  add_dependencies(test_programs ${name}_test)
  if(MUSTER_SANITIZE MATCHES thread)
    target_sources(${name}_test PRIVATE ${PROJECT_SOURCE_DIR}/tests/support/tsan/abseil_locks.cc)
    target_link_libraries(${name}_test PRIVATE absl::synchronization ${CMAKE_DL_LIBS})
  endif()
  if(MUSTER_SANITIZE)
    math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 3")
  endif()
  gtest_discover_tests(${name}_test TEST_PREFIX "${path}/" DISCOVERY_TIMEOUT 60 DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS ${label} TIMEOUT ${ARG_TIMEOUT})
endfunction()
