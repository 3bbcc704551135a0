// How the master's allocator (jemalloc) takes its memory: in huge pages, where the kernel gives them on request. A
// placement in a large cluster touches some forty cache lines that nothing has touched lately, and with pages of 4 KiB each
// costs a walk of the page tables besides. An idle master is 30 MB larger for it. Read by jemalloc before main begins;
// without jemalloc it means nothing.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "thp:always";
}
