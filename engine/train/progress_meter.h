// How fast a job goes and how long it still takes; reports at most about ten times a second.
#pragma once

#include <chrono>
#include <string>

#include "engine/report/progress_sink.h"

namespace bitloom::train {

class ProgressMeter {
  public:
    ProgressMeter(report::ProgressSink& sink, std::int64_t totalSteps)
        : m_sink(sink), m_totalSteps(totalSteps) {}

    /// Counts a step that took `seconds`.
    void stepTook(double seconds) {
        m_stepSeconds = m_stepSeconds == 0 ? seconds : m_stepSeconds + kSmoothing * (seconds - m_stepSeconds);
    }

    /// What the run will spend beside its steps from here on.
    void expect(double otherSeconds) { m_otherSeconds = otherSeconds; }

    /// Passes on where the job stands, unless it did so a moment ago in the same phase.
    void report(const std::string& phase, std::int64_t step) {
        const auto now = std::chrono::steady_clock::now();
        if (phase == m_phase && now - m_reported < std::chrono::milliseconds(100)) return;
        m_phase = phase;
        m_reported = now;
        report::Progress progress{phase, step, m_totalSteps, 0, report::kNoValue};
        if (m_stepSeconds > 0) {
            progress.stepsPerSecond = 1 / m_stepSeconds;
            progress.secondsLeft = static_cast<double>(m_totalSteps - step) * m_stepSeconds + m_otherSeconds;
        }
        m_sink.progress(progress);
    }

  private:
    static constexpr double kSmoothing = 0.05;  // about the last twenty steps

    report::ProgressSink& m_sink;
    std::int64_t m_totalSteps;
    double m_stepSeconds = 0;
    double m_otherSeconds = 0;
    std::string m_phase;
    std::chrono::steady_clock::time_point m_reported{};
};

}  // namespace bitloom::train
