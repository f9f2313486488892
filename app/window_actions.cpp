#include "app/window_actions.h"

#include <QAction>
#include <QActionGroup>
#include <QCoreApplication>
#include <QKeySequence>
#include <QMainWindow>
#include <QMenu>
#include <QMenuBar>

#include "widgets/theme.h"

namespace bitloom::app {
namespace {

QString tr(const char* text) {
    return QCoreApplication::translate("bitloom::app::WindowActions", text);
}

QString benchmarkTip() {
    return tr("Time this run on the chosen device, beside float kernels, and clean up there");
}

QString tuneTip() {
    return tr("Find the fastest kernel of every layer on the chosen device by timing, then time this run");
}

QString embedTip() {
    return tr("Lay out test images of this run by t-SNE, in full precision and quantized");
}

QString surveyTip() {
    return tr("Measure the loss around the weights of this run, in full precision and quantized");
}

}  // namespace

WindowActions::WindowActions(QMainWindow& window) : m_window(window) {
    openWeights = add({"openWeights", tr("Open &weights..."), "Ctrl+O",
                       tr("Open a weight file: .pt .pth .th .safetensors .h5"), "open"});
    openRun = add({"openRun", tr("Open &runs..."), "Ctrl+Shift+O",
                   tr("Open a recorded run, finished or still being written, or several to compare")});
    openFolder = add(
        {"openFolder", tr("Open &folder of runs..."), "Ctrl+Shift+F", tr("Compare every run in a folder")});
    openJob = add(
        {"openJob", tr("Open &job..."), "Ctrl+J", tr("Open a job file (TOML), to be started with Start")});
    clearRecent = add(
        {"clearRecent", tr("&Forget recent files"), "Ctrl+Shift+Del", tr("Empty this list; the files stay")});
    exportRun =
        add({"exportRun", tr("&Export..."), "Ctrl+E",
             tr("Write the quantized network of this run, or the bits of its layers, read it back and "
                "compare"),
             "export"});
    exportBundle = add({"exportBundle", tr("Export &project for ARM..."), "Ctrl+Alt+E",
                        tr("Write a C++ project that runs this network on a phone with int8 kernels, and "
                           "check what it computes")});
    cancelExport = add({"cancelExport", tr("Cancel e&xport"), "Ctrl+Shift+E",
                        tr("Give up checking the file that is being exported")});
    saveView = add({"saveView", tr("&Save view as..."), "Ctrl+S",
                    tr("Save the current view as SVG, PDF, PNG or CSV"), "save"});
    quit = add({"quit", tr("&Quit"), "Ctrl+Q", tr("Close Bitloom; a running job is asked about first")});

    newJob = add({"newJob", tr("&New job..."), "Ctrl+N",
                  tr("Choose weights, images, components, length and rates of a job")});
    start = add({"start", tr("&Start"), "Ctrl+R", tr("Start the job"), "play"});
    pause = add({"pause", tr("&Pause"), "Ctrl+P", tr("Pause the job after this step"), "pause"});
    stop = add({"stop", tr("S&top"), "Ctrl+.",
                tr("Stop the job after this step; it is saved and can be continued"), "stop"});
    continueRun = add({"continueRun", tr("&Continue run"), "Ctrl+Shift+R",
                       tr("Go on with this stopped run from its last checkpoint")});
    showRunning = add({"showRunning", tr("Show running &job"), "Ctrl+Shift+J",
                       tr("Show the run of the job that this window started last")});
    benchmark = add({"benchmark", tr("&Benchmark"), "Ctrl+B", benchmarkTip(), "benchmark"});
    tune = add({"tune", tr("T&une kernels"), "Ctrl+U", tuneTip(), "tune"});
    cancelBenchmark =
        add({"cancelBenchmark", tr("Cancel bench&mark"), "Ctrl+Shift+B",
             tr("Give up timing or tuning; what was put on the device is removed, what was found "
                "out is kept"),
             "stop"});

    embed = add({"embed", tr("Compute &embedding"), "Ctrl+Alt+6", embedTip(), "play"});
    survey = add({"survey", tr("Compute &landscape"), "Ctrl+Alt+7", surveyTip(), "play"});
    cancelAnalysis = add({"cancelAnalysis", tr("Cancel &computing"), "Ctrl+Alt+C",
                          tr("Give up the embedding or landscape; what is there of it stays"), "stop"});
    // On the views' buttons there is no doubt what is computed.
    for (QAction* action : {embed, survey})
        action->setIconText(tr("Compute"));
    cancelAnalysis->setIconText(tr("Cancel"));

    showMixture = add({"showMixture", tr("&Mixture"), "Ctrl+1",
                       tr("Show weights and mixture of the selected layer"), "mixture"});
    showCurves = add({"showCurves", tr("&Curves"), "Ctrl+2",
                      tr("Show loss, learning rate, accuracy and error over the run"), "curves"});
    showDevice = add({"showDevice", tr("&Device"), "Ctrl+3",
                      tr("Show the times of this run on a device, beside float kernels"), "device"});
    showBitwidths = add({"showBitwidths", tr("&Bitwidths"), "Ctrl+4",
                         tr("Show how many bits each layer took over the run"), "bitwidths"});
    showPareto = add({"showPareto", tr("&Pareto"), "Ctrl+5",
                      tr("Show accuracy of the open runs against what they cost"), "pareto"});
    showEmbedding =
        add({"showEmbedding", tr("&Embedding"), "Ctrl+6",
             tr("Show test images as the network sees them, full precision beside quantized"), "embedding"});
    showLandscape =
        add({"showLandscape", tr("&Landscape"), "Ctrl+7",
             tr("Show the loss around the weights, full precision beside quantized"), "landscape"});
    sideBySide = addToggle({"sideBySide", tr("Side &by side"), "Ctrl+\\",
                            tr("Show this view and the one before beside each other")});
    logCounts = addToggle({"logCounts", tr("&Logarithmic counts"), "Ctrl+L",
                           tr("Show the counts of the histograms on a logarithmic axis")});
    themeLight = addToggle({"themeLight", tr("&Light"), "Ctrl+Alt+L", tr("Light colours")});
    themeDark = addToggle({"themeDark", tr("&Dark"), "Ctrl+Alt+D", tr("Dark colours")});
    themeSystem =
        addToggle({"themeSystem", tr("As the &system"), "Ctrl+Alt+S", tr("Light or dark as the desktop is")});
    auto* themes = new QActionGroup(&m_window);
    for (QAction* theme : {themeLight, themeDark, themeSystem})
        themes->addAction(theme);
    resetLayout = add({"resetLayout", tr("&Reset layout"), "Ctrl+0",
                       tr("Put docks and views back where they were at first")});

    play = add({"play", tr("&Play"), "Ctrl+Space", tr("Play the run from here, or pause playing")});
    firstStep =
        add({"firstStep", tr("&First step"), "Ctrl+Home", tr("Show the first recorded step"), "first"});
    previousStep =
        add({"previousStep", tr("P&revious step"), "Ctrl+Left", tr("Show the recorded step before")});
    nextStep = add({"nextStep", tr("&Next step"), "Ctrl+Right", tr("Show the recorded step after")});
    lastStep = add(
        {"lastStep", tr("&Last step"), "Ctrl+End", tr("Show the newest step and follow the run"), "live"});

    shortcuts = add({"shortcuts", tr("&Keyboard shortcuts"), "F1", tr("List every shortcut")});
    about = add({"about", tr("&About Bitloom"), "Shift+F1", tr("Version and licence")});
    quit->setMenuRole(QAction::QuitRole);
    about->setMenuRole(QAction::AboutRole);
}

QAction* WindowActions::add(const Face& face) {
    auto* action = new QAction(face.text, &m_window);
    action->setObjectName(QLatin1String(face.name));
    action->setShortcut(QKeySequence(QLatin1String(face.shortcut)));
    explain(action, face.tip);
    if (face.icon) action->setIcon(widgets::icon(QLatin1String(face.icon)));
    m_window.addAction(action);
    m_all.push_back(action);
    return action;
}

void WindowActions::explain(QAction* action, const QString& tip) {
    action->setToolTip(tr("%1 (%2)").arg(tip, action->shortcut().toString(QKeySequence::NativeText)));
    action->setStatusTip(tip);
}

void WindowActions::showPaused(bool paused) {
    pause->setText(paused ? tr("&Resume") : tr("&Pause"));
    pause->setIcon(widgets::icon(paused ? QStringLiteral("play") : QStringLiteral("pause")));
    explain(pause, paused ? tr("Go on with the paused job") : tr("Pause the job after this step"));
}

void WindowActions::explainBenchmark(const QString& obstacle) {
    explain(benchmark, obstacle.isEmpty() ? benchmarkTip() : obstacle);
    explain(tune, obstacle.isEmpty() ? tuneTip() : obstacle);
}

void WindowActions::explainAnalyses(const QString& obstacle) {
    explain(embed, obstacle.isEmpty() ? embedTip() : obstacle);
    explain(survey, obstacle.isEmpty() ? surveyTip() : obstacle);
}

QAction* WindowActions::addToggle(const Face& face) {
    QAction* action = add(face);
    action->setCheckable(true);
    return action;
}

void WindowActions::makeMenus(const std::vector<QAction*>& docks) {
    QMenuBar* bar = m_window.menuBar();
    const auto fill = [](QMenu* menu, std::initializer_list<QAction*> actions) {
        menu->setToolTipsVisible(true);
        for (QAction* action : actions) {
            if (action) {
                menu->addAction(action);
            } else {
                menu->addSeparator();
            }
        }
    };
    QMenu* file = bar->addMenu(tr("&File"));
    fill(file, {openWeights, openRun, openFolder, openJob});
    recentMenu = file->addMenu(tr("Recent &files"));
    recentMenu->setToolTipsVisible(true);
    fill(file, {nullptr, exportRun, exportBundle, cancelExport, saveView, nullptr, quit});

    fill(bar->addMenu(tr("&Job")),
         {newJob, nullptr, start, pause, stop, nullptr, continueRun, showRunning, nullptr, benchmark, tune,
          cancelBenchmark, nullptr, embed, survey, cancelAnalysis});

    QMenu* view = bar->addMenu(tr("&View"));
    fill(view, {showMixture, showCurves, showDevice, showBitwidths, showPareto, showEmbedding, showLandscape,
                nullptr, sideBySide, nullptr, logCounts, nullptr});
    for (QAction* dock : docks) {
        view->addAction(dock);
        m_all.push_back(dock);
    }
    view->addSeparator();
    fill(view->addMenu(tr("&Playback")), {play, firstStep, previousStep, nextStep, lastStep});
    fill(view->addMenu(tr("&Theme")), {themeLight, themeDark, themeSystem});
    fill(view, {nullptr, resetLayout});

    fill(bar->addMenu(tr("&Help")), {shortcuts, about});
}

QString WindowActions::shortcutTable() const {
    QString table = QStringLiteral("<table cellspacing='6'>");
    for (const QAction* action : m_all) {
        QString text = action->text();
        table += QStringLiteral("<tr><td><b>%1</b></td><td>%2</td><td>%3</td></tr>")
                     .arg(action->shortcut().toString(QKeySequence::NativeText).toHtmlEscaped(),
                          text.remove(QLatin1Char('&')).toHtmlEscaped(), action->statusTip().toHtmlEscaped());
    }
    table +=
        tr("<tr><td><b>Home, End, Left, Right, Space</b></td><td>Timeline</td>"
           "<td>Move and play while the timeline has the focus</td></tr>");
    return table + QStringLiteral("</table>");
}

}  // namespace bitloom::app
