// Ctrl-C and SIGTERM stop a job cleanly instead of ending the process; a second one ends it at once.
#pragma once

#include <thread>

#include "engine/base/job_control.h"

namespace bitloom::app {

/// While it lives, the first SIGINT or SIGTERM calls control.stop(). One at a time in a process.
class StopOnSignal {
  public:
    explicit StopOnSignal(JobControl& control);
    ~StopOnSignal();
    StopOnSignal(const StopOnSignal&) = delete;
    StopOnSignal& operator=(const StopOnSignal&) = delete;

  private:
    std::thread m_waiter;
};

}  // namespace bitloom::app
