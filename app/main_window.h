// The window: docks, views, menus, and the wiring between the session, the jobs and the widgets. What is open
// belongs to the session, what runs to the job controller. GUI thread.
#pragma once

#include <QList>
#include <QMainWindow>
#include <QString>
#include <filesystem>
#include <vector>

#include "app/device_watch.h"
#include "app/dialogs.h"
#include "app/job_controller.h"
#include "app/latest_worker.h"
#include "app/open_runs.h"
#include "app/session.h"
#include "app/settings.h"
#include "app/view_area.h"
#include "app/window_actions.h"

class QDockWidget;
class QLabel;

namespace bitloom::widgets {
class ErrorBar;
class Inspector;
class JobBar;
class LayersPanel;
class LogPanel;
class RunsPanel;
class SummaryPanel;
class Timeline;
}  // namespace bitloom::widgets

namespace bitloom::app {

class MainWindow : public QMainWindow {
    Q_OBJECT

  public:
    /// `settings` outlives the window.
    MainWindow(Settings& settings, Dialogs dialogs);
    ~MainWindow() override;

    /// Opens a weight file, a run or a job (told by the suffix .toml).
    void open(const std::filesystem::path& path);
    /// Opens runs and folders of runs beside those that are open, and shows the first where no run is shown
    /// yet.
    void openRuns(const std::vector<std::filesystem::path>& paths);
    /// Loads a job file, whatever its suffix.
    void openJob(const std::filesystem::path& path);
    /// What the Start button does: runs the prepared job, or asks for one.
    void start();
    /// Closes without asking: a job is stopped and saved first, an export given up.
    void stopAndClose();

    /// "light", "dark" or "system", for this window alone; the menu also keeps the choice.
    void setTheme(const QString& name);

    [[nodiscard]] Session& session() { return m_session; }
    [[nodiscard]] OpenRuns& runs() { return m_runs; }
    [[nodiscard]] JobController& jobs() { return m_jobs; }
    [[nodiscard]] ViewArea& views() { return *m_views; }
    [[nodiscard]] WindowActions& actions() { return m_actions; }
    [[nodiscard]] DeviceWatch& devices() { return m_devices; }

    enum class Kernels { AsKnown, Tuned };
    /// Times the open run on the chosen device, after tuning where that is asked, and shows the device view.
    /// No-op while benchmarkObstacle().
    void benchmark(Kernels kernels = Kernels::AsKnown);
    /// Why the open run cannot be timed now; empty when it can.
    [[nodiscard]] QString benchmarkObstacle() const;

    /// Computes and shows the view of the open run. No-op while analysisObstacle().
    void embed();
    void survey();
    /// Why nothing can be computed of the open run now; empty when it can.
    [[nodiscard]] QString analysisObstacle() const;

    /// What a capture saves, by name: window, layers, inspector, summary, timeline, log, mixture, curves, and
    /// every other view once there is something in it.
    [[nodiscard]] std::vector<std::pair<QString, QWidget*>> captureTargets();

  protected:
    void showEvent(QShowEvent* event) override;
    void closeEvent(QCloseEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;

  private:
    void makeCentre();
    void makeDocks();
    QDockWidget* addDock(Qt::DockWidgetArea area, const char* name, const QString& title,
                         const char* shortcut, QWidget* content);
    void arrangeDocks();
    void restoreLayout();
    void saveLayout();

    void connectFileActions();
    void connectJobActions();
    void connectViewActions();
    void connectSession();
    void connectWidgets();
    void connectJobs();
    void connectDevice();
    void connectAnalyses();
    void connectRuns();

    void setSideBySide(bool on);
    void pickAndOpen(const QString& caption, const QString& filter);
    void fillRecentMenu();
    void askForJob();
    void exportRun();
    void exportBundle();
    void startExport(const jobs::ExportRequest& request);
    /// Asks for a run and starts the layer with its mixture in the next job, once the run is known to have
    /// one.
    void transferMixture(const QString& layer);
    /// Whether the mixture that the layer has been given so is scaled to it.
    void scaleTransfer(const QString& layer, bool scaled);
    void showExport(const report::Progress& progress);
    void closeWhenIdle();
    void saveView();
    void showBenchmark(const std::filesystem::path& run, const report::BenchResult& result);
    void watchDevices();
    void showEmbedding(const std::filesystem::path& run, const report::Embedding& embedding);
    void showLandscape(const std::filesystem::path& run, const report::Landscape& landscape);

    void adoptDraft();
    void showOpened();
    void showLayer();
    void showLayers(const std::vector<report::LayerSnapshotPtr>& layers);
    void showSteps();
    void showGaps();
    void showRuns();
    void runsAdded(const QString& first);
    void updateActions();
    /// Whether there is something to save; a picture of Mixture and Curves is also one of what is missing.
    [[nodiscard]] bool hasContent(ViewArea::View view) const;
    void updateTitle();
    void tell(const QString& line);
    void showError(const QString& message);

    Settings& m_settings;
    Dialogs m_dialogs;
    Session m_session;
    OpenRuns m_runs;
    JobController m_jobs;
    DeviceWatch m_devices;
    LatestWorker m_offers{this};  ///< reads the runs that layers are to take mixtures from
    WindowActions m_actions;
    ViewArea* m_views;
    widgets::ErrorBar* m_errors;
    widgets::JobBar* m_jobBar;
    widgets::LayersPanel* m_layers;
    widgets::Inspector* m_inspector;
    widgets::Timeline* m_timeline;
    widgets::LogPanel* m_log;
    widgets::RunsPanel* m_runsPanel;
    widgets::SummaryPanel* m_summary;
    QLabel* m_networkLabel;
    QWidget* m_exportBox;  ///< visible while an export is written
    QLabel* m_exportLabel;
    struct Dock {
        QDockWidget* widget;
        Qt::DockWidgetArea area;  ///< where it stands unless a person moved it
    };
    std::vector<Dock> m_docks;
    QDockWidget* m_layersDock = nullptr;
    QDockWidget* m_inspectorDock = nullptr;
    QDockWidget* m_summaryDock = nullptr;
    QDockWidget* m_timelineDock = nullptr;
    QDockWidget* m_logDock = nullptr;
    QDockWidget* m_runsDock = nullptr;
    QList<int>
        m_sideWidths;  ///< of the left and right dock before the views stood side by side; empty: unknown
    bool m_arranged = false;   ///< the docks stand where settings or arrangeDocks() put them
    bool m_showAdded = false;  ///< the runs being opened are to be compared
    bool m_keepDraft = false;  ///< the file being opened belongs to the job at hand
    bool m_closing = false;    ///< as soon as what still runs has ended
    bool m_mustClose = false;  ///< whatever fails: nobody may be there to read it
    int m_percent = 0;         ///< of the running job
};

}  // namespace bitloom::app
