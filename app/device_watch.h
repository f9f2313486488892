// Keeps the list of devices fresh while somebody looks at it: asks on a worker thread, and again a while
// after each answer, so that questions never overlap. GUI thread.
#pragma once

#include <QObject>
#include <QTimer>
#include <functional>

#include "app/engine_host.h"
#include "engine/jobs/devices_job.h"

namespace bitloom::app {

class DeviceWatch : public QObject {
    Q_OBJECT

  public:
    /// From an answer to the next question.
    static constexpr int kRefreshMs = 2000;

    /// Runs on a worker; may block for seconds and obeys the control. Tests put their own in place.
    using Source = std::function<Result<jobs::DevicesResult>(const JobControl&)>;

    /// Asks runDevicesJob.
    explicit DeviceWatch(QObject* parent = nullptr);

    void setSource(Source source) { m_source = std::move(source); }

    /// On: asks at once and then again and again. Off: a question under way is given up, its answer
    /// forgotten.
    void setActive(bool active);
    [[nodiscard]] bool active() const { return m_active; }

  Q_SIGNALS:
    void listed(const bitloom::jobs::DevicesResult& devices);

  private:
    void ask();

    Source m_source;
    bool m_active = false;
    QTimer m_timer;
    EngineHost m_host;
};

}  // namespace bitloom::app
