# Every library from outside. All of them are Debian packages; cmake/packages.txt names them.

find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)  # module mode: Debian's protobuf 3.21 has no config package
find_package(absl CONFIG REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED COMPONENTS core)
find_package(yaml-cpp CONFIG REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
find_library(CIVETWEB_LIBRARY civetweb REQUIRED)
if(MUSTER_SANITIZE)
  set(JEMALLOC_LIBRARY "")  # the sanitizers bring an allocator of their own
else()
  find_library(JEMALLOC_LIBRARY jemalloc)
endif()
find_path(GRPC_PROTO_DIR grpc/health/v1/health.proto PATHS /usr/share/grpc-proto REQUIRED)
