// How the outside steers a running job: stop, pause, resume. The job calls waitWhilePaused() once a step, so
// every request takes effect within one step. All members may be called from any thread.
#pragma once

#include <condition_variable>

#include "engine/base/annotated_mutex.h"

namespace bitloom {

class JobControl {
  public:
    void stop();
    void pause();
    void resume();

    [[nodiscard]] bool stopRequested() const;
    [[nodiscard]] bool paused() const;

    /// Blocks while paused. Returns false once stop() was called: the job must then save and return.
    [[nodiscard]] bool waitWhilePaused();

  private:
    mutable Mutex m_mutex;
    std::condition_variable_any m_changed;
    bool m_stop BITLOOM_GUARDED_BY(m_mutex) = false;
    bool m_paused BITLOOM_GUARDED_BY(m_mutex) = false;
};

}  // namespace bitloom
