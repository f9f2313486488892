// One run file, read on a thread of its own: finished, or still being written by this or another process.
// Requests come from the GUI thread and are answered there by signals; a request that has not begun is
// replaced by a newer one.
#pragma once

#include <QObject>
#include <QString>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "app/latest_worker.h"
#include "engine/base/result.h"
#include "engine/jobs/run_playback.h"

namespace bitloom::app {

/// Everything in a run file but the snapshots.
struct RunContents {
    report::RunInfo info;
    report::RunSummary summary;
    std::vector<report::MetricSample> metrics;
    std::vector<report::RunEvent> events;
    std::vector<std::int64_t> steps;  ///< recorded, ascending
    std::vector<report::BitwidthTrack> bitwidths;
};

/// Figures of a run that is not finished, kept until it has a newer checkpoint.
struct UnfinishedFigures {
    std::int64_t checkpoint = -1;
    std::optional<report::RunSummary> summary;  ///< none: no checkpoint could be read
};

/// What `playback` has of the run at `path`. The figures of one that failed or runs elsewhere are those of
/// its newest checkpoint, where that can be read. Any thread, one at a time for a playback.
[[nodiscard]] Result<RunContents> readContents(jobs::RunPlayback& playback, const std::filesystem::path& path,
                                               UnfinishedFigures& figures);

class RunSource : public QObject {
    Q_OBJECT

  public:
    /// `playback` null: the first request opens the file, on the reader thread.
    explicit RunSource(std::filesystem::path path, std::unique_ptr<jobs::RunPlayback> playback = nullptr);
    ~RunSource() override;

    [[nodiscard]] const std::filesystem::path& path() const { return m_path; }

    /// Reads what the writer added; contentsRead() or refreshFailed() follows.
    void refresh();
    /// Reads every layer at the newest recorded step <= `step`; stepRead() or failed() follows.
    void readStep(std::int64_t step);

  Q_SIGNALS:
    void contentsRead(const bitloom::app::RunContents& contents);
    void stepRead(qint64 step, const std::vector<bitloom::report::LayerSnapshotPtr>& layers);
    void refreshFailed(const QString& message);
    void failed(const QString& message);

  private:
    struct Reader;

    std::filesystem::path m_path;
    std::shared_ptr<Reader> m_reader;  ///< what it holds is used on the worker until that has ended
    LatestWorker m_worker;             ///< last member: its thread ends before the reader
};

}  // namespace bitloom::app
