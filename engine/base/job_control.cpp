#include "engine/base/job_control.h"

namespace bitloom {

void JobControl::stop() {
    MutexLock lock(m_mutex);
    m_stop = true;
    m_changed.notify_all();
}

void JobControl::pause() {
    MutexLock lock(m_mutex);
    m_paused = true;
}

void JobControl::resume() {
    MutexLock lock(m_mutex);
    m_paused = false;
    m_changed.notify_all();
}

bool JobControl::stopRequested() const {
    MutexLock lock(m_mutex);
    return m_stop;
}

bool JobControl::paused() const {
    MutexLock lock(m_mutex);
    return m_paused;
}

bool JobControl::waitWhilePaused() {
    MutexLock lock(m_mutex);
    while (m_paused && !m_stop)
        m_changed.wait(lock);
    return !m_stop;
}

}  // namespace bitloom
