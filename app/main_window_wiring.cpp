// What happens when: the connections of MainWindow between actions, session, jobs and widgets.
#include <QAction>
#include <QDir>
#include <QDockWidget>
#include <QFileInfo>
#include <QLabel>
#include <QMenu>
#include <QMetaObject>
#include <QStatusBar>
#include <algorithm>

#include "app/main_window.h"
#include "app/method_choices.h"
#include "engine/jobs/bit_target.h"
#include "widgets/controls/error_bar.h"
#include "widgets/controls/inspector.h"
#include "widgets/controls/job_bar.h"
#include "widgets/controls/layers_panel.h"
#include "widgets/controls/log_panel.h"
#include "widgets/controls/summary_panel.h"
#include "widgets/controls/timeline.h"
#include "widgets/format.h"
#include "widgets/plots/bitwidths_plot.h"
#include "widgets/plots/curves_plot.h"
#include "widgets/plots/device_plot.h"
#include "widgets/plots/embedding_plot.h"
#include "widgets/plots/landscape_plot.h"
#include "widgets/plots/mixture_plot.h"

namespace bitloom::app {

namespace fs = std::filesystem;

void MainWindow::connectFileActions() {
    connect(m_actions.openWeights, &QAction::triggered, this, [this] {
        pickAndOpen(tr("Open weights"),
                    tr("Weights (*.pt *.pth *.th *.safetensors *.h5 *.hdf5);;All files (*)"));
    });
    connect(m_actions.openJob, &QAction::triggered, this,
            [this] { pickAndOpen(tr("Open job"), tr("Jobs (*.toml)")); });
    connect(m_actions.recentMenu, &QMenu::aboutToShow, this, &MainWindow::fillRecentMenu);
    connect(m_actions.clearRecent, &QAction::triggered, this, [this] { m_settings.clearRecentFiles(); });
    connect(m_actions.exportRun, &QAction::triggered, this, &MainWindow::exportRun);
    connect(m_actions.exportBundle, &QAction::triggered, this, &MainWindow::exportBundle);
    connect(m_actions.saveView, &QAction::triggered, this, &MainWindow::saveView);
    connect(m_actions.quit, &QAction::triggered, this, &MainWindow::close);
    connect(m_actions.about, &QAction::triggered, this, [this] { m_dialogs.about(this); });
    connect(m_actions.shortcuts, &QAction::triggered, this,
            [this] { m_dialogs.shortcuts(this, m_actions.shortcutTable()); });
    fillRecentMenu();
}

void MainWindow::connectJobActions() {
    connect(m_actions.newJob, &QAction::triggered, this, &MainWindow::askForJob);
    connect(m_actions.start, &QAction::triggered, this, &MainWindow::start);
    connect(m_actions.pause, &QAction::triggered, this, [this] {
        if (m_jobs.host().state() == JobState::Paused) {
            m_jobs.host().resume();
        } else {
            m_jobs.host().pause();
        }
    });
    connect(m_actions.stop, &QAction::triggered, this, [this] { m_jobs.host().stop(); });
    connect(m_actions.continueRun, &QAction::triggered, this, [this] {
        m_errors->clear();
        m_jobs.continueRun(m_session.path());
    });
    connect(m_actions.showRunning, &QAction::triggered, this, [this] { open(m_jobs.runFile()); });
    connect(m_actions.cancelExport, &QAction::triggered, this, [this] { m_jobs.cancelExport(); });
}

void MainWindow::connectSession() {
    connect(&m_session, &Session::openingStarted, this,
            [this](const QString& path) { statusBar()->showMessage(tr("Opening %1 ...").arg(path)); });
    connect(&m_session, &Session::opened, this, &MainWindow::showOpened);
    connect(&m_session, &Session::failed, this, &MainWindow::showError);
    connect(&m_session, &Session::layerChanged, this, &MainWindow::showLayer);
    connect(&m_session, &Session::layersShown, this, &MainWindow::showLayers);
    connect(&m_session, &Session::stepChanged, this, [this](qint64 step) {
        m_timeline->setCurrentStep(step);
        m_views->curves().setCurrentStep(step);
        m_views->bitwidths().setCurrentStep(step);
    });
    connect(&m_session, &Session::followingChanged, m_timeline, &widgets::Timeline::setFollowing);
    connect(&m_session, &Session::metricsReplaced, this,
            [this] { m_views->curves().setMetrics(m_session.metrics()); });
    connect(&m_session, &Session::metricsAppended, this,
            [this](const std::vector<report::MetricSample>& rows) {
                for (const report::MetricSample& row : rows)
                    m_views->curves().appendMetric(row);
            });
    connect(&m_session, &Session::stepsChanged, this, &MainWindow::showSteps);
    connect(&m_session, &Session::eventsChanged, this, [this] {
        m_timeline->setEvents(m_session.events());
        m_views->curves().setEvents(m_session.events());
    });
    connect(&m_session, &Session::summaryChanged, this, [this] {
        m_jobBar->setSummary(m_session.summary());
        m_summary->setSummary(m_session.summary());
        m_views->curves().setFp32Accuracy(m_session.summary().top1Fp32);
        updateTitle();
        if (!m_session.live()) updateActions();  // whether the run can be continued
    });
    connect(&m_session, &Session::bitwidthsChanged, this, [this] {
        m_views->bitwidths().setTracks(m_session.bitwidths());
        updateActions();
    });
    connect(&m_session, &Session::newestChanged, this, &MainWindow::showGaps);
}

void MainWindow::connectWidgets() {
    m_inspector->setMethods(methodChoices());
    connect(m_layers, &widgets::LayersPanel::layerSelected, &m_session, &Session::selectLayer);
    connect(m_timeline, &widgets::Timeline::stepRequested, &m_session, &Session::showStep);
    connect(m_timeline, &widgets::Timeline::followingChanged, &m_session, &Session::setFollowing);
    connect(&m_views->curves(), &widgets::CurvesPlot::stepSelected, &m_session, &Session::showStep);
    connect(&m_views->bitwidths(), &widgets::BitwidthsPlot::stepSelected, &m_session, &Session::showStep);
    connect(&m_views->bitwidths(), &widgets::BitwidthsPlot::layerSelected, &m_session, &Session::selectLayer);
    connect(&m_views->mixture(), &widgets::MixturePlot::componentSelected, m_inspector,
            &widgets::Inspector::selectComponent);
    connect(m_inspector, &widgets::Inspector::componentSelected, &m_views->mixture(),
            &widgets::MixturePlot::selectComponent);
    connect(&m_views->mixture(), &widgets::MixturePlot::channelChanged, m_inspector,
            &widgets::Inspector::setChannel);
    connect(m_inspector, &widgets::Inspector::overrideChanged, this,
            [this](const QString& layer, const widgets::MethodSetting& setting) {
                quant::LayerOptions options = m_jobs.draft()->spec.quantizer.layer;
                applySetting(setting, options);
                m_jobs.setOverride(layer.toStdString(), options);
            });
    connect(m_inspector, &widgets::Inspector::transferRequested, this, &MainWindow::transferMixture);
    connect(m_inspector, &widgets::Inspector::transferScaleChanged, this, &MainWindow::scaleTransfer);
    connect(m_inspector, &widgets::Inspector::overrideCleared, this,
            [this](const QString& layer) { m_jobs.setOverride(layer.toStdString(), std::nullopt); });
}

void MainWindow::connectJobs() {
    connect(&m_jobs, &JobController::draftChanged, this, [this] {
        showLayer();
        updateActions();
    });
    connect(&m_jobs, &JobController::failed, this, [this](const QString& message) {
        // The message is worth staying for, unless a job is still to be saved or a signal ends the program.
        if (!m_jobs.host().busy() && !m_mustClose) m_closing = false;
        showError(message);
    });
    connect(&m_jobs, &JobController::logLine, m_log, &widgets::LogPanel::appendLine);
    connect(&m_jobs, &JobController::submitted, this, [this](const QString& command) {
        m_log->appendLine(command);
        m_log->setCommand(command);
    });
    connect(&m_jobs, &JobController::exported, this, &MainWindow::tell);
    connect(&m_jobs, &JobController::exportProgress, this, &MainWindow::showExport);
    connect(&m_jobs, &JobController::exportingChanged, this, [this] {
        showExport({});
        updateActions();
        closeWhenIdle();
    });
    connect(&m_jobs, &JobController::started, this, [this](const QString& file) {
        m_percent = 0;
        m_closing = false;  // who starts a job wants the window
        m_settings.addRecentFile(file);
        tell(tr("Started; the run is recorded in %1").arg(file));
    });
    connect(&m_jobs, &JobController::ended, this, [this](bool stopped, const QString& message) {
        using State = widgets::JobBar::State;
        m_session.endLive();
        m_jobBar->setState(message.isEmpty() ? State::Failed : stopped ? State::Stopped : State::Finished);
        if (!message.isEmpty()) tell(message);
        updateActions();
        updateTitle();
        closeWhenIdle();
    });
    connect(&m_jobs.host(), &EngineHost::stateChanged, this, [this](JobState state) {
        constexpr widgets::JobBar::State kStates[] = {
            widgets::JobBar::State::Idle, widgets::JobBar::State::Running, widgets::JobBar::State::Paused,
            widgets::JobBar::State::Stopping};
        m_jobBar->setState(kStates[static_cast<int>(state)]);
        m_actions.showPaused(state == JobState::Paused);
        updateActions();
        updateTitle();
    });
    connect(&m_jobs.host(), &EngineHost::delivered, this, [this](const Delivery& delivery) {
        m_session.take(delivery);
        for (const std::string& line : delivery.log)
            m_log->appendLine(QString::fromStdString(line));
        if (!delivery.progress) return;
        m_jobBar->setProgress(*delivery.progress);
        if (delivery.progress->totalSteps > 0) {
            m_percent = static_cast<int>(100 * delivery.progress->step / delivery.progress->totalSteps);
        }
        updateTitle();
    });
}

void MainWindow::setSideBySide(bool on) {
    // On a narrow screen two views press the docks together; one view gives the room back, once it is laid
    // out.
    if (on && isVisible()) m_sideWidths = {m_layersDock->width(), m_inspectorDock->width()};
    m_views->setSideBySide(on);
    if (on || m_sideWidths.isEmpty()) return;
    const auto giveBack = [this] {
        resizeDocks({m_layersDock, m_inspectorDock}, m_sideWidths, Qt::Horizontal);
    };
    QMetaObject::invokeMethod(this, giveBack, Qt::QueuedConnection);
}

void MainWindow::pickAndOpen(const QString& caption, const QString& filter) {
    const QString file = m_dialogs.openFile(this, caption, m_settings.get(settings::kFolder), filter);
    if (file.isEmpty()) return;
    m_settings.set(settings::kFolder, QFileInfo(file).absolutePath());
    open(file.toStdString());
}

void MainWindow::fillRecentMenu() {
    QMenu* menu = m_actions.recentMenu;
    menu->clear();
    int number = 1;
    for (const QString& file : m_settings.get(settings::kRecentFiles)) {
        QAction* action =
            menu->addAction(QStringLiteral("&%1  %2").arg(number++ % 10).arg(QFileInfo(file).fileName()));
        action->setToolTip(file);
        action->setStatusTip(file);
        connect(action, &QAction::triggered, this, [this, file] { open(file.toStdString()); });
    }
    menu->addSeparator();
    menu->addAction(m_actions.clearRecent);
    m_actions.clearRecent->setEnabled(number > 1);
}

void MainWindow::askForJob() {
    JobDraft unseen;
    unseen.guessed = true;
    const std::optional<JobDraft> job = m_dialogs.newJob(this, m_jobs.draft().value_or(unseen));
    if (!job || m_jobs.host().busy()) return;
    m_jobs.setDraft(job);
    m_jobs.start();
}

void MainWindow::exportRun() {
    const fs::path suggestion = fs::path(m_session.path()).replace_extension(".safetensors");
    const QString file = m_dialogs.saveFile(this, tr("Export the quantized network"),
                                            QString::fromStdString(suggestion.string()),
                                            tr("safetensors (*.safetensors);;HDF5 (*.h5 *.hdf5);;"
                                               "Bits of each layer, for other jobs (*.toml)"));
    if (file.isEmpty()) return;
    jobs::ExportRequest request;
    request.run = m_session.path();
    request.out = file.toStdString();
    const std::string suffix = request.out.extension().string();
    request.to = suffix == ".toml"                      ? "strategy"
                 : suffix == ".h5" || suffix == ".hdf5" ? "hdf5"
                                                        : "safetensors";
    if (suffix.empty()) request.out += ".safetensors";
    std::error_code ignored;
    if (fs::equivalent(request.out, request.run, ignored)) {
        showError(tr("%1 is the run itself. Choose another name for the export.").arg(file));
        return;
    }
    startExport(request);
}

void MainWindow::exportBundle() {
    const fs::path suggestion = fs::path(m_session.path()).replace_extension() += "-arm";
    const QString folder =
        m_dialogs.saveFile(this, tr("Export a project that runs the network on ARM, in a new folder"),
                           QString::fromStdString(suggestion.string()), tr("New folder (*)"));
    if (folder.isEmpty()) return;
    jobs::ExportRequest request;
    request.run = m_session.path();
    request.to = "bundle";
    request.out = folder.toStdString();
    startExport(request);
}

void MainWindow::startExport(const jobs::ExportRequest& request) {
    m_errors->clear();
    tell(tr("Exporting to %1 ...").arg(QString::fromStdString(request.out.string())));
    m_jobs.exportRun(request);
}

void MainWindow::showExport(const report::Progress& progress) {
    QString text = progress.phase.empty() ? tr("exporting") : QString::fromStdString(progress.phase);
    text[0] = text[0].toUpper();
    if (progress.totalSteps > 0) {
        text += tr("  %1 / %2")
                    .arg(widgets::formatCount(progress.step), widgets::formatCount(progress.totalSteps));
    }
    m_exportLabel->setText(text);
}

void MainWindow::adoptDraft() {
    if (m_session.live() || std::exchange(m_keepDraft, false)) return;
    if (m_session.kind() == Session::Kind::Weights) {
        m_jobs.setDraft(draftForWeights(m_session.weights()));
        return;
    }
    const report::RunInfo& info = m_session.info();
    auto spec = jobs::parseJob(info.jobToml, m_session.path().string(), m_session.path().parent_path());
    if (spec) {
        m_jobs.setDraft(JobDraft{std::move(*spec), {}, {}});
    } else {
        m_jobs.setDraft(std::nullopt);
    }
}

void MainWindow::showOpened() {
    const report::NetworkInfo& network = m_session.network();
    m_errors->clear();
    {
        const QSignalBlocker quiet(m_layers);  // the session has chosen the layer
        m_layers->setNetwork(network);
    }
    m_layers->selectLayer(m_session.layer());
    m_views->curves().clear();
    m_views->bitwidths().setNetwork(network);
    m_views->bitwidths().setTarget(jobs::bitTarget(m_session.info().jobToml));
    m_views->device().clear();
    m_views->embedding().clear();
    m_views->landscape().clear();
    m_timeline->setPlaying(false);
    m_timeline->setEvents({});
    m_timeline->setStepsPerEpoch(m_session.info().stepsPerEpoch);
    showSteps();
    // A continued run was recorded with the command that began it.
    m_log->setCommand(m_session.live() ? m_jobs.command() : QString::fromStdString(m_session.info().command));
    m_jobBar->setSummary(m_session.summary());
    m_summary->setSummary(m_session.summary());
    if (!m_jobs.host().busy()) m_jobBar->setState(widgets::JobBar::State::Idle);
    const bool isKnown = !network.arch.empty();
    m_networkLabel->setText(
        network.layers.empty()
            ? QString()
            : tr("%1   %2 layers   %3 parameters   %4 MAC per image")
                  .arg(isKnown ? QString::fromStdString(network.arch) : tr("unknown network"))
                  .arg(network.layers.size())
                  .arg(widgets::formatCount(network.parameters),
                       isKnown ? widgets::formatCount(network.macs) : widgets::noValueText()));
    statusBar()->clearMessage();
    if (!m_session.live()) {
        const QString path = QString::fromStdString(m_session.path().string());
        m_settings.addRecentFile(path);
        tell(tr("Opened %1").arg(path));
        const QString mapping = QString::fromStdString(m_session.weights().mapping).trimmed();
        if (!mapping.isEmpty()) m_log->appendLine(mapping);
    }
    adoptDraft();
    showLayer();
    updateActions();
    updateTitle();
    if (m_session.kind() == Session::Kind::Run) m_timeline->setFocus();
}

void MainWindow::showLayer() {
    m_layers->selectLayer(m_session.layer());
    const report::LayerInfo* info = m_session.layerInfo(m_session.layer());
    m_inspector->setLayer(info ? *info : report::LayerInfo{});
    const std::optional<quant::LayerOptions> own = m_jobs.overrideOf(m_session.layer().toStdString());
    m_inspector->setJobDefault(
        m_jobs.draft()
            ? std::optional(settingOf(jobs::stagesOf(m_jobs.draft()->spec).front().quantizer.layer))
            : std::nullopt);
    if (own) {
        m_inspector->setOverride(widgets::LayerOverride{
            settingOf(*own), QString::fromStdString(own->transfer), own->transferScale});
    } else {
        m_inspector->setOverride(std::nullopt);
    }
    const report::LayerSnapshotPtr snapshot = m_session.snapshot(m_session.layer());
    m_inspector->setSnapshot(snapshot);
    m_views->mixture().setSnapshot(snapshot);
    m_views->device().selectLayer(m_session.layer());
    m_views->bitwidths().selectLayer(m_session.layer());
}

void MainWindow::showLayers(const std::vector<report::LayerSnapshotPtr>& layers) {
    m_layers->setSnapshots(layers);
    const std::string current = m_session.layer().toStdString();
    for (const report::LayerSnapshotPtr& layer : layers) {
        if (layer->layer != current) continue;
        m_views->mixture().setSnapshot(layer);
        m_inspector->setSnapshot(layer);
    }
}

void MainWindow::showSteps() {
    const auto& steps = m_session.steps();
    const qint64 first = steps.empty() ? 0 : steps.front();
    const qint64 recorded = steps.empty() ? 0 : steps.back();
    m_timeline->setRange(
        first, m_session.growing() ? std::max<qint64>(recorded, m_session.info().totalSteps) : recorded);
    const bool wasEmpty = !m_actions.play->isEnabled();
    m_timeline->setSteps(steps);
    if (wasEmpty != steps.empty()) updateActions();
}

}  // namespace bitloom::app
