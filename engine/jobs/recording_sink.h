// A tee: what a job reports goes to the run file and to the caller's sink. On the job's thread.
#pragma once

#include <chrono>
#include <memory>

#include "engine/base/job_control.h"
#include "engine/record/run_writer.h"
#include "engine/report/progress_sink.h"

namespace bitloom::jobs {

class RecordingSink final : public report::ProgressSink {
  public:
    /// The first failure to record is kept and stops the job through `control`.
    RecordingSink(record::RunWriter& writer, report::ProgressSink& next, JobControl& control)
        : m_writer(writer), m_next(next), m_control(control) {}

    void runStarted(const report::RunInfo& info) override { m_next.runStarted(info); }
    void progress(const report::Progress& progress) override { m_next.progress(progress); }
    void metric(const report::MetricSample& sample) override;
    void layer(const report::LayerSnapshotPtr& snapshot) override;
    void event(const report::RunEvent& event) override;
    void log(std::string_view line) override { m_next.log(line); }
    void runFinished(const report::RunSummary& summary) override { m_next.runFinished(summary); }

    /// Makes everything recorded so far visible to readers.
    [[nodiscard]] Status sync();
    /// The first failure to record.
    [[nodiscard]] const Status& status() const { return m_status; }

  private:
    void keep(Status status);
    void flushNowAndThen();

    record::RunWriter& m_writer;
    report::ProgressSink& m_next;
    JobControl& m_control;
    Status m_status;
    std::chrono::steady_clock::time_point m_flushed{};
};

}  // namespace bitloom::jobs
