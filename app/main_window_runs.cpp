// Several runs open at once: opening, listing, comparing them.
#include <QAction>
#include <QDockWidget>
#include <QDragEnterEvent>
#include <QDropEvent>
#include <QFileInfo>
#include <QMimeData>
#include <algorithm>
#include <cmath>
#include <iterator>

#include "app/main_window.h"
#include "widgets/controls/error_bar.h"
#include "widgets/controls/log_panel.h"
#include "widgets/controls/runs_panel.h"
#include "widgets/plots/curves_plot.h"
#include "widgets/plots/pareto_plot.h"

namespace bitloom::app {

namespace fs = std::filesystem;

void MainWindow::connectRuns() {
    connect(m_actions.openRun, &QAction::triggered, this, [this] {
        const QStringList files =
            m_dialogs.openFiles(this, tr("Open runs"), m_settings.get(settings::kFolder),
                                tr("Runs (*.h5 *.hdf5);;All files (*)"));
        if (files.isEmpty()) return;
        m_settings.set(settings::kFolder, QFileInfo(files.front()).absolutePath());
        if (files.size() == 1) return open(files.front().toStdString());
        std::vector<fs::path> paths;
        for (const QString& file : files)
            paths.emplace_back(file.toStdString());
        openRuns(paths);
    });
    connect(m_actions.openFolder, &QAction::triggered, this, [this] {
        const QString folder =
            m_dialogs.openFolder(this, tr("Open folder of runs"), m_settings.get(settings::kFolder), {});
        if (folder.isEmpty()) return;
        m_settings.set(settings::kFolder, folder);
        openRuns({folder.toStdString()});
    });
    connect(&m_runs, &OpenRuns::changed, this, &MainWindow::showRuns);
    connect(&m_runs, &OpenRuns::added, this, &MainWindow::runsAdded);
    // Whatever run is shown is one of the open ones.
    connect(&m_session, &Session::opened, this, [this] {
        if (m_session.kind() == Session::Kind::Run && !m_session.path().empty())
            m_runs.refresh(m_session.path());
        showRuns();
    });
    connect(&m_session, &Session::metricsAppended, this,
            [this](const std::vector<report::MetricSample>& rows) {
                const bool scored = std::ranges::any_of(
                    rows, [](const report::MetricSample& row) { return std::isfinite(row.top1Hard); });
                if (scored && !m_session.path().empty()) m_runs.refresh(m_session.path());
            });
    connect(&m_jobs, &JobController::ended, this, [this] { m_runs.refresh(m_jobs.runFile()); });

    // Those of a run that was timed are now among its figures.
    connect(&m_jobs, &JobController::benchmarked, this, [this](const fs::path& run) { m_runs.refresh(run); });

    // What is computed of the run that is shown already stays.
    const auto load = [this](const QString& path) {
        if (m_session.path() != path.toStdString()) open(path.toStdString());
    };
    widgets::ParetoPlot& pareto = m_views->pareto();
    connect(&pareto, &widgets::ParetoPlot::runActivated, this, load);
    connect(&pareto, &widgets::ParetoPlot::runChosen, m_runsPanel, &widgets::RunsPanel::chooseRun);
    connect(m_runsPanel, &widgets::RunsPanel::runActivated, this, load);
    connect(m_runsPanel, &widgets::RunsPanel::runChosen, &pareto, &widgets::ParetoPlot::chooseRun);
    connect(m_runsPanel, &widgets::RunsPanel::runRemoved, this,
            [this](const QString& path) { m_runs.remove(path.toStdString()); });
}

void MainWindow::openRuns(const std::vector<fs::path>& paths) {
    m_errors->clear();
    m_showAdded = true;
    tell(tr("Reading runs ..."));
    m_runs.add(paths);
}

void MainWindow::runsAdded(const QString& first) {
    for (const std::string& problem : m_runs.problems())
        m_log->appendLine(QString::fromStdString(problem));
    if (!std::exchange(m_showAdded, false)) return;
    if (first.isEmpty()) {
        showError(m_runs.problems().empty() ? tr("There is no run to open")
                                            : QString::fromStdString(m_runs.problems().front()));
        return;
    }
    tell(tr("%1 runs are open").arg(m_runs.runs().size()));
    if (m_runs.runs().size() > 1) {
        m_runsDock->show();
        m_views->setCurrentView(ViewArea::Pareto);
    }
    if (m_session.kind() != Session::Kind::Run && !m_session.opening()) m_session.open(first.toStdString());
}

void MainWindow::showRuns() {
    const QString current = QString::fromStdString(m_session.path().string());
    m_views->pareto().setRuns(m_runs.runs());
    m_views->pareto().setProblems(m_runs.problems());
    m_views->pareto().setCurrentRun(current);
    std::vector<report::RunFigures> others;
    std::error_code ignored;
    std::ranges::copy_if(m_runs.runs(), std::back_inserter(others), [&](const report::RunFigures& run) {
        return run.path != m_session.path() && !fs::equivalent(run.path, m_session.path(), ignored);
    });
    m_views->curves().setOtherRuns(others);
    m_runsPanel->setRuns(m_runs.runs());
    m_runsPanel->setCurrentRun(current);
    updateActions();
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
    const QList<QUrl> urls = event->mimeData()->urls();
    if (!urls.isEmpty() && std::ranges::all_of(urls, &QUrl::isLocalFile)) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
    event->acceptProposedAction();
    std::vector<fs::path> paths;
    for (const QUrl& url : event->mimeData()->urls())
        paths.emplace_back(url.toLocalFile().toStdString());
    std::error_code ignored;
    if (paths.size() > 1 || fs::is_directory(paths.front(), ignored)) {
        openRuns(paths);
    } else {
        open(paths.front());
    }
}

}  // namespace bitloom::app
