#include "app/open_runs.h"

#include <algorithm>
#include <utility>

namespace bitloom::app {

void OpenRuns::add(const std::vector<std::filesystem::path>& paths) {
    m_worker.submit(
        ++m_lanes,
        [this, paths]() -> Result<LatestWorker::Completion> {
            jobs::ComparedRuns read = jobs::readRuns(paths);
            return LatestWorker::Completion([this, read = std::move(read)] {
                m_problems = read.problems;
                const QString first =
                    read.runs.empty() ? QString() : QString::fromStdString(read.runs.front().path);
                take(read.runs);
                Q_EMIT added(first);
            });
        },
        [this](const Error& error) {
            m_problems = {error.message};
            Q_EMIT changed();
            Q_EMIT added({});
        });
}

void OpenRuns::refresh(const std::filesystem::path& path) {
    // The newest request for a run stands for those before.
    const auto [lane, isNew] = m_refreshLanes.try_emplace(path, m_lanes + 1);
    if (isNew) ++m_lanes;
    m_worker.submit(
        lane->second,
        [this, path]() -> Result<LatestWorker::Completion> {
            BITLOOM_ASSIGN_OR_RETURN(report::RunFigures run, jobs::readRunFigures(path));
            return LatestWorker::Completion([this, run = std::move(run)] { take({run}); });
        },
        [](const Error&) {});
}

void OpenRuns::take(std::vector<report::RunFigures> runs) {
    for (report::RunFigures& run : runs) {
        const auto known = std::ranges::find_if(m_runs, [&](const report::RunFigures& other) {
            std::error_code ignored;
            return other.path == run.path || std::filesystem::equivalent(other.path, run.path, ignored);
        });
        if (known == m_runs.end()) {
            m_runs.push_back(std::move(run));
        } else {
            *known = std::move(run);
        }
    }
    std::ranges::stable_sort(m_runs, {}, &report::RunFigures::started);
    Q_EMIT changed();
}

void OpenRuns::remove(const std::filesystem::path& path) {
    std::erase_if(m_runs, [&](const report::RunFigures& run) { return run.path == path.string(); });
    Q_EMIT changed();
}

}  // namespace bitloom::app
