// One thread for work that the GUI thread must not wait for. A request that has not begun is replaced by a
// newer one of its lane, so slow work never queues up: a person who drags the timeline gets the step under
// the mouse, not all between.
#pragma once

#include <QObject>
#include <condition_variable>
#include <functional>
#include <map>
#include <thread>

#include "engine/base/annotated_mutex.h"
#include "engine/base/result.h"

namespace bitloom::app {

class LatestWorker {
  public:
    /// What is left to do on the thread of `context` with the result of the work.
    using Completion = std::function<void()>;
    /// Runs on the worker.
    using Work = std::function<Result<Completion>()>;
    /// Runs on the thread of `context` when the work returns an error or throws.
    using Failure = std::function<void(const Error&)>;

    /// Completions and failures run, in order, in the event loop of `context`, which outlives the worker.
    explicit LatestWorker(QObject* context);
    /// Waits for the work in hand. What has not begun is dropped.
    ~LatestWorker();
    LatestWorker(const LatestWorker&) = delete;
    LatestWorker& operator=(const LatestWorker&) = delete;

    /// Lanes wait independently of each other; the lowest number goes first.
    void submit(int lane, Work work, Failure failed);

  private:
    struct Request {
        Work work;
        Failure failed;
    };
    void run(const std::stop_token& stop);

    QObject* m_context;
    Mutex m_mutex;
    std::condition_variable_any m_submitted;
    std::map<int, Request> m_waiting BITLOOM_GUARDED_BY(m_mutex);
    std::jthread m_thread;  ///< last member: joins before the others die
};

}  // namespace bitloom::app
