#include "app/latest_worker.h"

#include <QMetaObject>
#include <utility>

namespace bitloom::app {

LatestWorker::LatestWorker(QObject* context)
    : m_context(context), m_thread([this](const std::stop_token& stop) { run(stop); }) {}

LatestWorker::~LatestWorker() = default;

void LatestWorker::submit(int lane, Work work) {
    {
        const std::lock_guard lock(m_mutex);
        m_waiting[lane] = std::move(work);
    }
    m_submitted.notify_one();
}

void LatestWorker::run(const std::stop_token& stop) {
    while (true) {
        Work work;
        {
            std::unique_lock lock(m_mutex);
            if (!m_submitted.wait(lock, stop, [this] { return !m_waiting.empty(); })) return;
            if (stop.stop_requested()) return;
            work = std::move(m_waiting.begin()->second);
            m_waiting.erase(m_waiting.begin());
        }
        if (Completion completion = work()) {
            QMetaObject::invokeMethod(m_context, std::move(completion), Qt::QueuedConnection);
        }
    }
}

}  // namespace bitloom::app
