// What the tests of the window share: a person who answers the dialogs, run files on demand, waiting for
// conditions, and a message handler that turns every Qt warning into a failure.
#pragma once

#include <QString>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "app/main_window.h"
#include "engine/report/run.h"
#include "tests/support/test_paths.h"

namespace bitloom::app::testing {

/// Runs the event loop until `condition` holds; false after `milliseconds`.
[[nodiscard]] bool waitFor(const std::function<bool()>& condition, int milliseconds = 30'000);

inline constexpr int kLayers = 3;
inline constexpr std::int64_t kStepsApart = 10;

/// "layer1.conv1" and so on; layer 0 is in full precision, the others have 4 components.
[[nodiscard]] std::string layerName(int layer);

/// The centroid of component 1 of a layer at a step, which tells snapshots apart.
[[nodiscard]] double centroid(int layer, std::int64_t step);

[[nodiscard]] report::RunInfo runInfo(const std::filesystem::path& path, std::int64_t totalSteps);
[[nodiscard]] report::LayerSnapshotPtr layerSnapshot(int layer, std::int64_t step);

/// Writes a run with `count` recorded steps 0, 10, 20, ... `status` Running leaves the file open-ended.
void writeRun(const std::filesystem::path& path, int count,
              report::RunStatus status = report::RunStatus::Finished);

/// A job that trains a small network on a few generated images: `steps` steps, each recorded.
void writeTinyJob(const std::filesystem::path& path, int steps);

/// A window with injected answers and settings of its own in a temporary folder, which is also the working
/// folder.
class WindowTest : public ::testing::Test {
  public:
    ~WindowTest() override;

  protected:
    WindowTest();

    /// Another window on the same settings, as after a restart.
    [[nodiscard]] std::unique_ptr<MainWindow> makeWindow();
    /// Makes `m_window`, shows it.
    void showWindow();
    /// Trains the smallest run, of 32 test images, in a window of its own and shows it; expects no error.
    void trainTinyRun();
    [[nodiscard]] QWidget* find(const char* objectName) const;
    [[nodiscard]] QString errorText() const;
    /// Opens and waits until it is shown.
    void openAndWait(const std::filesystem::path& path);

    bitloom::testing::TemporaryFolder m_folder;
    std::filesystem::path m_before;  ///< working folder to go back to
    Settings m_settings;
    QString m_fileAnswer;  ///< of the file pickers
    std::optional<JobDraft> m_jobAnswer;
    CloseAnswer m_closeAnswer = CloseAnswer::KeepTraining;
    int m_questions = 0;  ///< asked so far, of every kind
    std::unique_ptr<MainWindow> m_window;
};

}  // namespace bitloom::app::testing
