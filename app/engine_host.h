// Runs one job at a time on a thread of its own and brings what it reports to the GUI thread in batches: the
// newest snapshot of a layer waits in a mailbox, which one single-shot timer empties, so that the window
// repaints at its own pace however fast the job reports. All members belong to the GUI thread.
#pragma once

#include <QElapsedTimer>
#include <QObject>
#include <QTimer>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/job_control.h"
#include "engine/base/result.h"
#include "engine/report/bitwidths.h"
#include "engine/report/progress_sink.h"

namespace bitloom::app {

/// What a job reported since the last delivery.
struct Delivery {
    std::optional<report::RunInfo> started;
    std::vector<report::LayerSnapshotPtr> layers;  ///< the newest of each layer
    /// Of every snapshot, with its layer; also of those outdated before they were shown.
    std::vector<std::pair<std::string, report::BitwidthPoint>> bitwidths;
    std::vector<report::MetricSample> metrics;
    std::vector<report::RunEvent> events;
    std::vector<std::string> log;
    std::optional<report::Progress> progress;
    std::optional<report::RunSummary> summary;  ///< the run's final figures
    /// Steps for which snapshots came, ascending; also those whose snapshots were outdated before they were
    /// shown.
    std::vector<std::int64_t> recordedSteps;
};

enum class JobState { Idle, Running, Paused, Stopping };

class EngineHost : public QObject {
    Q_OBJECT

  public:
    /// The shortest time between two deliveries.
    static constexpr int kDeliveryMs = 33;

    /// The job: runs on a worker, reports to the sink there, obeys the control.
    using Work = std::function<Status(report::ProgressSink&, JobControl&)>;

    explicit EngineHost(QObject* parent = nullptr);
    /// Stops the job and waits for it: at most one training step and one checkpoint.
    ~EngineHost() override;

    /// Starts `work`. A job that still runs is outdated: it is told to stop and nothing of it is delivered
    /// any more.
    void start(Work work);
    void pause();
    void resume();
    /// The job saves and ends; finished() follows.
    void stop();

    [[nodiscard]] JobState state() const { return m_state; }
    [[nodiscard]] bool busy() const { return m_state != JobState::Idle; }

  Q_SIGNALS:
    void stateChanged(bitloom::app::JobState state);
    void delivered(const bitloom::app::Delivery& delivery);
    /// The last signal of a job, after its last delivery. A stopped job ends with an error of kind Cancelled.
    void finished(const bitloom::Status& outcome);

  private:
    class Mailbox;
    struct Job;

    void announce(std::uint64_t id);
    void deliver();
    void finish(std::uint64_t id, const Status& outcome);
    void setState(JobState state);

    JobState m_state = JobState::Idle;
    std::uint64_t m_lastId = 0;
    QTimer m_timer;
    QElapsedTimer m_sinceDelivery;
    std::unique_ptr<Job> m_job;
    std::vector<std::unique_ptr<Job>> m_outdated;
};

}  // namespace bitloom::app
