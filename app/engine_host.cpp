#include "app/engine_host.h"

#include <algorithm>
#include <exception>
#include <map>
#include <thread>
#include <utility>

#include "engine/base/annotated_mutex.h"

namespace bitloom::app {

/// The ProgressSink of a job. Gathers under a lock; `announce` is called when the first thing since take()
/// arrives.
class EngineHost::Mailbox : public report::ProgressSink {
  public:
    explicit Mailbox(std::function<void()> announce) : m_announce(std::move(announce)) {}

    void runStarted(const report::RunInfo& info) override {
        put([&](Delivery& pending) { pending.started = info; });
    }
    void progress(const report::Progress& progress) override {
        put([&](Delivery& pending) { pending.progress = progress; });
    }
    void metric(const report::MetricSample& sample) override {
        put([&](Delivery& pending) { pending.metrics.push_back(sample); });
    }
    void layer(const report::LayerSnapshotPtr& snapshot) override {
        put([&](Delivery& pending) {
            const auto [position, isNew] = m_slots.try_emplace(snapshot->layer, pending.layers.size());
            if (isNew) pending.layers.push_back(snapshot);
            pending.layers[position->second] = snapshot;
            pending.bitwidths.emplace_back(snapshot->layer, report::bitwidthPoint(*snapshot));
            // A delivery may fall between two layers of a step.
            if (snapshot->step <= m_lastStep) return;
            m_lastStep = snapshot->step;
            pending.recordedSteps.push_back(m_lastStep);
        });
    }
    void event(const report::RunEvent& event) override {
        put([&](Delivery& pending) { pending.events.push_back(event); });
    }
    void log(std::string_view line) override {
        put([&](Delivery& pending) { pending.log.emplace_back(line); });
    }

    void runFinished(const report::RunSummary& summary) override {
        put([&](Delivery& pending) { pending.summary = summary; });
    }

    /// Any thread.
    Delivery take() {
        MutexLock lock(m_mutex);
        m_announced = false;
        m_slots.clear();
        return std::exchange(m_pending, {});
    }

  private:
    template <class Change>
    void put(Change change) {
        {
            MutexLock lock(m_mutex);
            change(m_pending);
            if (std::exchange(m_announced, true)) return;
        }
        m_announce();
    }

    std::function<void()> m_announce;
    Mutex m_mutex;
    Delivery m_pending BITLOOM_GUARDED_BY(m_mutex);
    std::map<std::string, std::size_t> m_slots BITLOOM_GUARDED_BY(m_mutex);  ///< layer to place in m_pending
    std::int64_t m_lastStep BITLOOM_GUARDED_BY(m_mutex) = -1;  ///< of recordedSteps, of all deliveries
    bool m_announced BITLOOM_GUARDED_BY(m_mutex) = false;
};

struct EngineHost::Job {
    Job(std::uint64_t jobId, std::function<void()> announce) : id(jobId), mailbox(std::move(announce)) {}
    ~Job() { control.stop(); }
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;

    std::uint64_t id;
    Mailbox mailbox;
    JobControl control;
    std::jthread thread;  ///< last member: joins before what it uses dies
};

EngineHost::EngineHost(QObject* parent) : QObject(parent) {
    m_timer.setSingleShot(true);
    m_timer.setTimerType(Qt::PreciseTimer);
    connect(&m_timer, &QTimer::timeout, this, &EngineHost::deliver);
}

EngineHost::~EngineHost() = default;

void EngineHost::start(Work work) {
    if (m_job) {
        m_job->control.stop();
        m_outdated.push_back(std::move(m_job));
    }
    const std::uint64_t id = ++m_lastId;
    m_job = std::make_unique<Job>(id, [this, id] {
        QMetaObject::invokeMethod(
            this, [this, id] { announce(id); }, Qt::QueuedConnection);
    });
    setState(JobState::Running);
    m_job->thread = std::jthread([this, job = m_job.get(), run = std::move(work)] {
        const auto outcome = [&]() -> Status {
            try {
                return run(job->mailbox, job->control);
            } catch (const std::exception& error) {
                return fail(
                    "The job ended unexpectedly: {}. Its run file holds everything up to the last "
                    "checkpoint.",
                    error.what());
            }
        }();
        QMetaObject::invokeMethod(
            this, [this, id = job->id, outcome] { finish(id, outcome); }, Qt::QueuedConnection);
    });
}

void EngineHost::pause() {
    if (m_state != JobState::Running) return;
    m_job->control.pause();
    setState(JobState::Paused);
}

void EngineHost::resume() {
    if (m_state != JobState::Paused) return;
    m_job->control.resume();
    setState(JobState::Running);
}

void EngineHost::stop() {
    if (m_state != JobState::Running && m_state != JobState::Paused) return;
    m_job->control.stop();
    setState(JobState::Stopping);
}

void EngineHost::announce(std::uint64_t id) {
    if (!m_job || m_job->id != id || m_timer.isActive()) return;
    // What handling the last delivery took counts, so that a busy window keeps the pace.
    const qint64 elapsed = m_sinceDelivery.isValid() ? m_sinceDelivery.elapsed() : kDeliveryMs;
    m_timer.start(static_cast<int>(std::max<qint64>(0, kDeliveryMs - elapsed)));
}

void EngineHost::deliver() {
    m_sinceDelivery.start();
    if (m_job) Q_EMIT delivered(m_job->mailbox.take());
}

void EngineHost::finish(std::uint64_t id, const Status& outcome) {
    std::erase_if(m_outdated, [id](const std::unique_ptr<Job>& job) { return job->id == id; });
    if (!m_job || m_job->id != id) return;
    m_timer.stop();
    deliver();
    m_job.reset();
    setState(JobState::Idle);
    Q_EMIT finished(outcome);
}

void EngineHost::setState(JobState state) {
    if (state == std::exchange(m_state, state)) return;
    Q_EMIT stateChanged(state);
}

}  // namespace bitloom::app
