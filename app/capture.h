// Pictures of every view, for documentation and for machines without a display: waits for the step or for the
// end of the job, saves, stops what still runs and ends the event loop. GUI thread.
#pragma once

#include <QObject>
#include <cstdint>
#include <filesystem>

#include "app/main_window.h"
#include "engine/base/result.h"

namespace bitloom::app {

/// Writes "<name>.png" for each of MainWindow::captureTargets() into `folder`, which is made when it is
/// missing.
[[nodiscard]] Status captureViews(MainWindow& window, const std::filesystem::path& folder);

class Capture : public QObject {
    Q_OBJECT

  public:
    /// Size of the window in the pictures, pixels.
    static constexpr int kWidth = 1600;
    static constexpr int kHeight = 1000;

    /// What is waited for: what is opened is shown; a job has come to a step or its end; a benchmark, or
    /// an embedding or landscape, has ended.
    enum class Moment { Shown, Job, Benchmark, Computed };

    /// `untilStep`, of a job; < 0: its end.
    Capture(MainWindow& window, std::filesystem::path folder, std::int64_t untilStep, Moment moment);

    /// Of the process: 0, 1 when something failed, 3 when what was waited for was stopped from outside.
    [[nodiscard]] int exitCode() const { return m_exitCode; }

  private:
    void shoot();
    void fail(const QString& message);
    void end();

    MainWindow& m_window;
    std::filesystem::path m_folder;
    bool m_done = false;
    int m_exitCode = 0;
};

}  // namespace bitloom::app
