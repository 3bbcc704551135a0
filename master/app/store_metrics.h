// The store's figures as series of /metrics, read at each scrape.
// Thread rule: at start. Ownership: `store` must outlive `metrics`.
#pragma once

#include "common/telemetry/metrics.h"
#include "master/store/store.h"

namespace muster::master {

void AddStoreMetrics(telemetry::Metrics* metrics, const store::Store* store);

}  // namespace muster::master
