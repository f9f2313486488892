// Every command of the window as a QAction: name, text, shortcut, tooltip, icon, and the menus they stand in.
// What they do is connected by MainWindow.
#pragma once

#include <QString>
#include <vector>

class QAction;
class QActionGroup;
class QMainWindow;
class QMenu;

namespace bitloom::app {

class WindowActions {
  public:
    /// The actions belong to `window`.
    explicit WindowActions(QMainWindow& window);

    /// Fills the menu bar; `docks` are the toggle actions of the dock widgets.
    void makeMenus(const std::vector<QAction*>& docks);

    [[nodiscard]] const std::vector<QAction*>& all() const { return m_all; }

    /// Whether `pause` says "Pause" or "Resume".
    void showPaused(bool paused);

    /// Why there is nothing to benchmark or tune, as the actions' tooltips; empty: what they do.
    void explainBenchmark(const QString& obstacle);

    /// The same of computing embedding and landscape.
    void explainAnalyses(const QString& obstacle);

    /// Action, shortcut and purpose as an HTML table.
    [[nodiscard]] QString shortcutTable() const;

    QAction* openWeights;
    QAction* openRun;
    QAction* openFolder;
    QAction* openJob;
    QAction* clearRecent;
    QAction* exportRun;
    QAction* exportBundle;
    QAction* cancelExport;
    QAction* saveView;
    QAction* quit;

    QAction* newJob;
    QAction* start;
    QAction* pause;  ///< pauses and resumes
    QAction* stop;
    QAction* continueRun;
    QAction* showRunning;
    QAction* benchmark;
    QAction* tune;
    QAction* cancelBenchmark;
    QAction* embed;
    QAction* survey;
    QAction* cancelAnalysis;

    QAction* showMixture;
    QAction* showCurves;
    QAction* showDevice;
    QAction* showBitwidths;
    QAction* showPareto;
    QAction* showEmbedding;
    QAction* showLandscape;
    QAction* sideBySide;
    QAction* logCounts;
    QAction* themeLight;
    QAction* themeDark;
    QAction* themeSystem;
    QAction* resetLayout;

    QAction* play;
    QAction* firstStep;
    QAction* previousStep;
    QAction* nextStep;
    QAction* lastStep;

    QAction* shortcuts;
    QAction* about;

    QMenu* recentMenu = nullptr;

  private:
    struct Face {
        const char* name;
        QString text;
        const char* shortcut;
        QString tip;
        const char* icon = nullptr;
    };
    QAction* add(const Face& face);
    QAction* addToggle(const Face& face);
    static void explain(QAction* action, const QString& tip);

    QMainWindow& m_window;
    std::vector<QAction*> m_all;
};

}  // namespace bitloom::app
