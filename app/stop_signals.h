// Ctrl-C and SIGTERM stop cleanly instead of ending the process; a second one of the same kind ends it at
// once.
#pragma once

#include <functional>
#include <thread>

namespace bitloom::app {

/// While it lives, the first SIGINT or SIGTERM calls `stop`, on a thread of its own. One at a time in a
/// process.
class StopOnSignal {
  public:
    explicit StopOnSignal(std::function<void()> stop);
    ~StopOnSignal();
    StopOnSignal(const StopOnSignal&) = delete;
    StopOnSignal& operator=(const StopOnSignal&) = delete;

  private:
    std::thread m_waiter;
};

}  // namespace bitloom::app
