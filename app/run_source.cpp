#include "app/run_source.h"

#include <cmath>
#include <utility>

#include "engine/jobs/report_job.h"
#include "engine/jobs/run_figures.h"

namespace bitloom::app {
namespace {

enum Lane { StepLane, ContentsLane };  // a scrub goes before a poll

}  // namespace

Result<RunContents> readContents(jobs::RunPlayback& playback, const std::filesystem::path& path,
                                 UnfinishedFigures& figures) {
    RunContents contents;
    BITLOOM_RETURN_IF_ERROR(playback.refresh());
    contents.info = playback.info();
    BITLOOM_ASSIGN_OR_RETURN(contents.summary, playback.summary());
    BITLOOM_ASSIGN_OR_RETURN(contents.metrics, playback.metrics());
    BITLOOM_ASSIGN_OR_RETURN(contents.events, playback.events());
    BITLOOM_ASSIGN_OR_RETURN(contents.steps, playback.steps());
    BITLOOM_ASSIGN_OR_RETURN(contents.bitwidths, playback.bitwidths());
    const report::RunStatus status = contents.summary.status;
    if (status != report::RunStatus::Failed && status != report::RunStatus::Running) return contents;
    const std::int64_t checkpoint = jobs::checkpointStep(path);
    if (checkpoint != figures.checkpoint) {
        figures = {checkpoint, std::nullopt};
        if (const auto report = jobs::reportRun(path)) figures.summary = report->summary;
    }
    if (!figures.summary) return contents;
    contents.summary = *figures.summary;
    contents.summary.status = status;
    // Rows come more often than checkpoints.
    for (const report::MetricSample& row : contents.metrics) {
        if (!std::isnan(row.top1Hard)) jobs::addAccuracies(contents.summary, row, contents.info.totalSteps);
    }
    return contents;
}

struct RunSource::Reader {
    explicit Reader(std::unique_ptr<jobs::RunPlayback> opened) : playback(std::move(opened)) {}

    std::unique_ptr<jobs::RunPlayback> playback;
    UnfinishedFigures figures;

    Result<jobs::RunPlayback*> open(const std::filesystem::path& path) {
        if (!playback) {
            BITLOOM_ASSIGN_OR_RETURN(playback, jobs::RunPlayback::open(path));
        }
        return playback.get();
    }
};

RunSource::RunSource(std::filesystem::path path, std::unique_ptr<jobs::RunPlayback> playback)
    : m_path(std::move(path)), m_reader(std::make_shared<Reader>(std::move(playback))), m_worker(this) {}

RunSource::~RunSource() = default;

void RunSource::refresh() {
    m_worker.submit(
        ContentsLane,
        [this, reader = m_reader, path = m_path]() -> Result<LatestWorker::Completion> {
            BITLOOM_ASSIGN_OR_RETURN(jobs::RunPlayback * playback, reader->open(path));
            BITLOOM_ASSIGN_OR_RETURN(RunContents contents, readContents(*playback, path, reader->figures));
            return LatestWorker::Completion(
                [this, contents = std::move(contents)] { Q_EMIT contentsRead(contents); });
        },
        [this](const Error& error) { Q_EMIT refreshFailed(QString::fromStdString(error.message)); });
}

void RunSource::readStep(std::int64_t step) {
    m_worker.submit(
        StepLane,
        [this, reader = m_reader, path = m_path, step]() -> Result<LatestWorker::Completion> {
            BITLOOM_ASSIGN_OR_RETURN(jobs::RunPlayback * playback, reader->open(path));
            BITLOOM_RETURN_IF_ERROR(playback->refresh());
            BITLOOM_ASSIGN_OR_RETURN(std::vector<report::LayerSnapshotPtr> layers, playback->layers(step));
            return LatestWorker::Completion(
                [this, step, layers = std::move(layers)] { Q_EMIT stepRead(step, layers); });
        },
        [this](const Error& error) { Q_EMIT failed(QString::fromStdString(error.message)); });
}

}  // namespace bitloom::app
