// Several runs open at once, and the views that show bits and compare runs.
#include <QAction>
#include <QApplication>
#include <QDockWidget>
#include <QDropEvent>
#include <QLabel>
#include <QMimeData>
#include <fstream>

#include <gmock/gmock.h>

#include "app/capture.h"
#include "engine/jobs/sweep_job.h"
#include "tests/app/window_support.h"
#include "widgets/controls/log_panel.h"
#include "widgets/controls/runs_panel.h"
#include "widgets/plots/bitwidths_plot.h"
#include "widgets/plots/curves_plot.h"
#include "widgets/plots/pareto_plot.h"

namespace bitloom::app {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::waitFor;
using testing::writeRun;

class RunsTest : public testing::WindowTest {
  protected:
    RunsTest() {
        writeRun(m_folder / "a.h5", 4);
        writeRun(m_folder / "b.h5", 6);
        showWindow();
    }
    [[nodiscard]] QString pathOf(const char* name) const {
        return QString::fromStdString((m_folder / name).string());
    }
    [[nodiscard]] bool waitForRuns(std::size_t count) {
        return waitFor([&] { return m_window->runs().runs().size() == count; });
    }
    [[nodiscard]] widgets::RunsPanel& panel() const {
        return *m_window->findChild<widgets::RunsPanel*>(QStringLiteral("runsPanel"));
    }
};

TEST_F(RunsTest, SeveralRunsAreComparedAndTheFirstIsShown) {
    m_fileAnswer = pathOf("b.h5") + QLatin1Char('\n') + pathOf("a.h5");
    m_window->actions().openRun->trigger();
    ASSERT_TRUE(waitForRuns(2));
    ASSERT_TRUE(waitFor([&] { return m_window->session().path() == m_folder / "b.h5"; }));
    EXPECT_EQ(m_window->views().currentView(), ViewArea::Pareto);
    EXPECT_FALSE(m_window->views().pareto().isEmpty());
    EXPECT_TRUE(m_window->findChild<QDockWidget*>(QStringLiteral("runsDock"))->isVisible());
    ASSERT_TRUE(waitFor([&] { return panel().model().currentRun() == pathOf("b.h5"); }));
    // A run that is wanted is loaded; the other one stands beneath its curves.
    Q_EMIT m_window->views().pareto().runActivated(pathOf("a.h5"));
    ASSERT_TRUE(waitFor([&] { return m_window->session().path() == m_folder / "a.h5"; }));
    EXPECT_EQ(panel().model().currentRun(), pathOf("a.h5"));
    EXPECT_TRUE(m_window->findChild<QAction*>(QStringLiteral("other_runs"))->isEnabled());
    Q_EMIT panel().runRemoved(pathOf("b.h5"));
    EXPECT_EQ(m_window->runs().runs().size(), 1u);
    EXPECT_FALSE(m_window->findChild<QAction*>(QStringLiteral("other_runs"))->isEnabled());
}

TEST_F(RunsTest, TheFolderOfASweepIsComparedAndItsRunsAreLoaded) {
    testing::writeTinyJob(m_folder / "job.toml", 2);
    jobs::SweepRequest request;
    request.job = m_folder / "job.toml";
    request.axes = {{"quantizer.bits", {"2", "3"}}};
    request.folder = m_folder / "sweep";
    request.program = BITLOOM_PROGRAM;
    report::ProgressSink silent;
    JobControl control;
    const auto swept = jobs::runSweepJob(request, silent, control);
    ASSERT_TRUE(swept) << swept.error().message;
    for (const jobs::SweptRun& run : *swept)
        ASSERT_EQ(run.state, jobs::SweepState::Done) << run.message;
    m_fileAnswer = pathOf("sweep");
    m_window->actions().openFolder->trigger();
    ASSERT_TRUE(waitForRuns(2));
    EXPECT_EQ(errorText().toStdString(), "");
    EXPECT_TRUE(m_window->runs().problems().empty()) << m_window->runs().problems().front();
    const std::vector<report::RunFigures>& runs = m_window->runs().runs();
    EXPECT_EQ(runs[0].bits + runs[1].bits, 5);
    ASSERT_TRUE(waitFor([&] { return m_window->session().path().parent_path() == m_folder / "sweep"; }));
    ASSERT_EQ(m_window->views().currentView(), ViewArea::Pareto);
    // Along the marks to the other run, and on to load it.
    const QString other =
        QString::fromStdString(m_window->session().path() == runs[0].path ? runs[1].path : runs[0].path);
    widgets::ParetoPlot& pareto = m_window->views().pareto();
    for (int step = 0; step < 2 && pareto.chosenRun() != other; ++step)
        pareto.findChild<QAction*>(QStringLiteral("next_run"))->trigger();
    ASSERT_EQ(pareto.chosenRun().toStdString(), other.toStdString());
    pareto.findChild<QAction*>(QStringLiteral("load_run"))->trigger();
    ASSERT_TRUE(waitFor([&] { return m_window->session().path() == other.toStdString(); }));
}

TEST_F(RunsTest, ADamagedRunInAFolderIsNamedAndTheOthersAreShown) {
    std::ofstream(m_folder / "broken.h5") << "no run";
    m_fileAnswer = QString::fromStdString(m_folder.path().string());
    m_window->actions().openFolder->trigger();
    ASSERT_TRUE(waitForRuns(2));
    auto* note = m_window->views().pareto().findChild<QLabel*>(QStringLiteral("alarmText"));
    EXPECT_THAT(note->text().toStdString(), HasSubstr("broken.h5"));
    EXPECT_THAT(m_window->findChild<widgets::LogPanel*>()->text().toStdString(), HasSubstr("broken.h5"));
    EXPECT_EQ(errorText().toStdString(), "") << "what can be shown is shown";
}

TEST_F(RunsTest, AFolderWithoutRunsIsAnError) {
    fs::create_directories(m_folder / "empty");
    m_window->openRuns({m_folder / "empty"});
    ASSERT_TRUE(waitFor([&] { return !errorText().isEmpty(); }));
    EXPECT_THAT(errorText().toStdString(), HasSubstr("no run in this folder"));
}

TEST_F(RunsTest, DroppedRunsAreOpened) {
    QMimeData data;
    data.setUrls({QUrl::fromLocalFile(pathOf("a.h5")), QUrl::fromLocalFile(pathOf("b.h5"))});
    QDragEnterEvent enter({10, 10}, Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(m_window.get(), &enter);
    EXPECT_TRUE(enter.isAccepted());
    QDropEvent drop(QPointF(10, 10), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(m_window.get(), &drop);
    ASSERT_TRUE(waitForRuns(2));
}

TEST_F(RunsTest, TheRunThatIsShownIsAmongTheOpenOnes) {
    openAndWait(m_folder / "a.h5");
    ASSERT_TRUE(waitForRuns(1));
    EXPECT_FALSE(m_window->findChild<QDockWidget*>(QStringLiteral("runsDock"))->isVisible())
        << "one run needs no list";
    openAndWait(m_folder / "b.h5");
    ASSERT_TRUE(waitForRuns(2));
}

TEST_F(RunsTest, BitsOfARunAreShownAndLeadToSteps) {
    openAndWait(m_folder / "b.h5");
    m_window->actions().showBitwidths->trigger();
    EXPECT_EQ(m_window->views().currentView(), ViewArea::Bitwidths);
    ASSERT_TRUE(waitFor([&] { return !m_window->views().bitwidths().isEmpty(); }));
    EXPECT_TRUE(m_window->actions().saveView->isEnabled());
    Q_EMIT m_window->views().bitwidths().stepSelected(20);
    EXPECT_TRUE(waitFor([&] { return m_window->session().step() == 20; }));
    const QString other = QString::fromStdString(testing::layerName(2));
    Q_EMIT m_window->views().bitwidths().layerSelected(other);
    EXPECT_EQ(m_window->session().layer(), other);
    EXPECT_EQ(m_window->views().bitwidths().selectedLayer(), other);
    ASSERT_TRUE(captureViews(*m_window, m_folder / "pictures"));
    EXPECT_TRUE(fs::exists(m_folder / "pictures" / "bitwidths.png"));
    EXPECT_TRUE(fs::exists(m_folder / "pictures" / "pareto.png"));
}

TEST_F(RunsTest, LiveBitsAreThoseOfTheFile) {
    std::ofstream(m_folder / "job.toml")
        << "[model]\narch = \"resnet20\"\n[data]\nsource = \"generated:1,64,32\"\nbatch = 8\n"
           "[quantizer]\nmethod = \"sdq\"\nbits = 4\ntarget = 3\n"
           "[train]\nsteps = 8\nthreads = 1\nevaluate_every = 0\nbatch_norm_batches = 1\n"
           "[record]\nevery = 1\n";
    m_window->openJob(m_folder / "job.toml");
    m_window->start();
    ASSERT_TRUE(
        waitFor([&] { return m_window->session().live() && m_window->session().bitwidths().size() == 18; }));
    ASSERT_TRUE(waitFor([&] { return m_window->session().bitwidths().front().points.size() >= 5; }));
    const std::vector<report::BitwidthTrack> live = m_window->session().bitwidths();
    ASSERT_TRUE(waitFor([&] { return !m_window->session().live(); }));
    ASSERT_TRUE(waitFor([&] { return m_window->session().bitwidths().front().points.size() == 9; }));
    for (const report::BitwidthTrack& track : m_window->session().bitwidths()) {
        const auto before = std::ranges::find(live, track.layer, &report::BitwidthTrack::layer);
        ASSERT_NE(before, live.end());
        for (const report::BitwidthPoint& point : before->points) {
            const report::BitwidthPoint& recorded = *track.at(point.step);
            EXPECT_EQ(recorded.step, point.step);
            EXPECT_EQ(recorded.bits, point.bits);
            EXPECT_EQ(recorded.choice.probability, point.choice.probability);
            EXPECT_EQ(recorded.choice.gradient, point.choice.gradient);
            EXPECT_EQ(recorded.choice.open, point.choice.open);
        }
    }
}

}  // namespace
}  // namespace bitloom::app
