// The device view: what may be timed and where, and what happens to the times.
#include <QAction>

#include "app/main_window.h"
#include "widgets/controls/device_bar.h"
#include "widgets/controls/error_bar.h"
#include "widgets/plots/device_plot.h"

namespace bitloom::app {

void MainWindow::connectDevice() {
    widgets::DeviceBar& bar = m_views->deviceBar();
    bar.setActions(m_actions.benchmark, m_actions.tune, m_actions.cancelBenchmark);
    connect(&bar, &widgets::DeviceBar::deviceChosen, this,
            [this](const QString& id) { m_settings.set(settings::kDevice, id); });
    connect(&bar, &widgets::DeviceBar::threadsChosen, this,
            [this](int threads) { m_settings.set(settings::kDeviceThreads, threads); });
    connect(&bar, &widgets::DeviceBar::shownChanged, this, &MainWindow::watchDevices);
    connect(&m_devices, &DeviceWatch::listed, &bar, [&bar](const jobs::DevicesResult& found) {
        bar.setDevices(found.devices, QString::fromStdString(found.adbProblem));
    });

    connect(m_actions.benchmark, &QAction::triggered, this, [this] { benchmark(); });
    connect(m_actions.tune, &QAction::triggered, this, [this] { benchmark(Kernels::Tuned); });
    connect(m_actions.cancelBenchmark, &QAction::triggered, this, [this] { m_jobs.cancelBenchmark(); });
    connect(&m_jobs, &JobController::benchmarkingChanged, this, [this] {
        m_views->deviceBar().setRunning(m_jobs.benchmarking());
        watchDevices();
        updateActions();
        closeWhenIdle();
    });
    connect(&m_jobs, &JobController::benchmarkProgress, &bar, &widgets::DeviceBar::setProgress);
    for (const auto timed : {&JobController::benchmarkSoFar, &JobController::benchmarked})
        connect(&m_jobs, timed, this, &MainWindow::showBenchmark);

    connect(&m_views->device(), &widgets::DevicePlot::layerSelected, &m_session, &Session::selectLayer);
}

/// Asking a phone about itself would disturb what is timed on it.
void MainWindow::watchDevices() {
    m_devices.setActive(m_views->deviceBar().isVisible() && !m_jobs.benchmarking());
}

QString MainWindow::benchmarkObstacle() const {
    if (m_jobs.benchmarking()) return tr("A benchmark is running");
    if (m_jobs.analysing()) return tr("A view is being computed and would disturb the times");
    if (m_session.kind() != Session::Kind::Run || m_session.path().empty())
        return tr("Open a run first: its quantized network is what is timed");
    if (m_jobs.host().busy())
        return tr("A job is training here and would disturb the times: stop it, or wait for its end");
    if (m_jobs.exporting()) return tr("An export is running and would disturb the times");
    return {};
}

void MainWindow::benchmark(Kernels kernels) {
    if (!benchmarkObstacle().isEmpty()) return;
    m_errors->clear();
    m_views->setCurrentView(ViewArea::Device);
    jobs::BenchRequest request;
    request.run = m_session.path();
    request.device = m_views->deviceBar().device().toStdString();
    request.threads = m_views->deviceBar().threads();
    kernels == Kernels::Tuned ? m_jobs.tuneAndBenchmark(request) : m_jobs.benchmark(request);
}

/// The times of a run that is not open any more stand in the log alone.
void MainWindow::showBenchmark(const std::filesystem::path& run, const report::BenchResult& result) {
    if (run != m_session.path()) return;
    m_views->device().setResult(result);
    m_views->device().selectLayer(m_session.layer());
    updateActions();
}

}  // namespace bitloom::app
