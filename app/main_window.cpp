// Assembly of the window and what it keeps between starts; the connections are in main_window_wiring.cpp.
#include "app/main_window.h"

#include <QAction>
#include <QApplication>
#include <QCloseEvent>
#include <QDockWidget>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QMetaObject>
#include <QScreen>
#include <QStatusBar>
#include <QToolBar>
#include <QToolButton>
#include <QVBoxLayout>

#include "widgets/controls/device_bar.h"
#include "widgets/controls/error_bar.h"
#include "widgets/controls/inspector.h"
#include "widgets/controls/job_bar.h"
#include "widgets/controls/layers_panel.h"
#include "widgets/controls/log_panel.h"
#include "widgets/controls/runs_panel.h"
#include "widgets/controls/summary_panel.h"
#include "widgets/controls/timeline.h"
#include "widgets/controls/vertical_scroll_area.h"
#include "widgets/format.h"
#include "widgets/theme.h"

namespace bitloom::app {
namespace {

constexpr int kLayoutVersion =
    3;  ///< raised when docks come or go, so that an old layout is not forced on new docks

}  // namespace

MainWindow::MainWindow(Settings& settings, Dialogs dialogs)
    : m_settings(settings),
      m_dialogs(std::move(dialogs)),
      m_actions(*this),
      m_views(new ViewArea),
      m_errors(new widgets::ErrorBar),
      m_jobBar(new widgets::JobBar),
      m_layers(new widgets::LayersPanel),
      m_inspector(new widgets::Inspector),
      m_timeline(new widgets::Timeline),
      m_log(new widgets::LogPanel),
      m_runsPanel(new widgets::RunsPanel),
      m_summary(new widgets::SummaryPanel),
      m_networkLabel(new QLabel),
      m_exportBox(new QWidget),
      m_exportLabel(new QLabel) {
    setObjectName(QStringLiteral("mainWindow"));
    setAcceptDrops(true);
    setTheme(m_settings.get(settings::kTheme));
    makeCentre();
    makeDocks();
    connectFileActions();
    connectJobActions();
    connectViewActions();
    connectSession();
    connectWidgets();
    connectJobs();
    connectDevice();
    connectAnalyses();
    connectRuns();
    restoreLayout();
    updateActions();
    updateTitle();
}

MainWindow::~MainWindow() {
    m_views->deviceBar().disconnect(this);  // it is hidden after the members are gone
}

void MainWindow::makeCentre() {
    auto* centre = new QWidget;
    auto* column = new QVBoxLayout(centre);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(m_errors);
    column->addWidget(m_views, 1);
    setCentralWidget(centre);

    auto* bar = addToolBar(tr("Job"));
    bar->setObjectName(QStringLiteral("jobToolBar"));
    bar->setMovable(false);
    m_jobBar->setActions(m_actions.start, m_actions.pause, m_actions.stop);
    bar->addWidget(m_jobBar);
    bar->toggleViewAction()->setEnabled(false);

    auto* cancel = new QToolButton;
    cancel->setDefaultAction(m_actions.cancelExport);
    auto* exportRow = new QHBoxLayout(m_exportBox);
    exportRow->setContentsMargins(0, 0, 8, 0);
    exportRow->addWidget(m_exportLabel);
    exportRow->addWidget(cancel);
    m_exportBox->setObjectName(QStringLiteral("exportBox"));
    m_exportLabel->setObjectName(QStringLiteral("exportLabel"));
    statusBar()->addPermanentWidget(m_exportBox);
    m_exportBox->hide();

    m_networkLabel->setObjectName(QStringLiteral("networkLabel"));
    m_networkLabel->setProperty("role", "muted");
    m_networkLabel->setContentsMargins(0, 0, 8, 0);
    statusBar()->addPermanentWidget(m_networkLabel);
    statusBar()->setSizeGripEnabled(false);
}

void MainWindow::makeDocks() {
    setCorner(Qt::BottomLeftCorner, Qt::BottomDockWidgetArea);
    setCorner(Qt::BottomRightCorner, Qt::BottomDockWidgetArea);
    m_layersDock = addDock(Qt::LeftDockWidgetArea, "layersDock", tr("Layers"), "Ctrl+Shift+L", m_layers);
    m_runsDock = addDock(Qt::LeftDockWidgetArea, "runsDock", tr("Runs"), "Ctrl+Shift+U", m_runsPanel);
    m_runsDock->hide();
    // On a low screen the inspector scrolls; it must not push the timeline off the bottom.
    m_inspectorDock = addDock(Qt::RightDockWidgetArea, "inspectorDock", tr("Inspector"), "Ctrl+Shift+I",
                              new widgets::VerticalScrollArea(m_inspector));
    m_summaryDock = addDock(Qt::RightDockWidgetArea, "summaryDock", tr("Summary"), "Ctrl+Shift+M",
                            new widgets::VerticalScrollArea(m_summary));
    m_timelineDock =
        addDock(Qt::BottomDockWidgetArea, "timelineDock", tr("Timeline"), "Ctrl+Shift+T", m_timeline);
    // One line high: a title above it would be as tall as the timeline itself.
    m_timelineDock->setTitleBarWidget(new QWidget(m_timelineDock));
    m_timeline->setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    m_logDock = addDock(Qt::BottomDockWidgetArea, "logDock", tr("Log"), "Ctrl+Shift+G", m_log);

    std::vector<QAction*> toggles;
    for (const Dock& dock : m_docks)
        toggles.push_back(dock.widget->toggleViewAction());
    m_actions.makeMenus(toggles);
}

QDockWidget* MainWindow::addDock(Qt::DockWidgetArea area, const char* name, const QString& title,
                                 const char* shortcut, QWidget* content) {
    auto* dock = new QDockWidget(title, this);
    dock->setObjectName(QLatin1String(name));
    dock->setWidget(content);
    QAction* toggle = dock->toggleViewAction();
    toggle->setShortcut(QKeySequence(QLatin1String(shortcut)));
    toggle->setStatusTip(tr("Show or hide %1").arg(title));
    toggle->setToolTip(
        tr("%1 (%2)").arg(toggle->statusTip(), toggle->shortcut().toString(QKeySequence::NativeText)));
    addAction(toggle);
    addDockWidget(area, dock);
    m_docks.push_back({dock, area});
    return dock;
}

void MainWindow::arrangeDocks() {
    for (const auto& [dock, area] : m_docks) {
        dock->setFloating(false);
        addDockWidget(area, dock);
        dock->setVisible(dock != m_runsDock || m_runs.runs().size() > 1);
    }
    splitDockWidget(m_timelineDock, m_logDock, Qt::Vertical);
    tabifyDockWidget(m_inspectorDock, m_summaryDock);
    m_inspectorDock->raise();
    resizeDocks({m_layersDock, m_inspectorDock},
                {std::min(560, width() * 3 / 10), std::min(320, width() / 4)}, Qt::Horizontal);
    resizeDocks({m_logDock}, {height() / 8}, Qt::Vertical);
}

void MainWindow::restoreLayout() {
    m_actions.logCounts->setChecked(m_settings.get(settings::kLogCounts));
    m_actions.sideBySide->setChecked(m_settings.get(settings::kSideBySide));
    m_views->setSplit(m_settings.get(settings::kSplit));
    resize(QSize(1440, 900).boundedTo(screen()->availableSize()));
    restoreGeometry(m_settings.get(settings::kGeometry));
    m_arranged = restoreState(m_settings.get(settings::kLayout), kLayoutVersion);
    m_layers->restoreViewState(m_settings.get(settings::kLayerColumns));
    m_views->deviceBar().setDevice(m_settings.get(settings::kDevice));
    m_views->deviceBar().setThreads(m_settings.get(settings::kDeviceThreads));
}

void MainWindow::saveLayout() {
    m_settings.set(settings::kGeometry, saveGeometry());
    m_settings.set(settings::kLayout, saveState(kLayoutVersion));
    m_settings.set(settings::kLayerColumns, m_layers->viewState());
    m_settings.set(settings::kSplit, m_views->split());
}

void MainWindow::setTheme(const QString& name) {
    widgets::applyTheme(*qApp, widgets::themeFromText(name));
    QAction* action = name == QLatin1String("light")  ? m_actions.themeLight
                      : name == QLatin1String("dark") ? m_actions.themeDark
                                                      : m_actions.themeSystem;
    action->setChecked(true);
}

void MainWindow::open(const std::filesystem::path& path) {
    m_errors->clear();
    if (path.extension() == ".toml") {
        openJob(path);
        return;
    }
    m_keepDraft = false;
    m_session.open(path);
}

void MainWindow::openJob(const std::filesystem::path& path) {
    if (!m_jobs.loadJob(path)) return;
    m_settings.addRecentFile(QString::fromStdString(path.string()));
    tell(tr("Job %1 is ready to start").arg(QString::fromStdString(path.string())));
    m_keepDraft = true;
    const std::string weights = m_jobs.draft()->spec.model.weights;
    if (!weights.empty()) m_session.open(weights);
}

void MainWindow::start() {
    if (m_jobs.host().busy()) return;
    m_errors->clear();
    if (!m_jobs.draft() || m_jobs.draft()->guessed) {
        askForJob();
        return;
    }
    m_jobs.start();
}

void MainWindow::showEvent(QShowEvent* event) {
    QMainWindow::showEvent(event);
    if (!std::exchange(m_arranged, true)) arrangeDocks();  // shares of a size that is known only now
}

void MainWindow::stopAndClose() {
    m_closing = m_mustClose = true;
    m_jobs.cancelExport();
    close();
}

void MainWindow::closeEvent(QCloseEvent* event) {
    event->ignore();
    if (m_jobs.host().busy() && !m_closing && m_dialogs.closeWhileTraining(this) == CloseAnswer::KeepTraining)
        return;
    m_jobs.host().stop();
    m_jobs.cancelBenchmark();
    m_jobs.cancelAnalysis();
    // The job may have ended while the question stood.
    m_closing = m_jobs.host().busy() || m_jobs.exporting() || m_jobs.occupied();
    if (m_closing) {
        tell(m_jobs.exporting()     ? tr("The window closes when the export is written")
             : m_jobs.host().busy() ? tr("Saving ...")
             : m_jobs.analysing()   ? tr("Giving up what is computed ...")
                                    : tr("Cleaning up on the device ..."));
        return;
    }
    saveLayout();
    event->accept();
}

/// Queued: every other consequence of the end comes first, an error among them.
void MainWindow::closeWhenIdle() {
    QMetaObject::invokeMethod(
        this,
        [this] {
            if (m_closing && !m_jobs.host().busy() && !m_jobs.exporting() && !m_jobs.occupied()) close();
        },
        Qt::QueuedConnection);
}

void MainWindow::updateTitle() {
    QString name = QFileInfo(QString::fromStdString(m_session.path().string())).fileName();
    if (name.isEmpty()) name = QString::fromStdString(m_session.network().arch);
    QString state;
    if (m_session.kind() == Session::Kind::Weights) {
        state = tr("weights");
    } else if (m_session.live()) {
        state = m_jobs.host().state() == JobState::Paused ? tr("paused") : tr("training %1 %").arg(m_percent);
    } else if (m_session.kind() == Session::Kind::Run) {
        state = QString::fromLatin1(report::toText(m_session.summary().status));
    }
    QStringList parts;
    for (const QString& part : {name, state, tr("Bitloom")}) {
        if (!part.isEmpty()) parts.append(part);
    }
    const QString title = parts.join(QStringLiteral(" \u2013 "));
    if (title != windowTitle()) setWindowTitle(title);
}

void MainWindow::updateActions() {
    const bool busy = m_jobs.host().busy();
    const bool stopping = m_jobs.host().state() == JobState::Stopping;
    const bool isRun = m_session.kind() == Session::Kind::Run && !m_session.path().empty();
    // Nothing that computes may start beside a benchmark or an analysis.
    const bool free = !busy && !m_jobs.occupied();
    m_actions.start->setEnabled(free);
    m_actions.newJob->setEnabled(free);
    m_actions.pause->setEnabled(busy && !stopping);
    m_actions.stop->setEnabled(busy && !stopping);
    m_actions.continueRun->setEnabled(free && isRun && m_session.resumable());
    const bool isElsewhere = !busy && !m_jobs.runFile().empty() && m_session.path() != m_jobs.runFile();
    m_actions.showRunning->setEnabled(m_session.liveInBackground() || isElsewhere);
    m_actions.exportRun->setEnabled(isRun && !m_session.live() && !m_jobs.exporting() && !m_jobs.occupied());
    m_actions.exportBundle->setEnabled(m_actions.exportRun->isEnabled());
    m_actions.cancelExport->setEnabled(m_jobs.exporting());
    m_exportBox->setVisible(m_jobs.exporting());
    const QString obstacle = benchmarkObstacle();
    m_actions.benchmark->setEnabled(obstacle.isEmpty());
    m_actions.tune->setEnabled(obstacle.isEmpty());
    m_actions.explainBenchmark(obstacle);
    m_actions.cancelBenchmark->setEnabled(m_jobs.benchmarking());
    const QString computing = analysisObstacle();
    m_actions.embed->setEnabled(computing.isEmpty());
    m_actions.survey->setEnabled(computing.isEmpty());
    m_actions.explainAnalyses(computing);
    m_actions.cancelAnalysis->setEnabled(m_jobs.analysing());
    m_actions.saveView->setEnabled(hasContent(m_views->currentView()));
    for (QAction* action : {m_actions.play, m_actions.firstStep, m_actions.previousStep, m_actions.nextStep,
                            m_actions.lastStep}) {
        action->setEnabled(!m_session.steps().empty());
    }
    m_inspector->setEditable(!busy && m_jobs.draft().has_value());
}

void MainWindow::tell(const QString& line) {
    m_log->appendLine(line);
    statusBar()->showMessage(line);
}

void MainWindow::showError(const QString& message) {
    m_errors->showError(message);
    m_log->appendLine(message);
    statusBar()->clearMessage();
}

}  // namespace bitloom::app
