#include "engine/jobs/recording_sink.h"

#include <utility>

namespace bitloom::jobs {
namespace {

// A follower of the file sees new rows this often; a flush costs a few milliseconds.
constexpr std::chrono::milliseconds kFlushPeriod{500};

}  // namespace

void RecordingSink::keep(Status status) {
    if (status || !m_status) return;
    m_status = std::move(status);
    m_control.stop();
}

void RecordingSink::flushNowAndThen() {
    const auto now = std::chrono::steady_clock::now();
    if (now - m_flushed < kFlushPeriod) return;
    m_flushed = now;
    keep(m_writer.flush());
}

void RecordingSink::metric(const report::MetricSample& sample) {
    keep(m_writer.appendMetric(sample));
    flushNowAndThen();
    m_next.metric(sample);
}

void RecordingSink::layer(const report::LayerSnapshotPtr& snapshot) {
    keep(m_writer.appendLayer(*snapshot));
    m_next.layer(snapshot);
}

void RecordingSink::event(const report::RunEvent& event) {
    keep(m_writer.appendEvent(event));
    flushNowAndThen();
    m_next.event(event);
}

Status RecordingSink::sync() {
    keep(m_writer.sync());
    return m_status;
}

}  // namespace bitloom::jobs
