#include "master/app/store_metrics.h"

namespace muster::master {
namespace {

using store::StoreStats;

template <typename T>
struct Series {
  const char* name;
  const char* help;
  T StoreStats::*member;
};

constexpr Series<int64_t> kSizes[] = {
    {"muster_store_wal_bytes", "Of the write-ahead file.", &StoreStats::wal_bytes},
    {"muster_store_database_bytes", "Of the database file.", &StoreStats::database_bytes},
    {"muster_store_kept_task_bytes", "Of specifications, and 256 for each task's other rows: retention.tasks.bytes.",
     &StoreStats::kept_task_bytes},
    {"muster_store_kept_output_bytes", "Of retained output: retention.output.bytes.", &StoreStats::kept_output_bytes},
    {"muster_store_kept_activity_bytes", "Of the activity log: retention.activity.bytes.",
     &StoreStats::kept_activity_bytes},
    {"muster_store_free_bytes", "Free on the store's file system.", &StoreStats::free_bytes},
};
constexpr Series<uint64_t> kCounts[] = {
    {"muster_store_torn_writes_total", "Last writes dropped at the start: never acknowledged.",
     &StoreStats::torn_writes},
    {"muster_store_refused_commits_total", "Commits that found no room.", &StoreStats::refused_commits},
    {"muster_store_purged_tasks_total", "Finished tasks past retention, or purged by hand.", &StoreStats::purged_tasks},
    {"muster_store_scrubbed_rows_total", "Rows that the scrub looked at.", &StoreStats::scrubbed_rows},
    {"muster_store_scrub_rounds_total", "Times that the scrub went over the whole store.", &StoreStats::scrub_rounds},
    {"muster_store_checkpoints_total", "Times that the write-ahead file was copied.", &StoreStats::checkpoints},
    {"muster_store_wal_waits_total", "Commits that waited for the write-ahead file to be copied.",
     &StoreStats::wal_limit_waits},
};

}  // namespace

void AddStoreMetrics(telemetry::Metrics* metrics, const store::Store* store) {
  for (const auto& series : kSizes) {
    metrics->AddGaugeCallback(series.name, series.help, {}, [store, member = series.member] {
      return static_cast<double>(store->stats().*member);
    });
  }
  for (const auto& series : kCounts) {
    metrics->AddCounterCallback(series.name, series.help, {}, [store, member = series.member] {
      return static_cast<double>(store->stats().*member);
    });
  }
  metrics->AddGaugeCallback("muster_store_damaged_rows", "Rows that the scrub found damaged; 0 is well.", {},
                            [store] { return static_cast<double>(store->stats().damaged_rows); });
  metrics->AddGaugeCallback("muster_store_ballast_held", "1 while the ballast is there to be let go.", {},
                            [store] { return store->stats().ballast_held ? 1.0 : 0.0; });
}

}  // namespace muster::master
