#include "engine/base/job_control.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

namespace bitloom {
namespace {

/// A job that counts its steps on a thread of its own until it is stopped.
class CountingJob {
  public:
    explicit CountingJob(JobControl& control)
        : m_thread([this, &control] {
              while (control.waitWhilePaused())
                  ++m_steps;
              m_ended = true;
          }) {}

    void waitForStepsBeyond(std::int64_t steps) const {
        while (m_steps <= steps)
            std::this_thread::yield();
    }
    void join() { m_thread.join(); }
    [[nodiscard]] std::int64_t steps() const { return m_steps; }
    [[nodiscard]] bool ended() const { return m_ended; }

  private:
    std::atomic<std::int64_t> m_steps = 0;
    std::atomic<bool> m_ended = false;
    std::jthread m_thread;  // last: it uses the members above
};

TEST(JobControl, PauseTakesEffectWithinOneStep) {
    JobControl control;
    CountingJob job(control);
    job.waitForStepsBeyond(10);
    control.pause();
    EXPECT_TRUE(control.paused());
    const std::int64_t atPause = job.steps();
    for (int i = 0; i < 200; ++i)
        std::this_thread::yield();
    EXPECT_LE(job.steps(), atPause + 1);
    EXPECT_FALSE(job.ended());

    control.resume();
    EXPECT_FALSE(control.paused());
    job.waitForStepsBeyond(atPause + 100);
    control.stop();
    job.join();
    EXPECT_TRUE(job.ended());
}

TEST(JobControl, StopEndsAPausedJob) {
    JobControl control;
    control.pause();
    CountingJob job(control);
    control.stop();
    job.join();
    EXPECT_EQ(job.steps(), 0);
    EXPECT_TRUE(control.stopRequested());
}

TEST(JobControl, StopIsFinal) {
    JobControl control;
    EXPECT_TRUE(control.waitWhilePaused());
    EXPECT_FALSE(control.stopRequested());
    control.stop();
    control.resume();
    EXPECT_FALSE(control.waitWhilePaused());
}

}  // namespace
}  // namespace bitloom
