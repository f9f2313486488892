#include "app/latest_worker.h"

#include <QMetaObject>
#include <exception>
#include <utility>

namespace bitloom::app {
namespace {

Result<LatestWorker::Completion> finish(const LatestWorker::Work& work) {
    try {
        return work();
    } catch (const std::exception& error) {
        return fail("Reading ended unexpectedly: {}", error.what());
    }
}

}  // namespace

LatestWorker::LatestWorker(QObject* context)
    : m_context(context), m_thread([this](const std::stop_token& stop) { run(stop); }) {}

LatestWorker::~LatestWorker() = default;

void LatestWorker::submit(int lane, Work work, Failure failed) {
    {
        MutexLock lock(m_mutex);
        m_waiting[lane] = {std::move(work), std::move(failed)};
    }
    m_submitted.notify_one();
}

void LatestWorker::run(const std::stop_token& stop) {
    while (true) {
        Request request;
        {
            MutexLock lock(m_mutex);
            m_submitted.wait(lock, stop, [this] { return !m_waiting.empty(); });
            if (stop.stop_requested()) return;
            request = std::move(m_waiting.begin()->second);
            m_waiting.erase(m_waiting.begin());
        }
        auto done = finish(request.work);
        Completion next = done
                              ? std::move(*done)
                              : [failed = std::move(request.failed), error = done.error()] { failed(error); };
        QMetaObject::invokeMethod(m_context, std::move(next), Qt::QueuedConnection);
    }
}

}  // namespace bitloom::app
