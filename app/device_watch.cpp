#include "app/device_watch.h"

#include <memory>
#include <optional>
#include <utility>

namespace bitloom::app {

DeviceWatch::DeviceWatch(QObject* parent) : QObject(parent), m_source(jobs::runDevicesJob) {
    m_timer.setSingleShot(true);
    m_timer.setInterval(kRefreshMs);
    connect(&m_timer, &QTimer::timeout, this, &DeviceWatch::ask);
}

void DeviceWatch::setActive(bool active) {
    if (active == std::exchange(m_active, active)) return;
    if (!active) {
        m_timer.stop();
        m_host.stop();
    } else if (!m_host.busy()) {
        ask();
    }
}

void DeviceWatch::ask() {
    auto answer = std::make_shared<std::optional<jobs::DevicesResult>>();
    connect(
        &m_host, &EngineHost::finished, this,
        [this, answer](const Status& outcome) {
            if (m_active && outcome) Q_EMIT listed(**answer);
            if (!m_active) return;
            // A question that was given up and is wanted again after all is put at once.
            const bool givenUp = !outcome && outcome.error().kind == ErrorKind::Cancelled;
            givenUp ? ask() : m_timer.start();
        },
        Qt::SingleShotConnection);
    m_host.start([source = m_source, answer](report::ProgressSink&, JobControl& control) -> Status {
        BITLOOM_ASSIGN_OR_RETURN(*answer, source(control));
        return {};
    });
}

}  // namespace bitloom::app
