// What the dispatcher counts.
// Thread rule: any thread. Ownership: the series belong to the registry.
#pragma once

#include "common/telemetry/metrics.h"

namespace muster::dispatcher {

struct DispatcherMetrics {
  explicit DispatcherMetrics(telemetry::Metrics* metrics)
      : messages_sent(metrics->AddCounter("muster_session_messages_sent_total", "Messages to workers.")),
        assignments_sent(metrics->AddCounter("muster_assignments_sent_total", "Assignments in those messages.")),
        messages_received(metrics->AddCounter("muster_session_messages_received_total", "Messages from workers.")),
        output_bytes(metrics->AddCounter("muster_output_bytes_total", "Live output that came from workers.")),
        malformed_reports(
            metrics->AddCounter("muster_malformed_reports_total", "Reports that name no possible attempt.")),
        paused_reads(metrics->AddCounter("muster_session_paused_reads_total", "Reads that waited for the loop.")),
        sessions_ended(metrics->AddCounter("muster_sessions_ended_total", "Sessions that ended.")) {}

  telemetry::Counter& messages_sent;
  telemetry::Counter& assignments_sent;
  telemetry::Counter& messages_received;
  telemetry::Counter& output_bytes;
  telemetry::Counter& malformed_reports;
  telemetry::Counter& paused_reads;
  telemetry::Counter& sessions_ended;
};

}  // namespace muster::dispatcher
