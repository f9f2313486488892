// The embedding and landscape views in the whole window: computed with one click, shown as they form,
// cancelled, saved; nothing else computes meanwhile.
#include <QAction>
#include <QImage>
#include <QLabel>
#include <QSpinBox>
#include <QTabBar>
#include <QTest>
#include <QToolButton>

#include <gmock/gmock.h>

#include "app/capture.h"
#include "app/window_entry.h"
#include "engine/jobs/train_job.h"
#include "tests/app/window_support.h"
#include "widgets/controls/log_panel.h"
#include "widgets/plots/embedding_plot.h"
#include "widgets/plots/landscape_plot.h"

namespace bitloom::app {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::waitFor;

class WindowAnalysesTest : public testing::WindowTest {
  protected:
    /// Trains the smallest run, of 32 test images, and shows it.
    void showTrainedRun() {
        ASSERT_NO_FATAL_FAILURE(trainTinyRun());
        ASSERT_TRUE(waitFor([&] { return m_window->actions().embed->isEnabled(); }));
        setNumber(ViewArea::kPerplexity, 6);
        setNumber(ViewArea::kGrid, 3);
        setNumber(ViewArea::kLandscapeImages, 8);
    }
    void setNumber(const char* name, int value) { qobject_cast<QSpinBox*>(find(name))->setValue(value); }
    void clickTab(ViewArea::View view) {
        auto* tabs = m_window->findChild<QTabBar*>(QStringLiteral("viewTabs"));
        QTest::mouseClick(tabs, Qt::LeftButton, {}, tabs->tabRect(view).center());
        EXPECT_EQ(m_window->views().currentView(), view);
    }
    [[nodiscard]] bool waitForEnd() {
        return waitFor([&] { return !m_window->jobs().analysing(); }, 100'000);
    }
    [[nodiscard]] std::string log() const {
        return m_window->findChild<widgets::LogPanel*>()->text().toStdString();
    }
    /// Pictures and values of the view that is shown.
    void expectSaved(const QByteArray& csv) {
        for (const char* name : {"view.svg", "view.pdf", "view.png", "view.csv"}) {
            m_fileAnswer = QString::fromStdString((m_folder / name).string());
            m_window->actions().saveView->trigger();
            EXPECT_TRUE(fs::exists(m_folder / name)) << name;
        }
        EXPECT_EQ(static_cast<qint64>(fs::file_size(m_folder / "view.csv")), csv.size());
    }
};

TEST_F(WindowAnalysesTest, WithoutARunTheButtonsSayWhatIsMissing) {
    showWindow();
    clickTab(ViewArea::Embedding);
    for (const char* name : {"embeddingBarCompute", "landscapeBarCompute"}) {
        auto* button = qobject_cast<QToolButton*>(find(name));
        EXPECT_FALSE(button->isEnabled());
        EXPECT_THAT(button->toolTip().toStdString(), HasSubstr("Open a run first"));
        EXPECT_EQ(button->text().toStdString(), "Compute");
    }
    EXPECT_FALSE(m_window->actions().saveView->isEnabled()) << "there is nothing to save";
    QTest::keyClick(m_window.get(), Qt::Key_7, Qt::ControlModifier);
    EXPECT_EQ(m_window->views().currentView(), ViewArea::Landscape);
    QTest::keyClick(m_window.get(), Qt::Key_6, Qt::ControlModifier);
    EXPECT_EQ(m_window->views().currentView(), ViewArea::Embedding);
}

TEST_F(WindowAnalysesTest, EmbedsTheRunWithOneClick) {
    showTrainedRun();
    clickTab(ViewArea::Embedding);
    QTest::mouseClick(find("embeddingBarCompute"), Qt::LeftButton);
    ASSERT_TRUE(m_window->jobs().analysing());
    EXPECT_TRUE(find("embeddingBarCancel")->isVisible());
    WindowActions& actions = m_window->actions();
    for (const QAction* action : {actions.embed, actions.survey, actions.start, actions.benchmark,
                                  actions.tune, actions.exportRun, actions.continueRun})
        EXPECT_FALSE(action->isEnabled()) << action->text().toStdString();
    EXPECT_THAT(actions.benchmark->toolTip().toStdString(), HasSubstr("being computed"));
    ASSERT_TRUE(waitForEnd());
    ASSERT_EQ(errorText().toStdString(), "");
    widgets::EmbeddingPlot& plot = m_window->views().embedding();
    ASSERT_FALSE(plot.isEmpty());
    EXPECT_EQ(plot.csv().count('\n'), 33);
    EXPECT_TRUE(actions.start->isEnabled() && actions.benchmark->isEnabled());
    EXPECT_THAT(log(), AllOf(HasSubstr("bitloom plot "),
                             HasSubstr("tiny.h5 --view embedding --images 2000 "
                                       "--perplexity 6 --seed 0"),
                             HasSubstr("Embedding computed.")));
    expectSaved(plot.csv());
    const auto captured = captureViews(*m_window, m_folder / "pictures");
    ASSERT_TRUE(captured) << captured.error().message;
    EXPECT_TRUE(fs::exists(m_folder / "pictures" / "embedding.png"));
    EXPECT_FALSE(fs::exists(m_folder / "pictures" / "landscape.png")) << "an empty view is left out";
    testing::writeRun(m_folder / "other.h5", 2);
    openAndWait(m_folder / "other.h5");
    EXPECT_TRUE(plot.isEmpty()) << "another run has other features";
}

TEST_F(WindowAnalysesTest, SurveysTheLossWithOneClickAndShowsItAsItGrows) {
    showTrainedRun();
    clickTab(ViewArea::Landscape);
    int shown = 0;
    QObject::connect(&m_window->jobs(), &JobController::surveyed, m_window.get(), [&] { ++shown; });
    QTest::mouseClick(find("landscapeBarCompute"), Qt::LeftButton);
    ASSERT_TRUE(waitForEnd());
    ASSERT_EQ(errorText().toStdString(), "");
    EXPECT_EQ(shown, 9);
    widgets::LandscapePlot& plot = m_window->views().landscape();
    EXPECT_EQ(plot.csv().count('\n'), 10);
    EXPECT_THAT(log(), HasSubstr("--view landscape --images 8 --grid 3 --seed 0"));
    expectSaved(plot.csv());
}

TEST_F(WindowAnalysesTest, CancelKeepsWhatIsThere) {
    showTrainedRun();
    setNumber(ViewArea::kGrid, 51);
    clickTab(ViewArea::Landscape);
    QTest::mouseClick(find("landscapeBarCompute"), Qt::LeftButton);
    widgets::LandscapePlot& plot = m_window->views().landscape();
    ASSERT_TRUE(waitFor([&] { return !plot.isEmpty(); }));
    EXPECT_FALSE(qobject_cast<QLabel*>(find("landscapeBarText"))->text().isEmpty());
    QTest::mouseClick(find("landscapeBarCancel"), Qt::LeftButton);
    ASSERT_TRUE(waitForEnd());
    EXPECT_EQ(errorText().toStdString(), "");
    EXPECT_FALSE(plot.isEmpty());
    EXPECT_THAT(log(), HasSubstr("Landscape cancelled."));
    EXPECT_TRUE(m_window->actions().survey->isEnabled());
}

TEST_F(WindowAnalysesTest, ClosingEndsWhatIsComputed) {
    showTrainedRun();
    setNumber(ViewArea::kGrid, 201);
    m_window->actions().survey->trigger();
    ASSERT_TRUE(m_window->jobs().analysing());
    m_window->close();
    EXPECT_TRUE(waitFor([&] { return !m_window->isVisible(); }));
}

TEST_F(WindowAnalysesTest, AnErrorStandsInTheErrorBar) {
    showTrainedRun();
    setNumber(ViewArea::kPerplexity, 30);
    m_window->actions().embed->trigger();
    ASSERT_TRUE(waitForEnd());
    EXPECT_THAT(errorText().toStdString(), HasSubstr("32 images do not suffice for perplexity 30"));
    EXPECT_TRUE(m_window->views().embedding().isEmpty());
}

TEST_F(WindowAnalysesTest, TheCommandLineDrawsTheSame) {
    showTrainedRun();
    PlotOptions options;
    options.run = m_window->session().path().string();
    options.view = "embedding";
    options.out = (m_folder / "embedding.svg").string();
    options.embedding.perplexity = 6;
    options.embedding.iterations = 20;
    const auto embedding = plotRun(options);
    ASSERT_TRUE(embedding) << embedding.error().message;
    EXPECT_TRUE(fs::exists(options.out));
    EXPECT_EQ(embedding->figures.front(), std::pair(std::string("images"), 32.0));
    options.view = "landscape";
    options.out = (m_folder / "landscape.csv").string();
    options.landscape.size = 3;
    options.landscape.images = 8;
    ASSERT_TRUE(plotRun(options));
    EXPECT_GT(fs::file_size(options.out), 200u);
    options.out = (m_folder / "landscape.bmp").string();
    const auto wrong = plotRun(options);
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().kind, ErrorKind::Usage);
    EXPECT_THAT(wrong.error().message, HasSubstr("landscape.bmp"));
}

TEST_F(WindowAnalysesTest, ACaptureComputesFirstWhenAsked) {
    // As many test images as the default perplexity needs.
    testing::writeTinyJob(m_folder / "job.toml", 1);
    auto job =
        jobs::readJob(m_folder / "job.toml", std::vector<std::string>{"data.source=generated:1,64,128"});
    ASSERT_TRUE(job) << job.error().message;
    report::ProgressSink silent;
    JobControl control;
    const auto trained = jobs::runTrainJob({*job, m_folder / "run.h5", "test", false}, silent, control);
    ASSERT_TRUE(trained) << trained.error().message;
    WindowOptions options;
    options.open = (m_folder / "run.h5").string();
    options.compute = "embedding";
    options.captureFolder = (m_folder / "pictures").string();
    EXPECT_EQ(runWindow(options), 0);
    for (const char* name : {"window.png", "embedding.png"}) {
        const QImage picture(QString::fromStdString((m_folder / "pictures" / name).string()));
        EXPECT_GT(picture.width(), 300) << name;
        EXPECT_GT(picture.height(), 300) << name;
    }
    EXPECT_FALSE(fs::exists(m_folder / "pictures" / "landscape.png")) << "nobody asked for it";
}

TEST_F(WindowAnalysesTest, ACaptureEndsWhereNothingCanBeComputed) {
    showTrainedRun();
    WindowOptions options;
    options.open = m_window->session().path().string();
    options.compute = "landscape";
    options.captureFolder = (m_folder / "pictures").string();
    m_window.reset();
    fs::remove_all(options.open + ".ckpt");
    EXPECT_EQ(runWindow(options), 1);
}

}  // namespace
}  // namespace bitloom::app
