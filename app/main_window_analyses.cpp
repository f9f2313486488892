// The embedding and landscape views: what may be computed and when, and what happens to the results.
#include <QAction>

#include "app/main_window.h"
#include "widgets/controls/compute_bar.h"
#include "widgets/controls/error_bar.h"
#include "widgets/plots/embedding_plot.h"
#include "widgets/plots/landscape_plot.h"

namespace bitloom::app {

void MainWindow::connectAnalyses() {
    m_views->embeddingBar().setActions(m_actions.embed, m_actions.cancelAnalysis);
    m_views->landscapeBar().setActions(m_actions.survey, m_actions.cancelAnalysis);
    connect(m_actions.embed, &QAction::triggered, this, &MainWindow::embed);
    connect(m_actions.survey, &QAction::triggered, this, &MainWindow::survey);
    connect(m_actions.cancelAnalysis, &QAction::triggered, this, [this] { m_jobs.cancelAnalysis(); });

    connect(&m_jobs, &JobController::analysingChanged, this, [this] {
        m_views->embeddingBar().setRunning(m_jobs.analysis() == JobController::Analysis::Embedding);
        m_views->landscapeBar().setRunning(m_jobs.analysis() == JobController::Analysis::Landscape);
        updateActions();
        closeWhenIdle();
    });
    connect(&m_jobs, &JobController::analysisProgress, this, [this](const report::Progress& progress) {
        if (m_jobs.analysis() == JobController::Analysis::Embedding) {
            m_views->embeddingBar().setProgress(progress);
        } else {
            m_views->landscapeBar().setProgress(progress);
        }
    });
    connect(&m_jobs, &JobController::embedded, this, &MainWindow::showEmbedding);
    connect(&m_jobs, &JobController::surveyed, this, &MainWindow::showLandscape);
}

QString MainWindow::analysisObstacle() const {
    if (m_jobs.analysing()) return tr("A view is being computed");
    if (m_session.kind() != Session::Kind::Run || m_session.path().empty())
        return tr("Open a run first: its networks are what is compared");
    if (m_jobs.host().busy())
        return tr("A job is training here and would be slowed: stop it, or wait for its end");
    if (m_jobs.benchmarking()) return tr("A benchmark is running and would be disturbed");
    if (m_jobs.exporting()) return tr("An export is running");
    return {};
}

void MainWindow::embed() {
    if (!analysisObstacle().isEmpty()) return;
    m_errors->clear();
    m_views->setCurrentView(ViewArea::Embedding);
    const widgets::ComputeBar& bar = m_views->embeddingBar();
    jobs::EmbeddingRequest request;
    request.run = m_session.path();
    request.images = bar.value(QLatin1String(ViewArea::kEmbeddingImages));
    request.perplexity = bar.value(QLatin1String(ViewArea::kPerplexity));
    request.seed = static_cast<std::uint64_t>(bar.value(QLatin1String(ViewArea::kEmbeddingSeed)));
    m_jobs.embed(request);
}

void MainWindow::survey() {
    if (!analysisObstacle().isEmpty()) return;
    m_errors->clear();
    m_views->setCurrentView(ViewArea::Landscape);
    const widgets::ComputeBar& bar = m_views->landscapeBar();
    jobs::LandscapeRequest request;
    request.run = m_session.path();
    request.images = bar.value(QLatin1String(ViewArea::kLandscapeImages));
    request.size =
        bar.value(QLatin1String(ViewArea::kGrid)) | 1;  // typed even: the weights lie in the middle
    request.seed = static_cast<std::uint64_t>(bar.value(QLatin1String(ViewArea::kLandscapeSeed)));
    m_jobs.survey(request);
}

/// What belongs to a run that is not open any more is not shown.
void MainWindow::showEmbedding(const std::filesystem::path& run, const report::Embedding& embedding) {
    if (run != m_session.path()) return;
    m_views->embedding().setEmbedding(embedding);
    updateActions();
}

void MainWindow::showLandscape(const std::filesystem::path& run, const report::Landscape& landscape) {
    if (run != m_session.path()) return;
    m_views->landscape().setLandscape(landscape);
    updateActions();
}

}  // namespace bitloom::app
