// The device view in the whole window: devices that come and go, benchmarks on this computer, their end.
#include <QAction>
#include <QComboBox>
#include <QImage>
#include <QLabel>
#include <QSpinBox>
#include <QTabBar>
#include <QTest>
#include <QToolButton>
#include <atomic>
#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>

#include "app/capture.h"
#include "app/window_entry.h"
#include "tests/app/window_support.h"
#include "widgets/controls/device_bar.h"
#include "widgets/controls/log_panel.h"
#include "widgets/plots/curves_plot.h"
#include "widgets/plots/device_plot.h"
#include "widgets/plots/mixture_plot.h"

namespace bitloom::app {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::waitFor;

report::DeviceInfo makeDevice(const std::string& id, const std::string& name) {
    report::DeviceInfo device;
    device.id = id;
    device.name = name;
    device.state = "device";
    device.cores.resize(2);
    return device;
}

class WindowDeviceTest : public testing::WindowTest {
  protected:
    void SetUp() override {
        // Runners are built once for all test programs of this build.
        ::setenv("XDG_CACHE_HOME", BITLOOM_TEST_CACHE, 1);
        // What is left over is counted in a folder that nobody else uses.
        fs::create_directory(m_folder / "tmp");
        ::setenv("TMPDIR", (m_folder / "tmp").c_str(), 1);
        // An adb without phones, which leaves no server behind.
        std::ofstream(m_folder / "adb") << "#!/bin/sh\necho List of devices attached\n";
        fs::permissions(m_folder / "adb", fs::perms::owner_all);
        ::setenv("BITLOOM_ADB", (m_folder / "adb").c_str(), 1);
    }
    void TearDown() override {
        for (const char* name : {"XDG_CACHE_HOME", "TMPDIR", "BITLOOM_ADB"})
            ::unsetenv(name);
    }

    void showWindow() {
        testing::WindowTest::showWindow();
        m_window->devices().setSource([this](const JobControl&) -> Result<jobs::DevicesResult> {
            ++m_asked;
            jobs::DevicesResult found;
            found.devices = {makeDevice("host", "Some Processor")};
            if (m_plugged) found.devices.push_back(makeDevice("R58", "Some Phone"));
            return found;
        });
    }
    /// Trains the smallest run and shows it.
    void showTrainedRun() {
        ASSERT_NO_FATAL_FAILURE(trainTinyRun());
        ASSERT_TRUE(waitFor([&] { return m_window->actions().benchmark->isEnabled(); }));
    }
    // Sanitizers slow the compiler's output down, and what times it repeats itself.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    static constexpr int kLongestJob = 600'000;  // ms
#else
    static constexpr int kLongestJob = 150'000;
#endif
    [[nodiscard]] bool waitForEnd() {
        return waitFor([&] { return !m_window->jobs().benchmarking(); }, kLongestJob);
    }
    [[nodiscard]] widgets::DevicePlot& plot() {
        return m_window->views().device();
    }
    [[nodiscard]] std::string log() const {
        return m_window->findChild<widgets::LogPanel*>()->text().toStdString();
    }
    [[nodiscard]] std::string list() const {
        const auto* list = m_window->findChild<QComboBox*>(QStringLiteral("deviceList"));
        QStringList items;
        for (int i = 0; i < list->count(); ++i)
            items += list->itemText(i);
        return items.join(QStringLiteral("; ")).toStdString();
    }
    /// Files and folders of jobs that have not been removed.
    static int leftOvers() {
        return static_cast<int>(std::distance(fs::directory_iterator(fs::temp_directory_path()), {}));
    }

    std::atomic<bool> m_plugged = true;
    std::atomic<int> m_asked = 0;
};

TEST_F(WindowDeviceTest, TheListFollowsWhatIsPluggedInWhileItIsSeen) {
    showWindow();
    QTest::qWait(50);
    EXPECT_EQ(m_asked, 0) << "nobody looks";
    m_window->actions().showDevice->trigger();
    EXPECT_EQ(m_window->views().currentView(), ViewArea::Device);
    ASSERT_TRUE(waitFor([&] { return list() == "This computer: Some Processor; Some Phone"; }));
    auto* combo = m_window->findChild<QComboBox*>(QStringLiteral("deviceList"));
    combo->setFocus();
    QTest::keyClick(combo, Qt::Key_Down);
    EXPECT_EQ(m_window->views().deviceBar().device(), QStringLiteral("R58"));
    m_plugged = false;
    ASSERT_TRUE(waitFor([&] { return list() == "This computer: Some Processor; Some Phone: unplugged"; }));
    EXPECT_EQ(m_window->views().deviceBar().device(), QStringLiteral("R58"));
    m_plugged = true;
    ASSERT_TRUE(waitFor([&] { return list() == "This computer: Some Processor; Some Phone"; }));
    m_window->actions().showMixture->trigger();
    EXPECT_FALSE(m_window->devices().active());
    const int before = m_asked;
    QTest::qWait(DeviceWatch::kRefreshMs + 200);
    EXPECT_LE(m_asked, before + 1) << "one may have been under way";
}

TEST_F(WindowDeviceTest, AQuestionThatBlocksHoldsUpNeitherTheWindowNorItsEnd) {
    showWindow();
    std::atomic<int> asking = 0;
    std::atomic<int> most = 0;
    m_window->devices().setSource([&](const JobControl& control) -> Result<jobs::DevicesResult> {
        most = std::max<int>(most, ++asking);
        while (!control.stopRequested())
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        --asking;
        return Error{ErrorKind::Cancelled, "cancelled"};
    });
    for (int i = 0; i < 3; ++i) {
        m_window->actions().showDevice->trigger();
        ASSERT_TRUE(waitFor([&] { return asking == 1; }));
        m_window->actions().showCurves->trigger();
    }
    m_window->actions().showDevice->trigger();
    ASSERT_TRUE(waitFor([&] { return asking == 1; }));
    EXPECT_EQ(most, 1) << "never two at once";
    m_window.reset();
    EXPECT_EQ(asking, 0);
}

TEST_F(WindowDeviceTest, DeviceAndThreadsSurviveARestart) {
    showWindow();
    m_window->actions().showDevice->trigger();
    ASSERT_TRUE(waitFor([&] { return list() == "This computer: Some Processor; Some Phone"; }));
    auto* combo = m_window->findChild<QComboBox*>(QStringLiteral("deviceList"));
    auto* threads = m_window->findChild<QSpinBox*>(QStringLiteral("deviceThreads"));
    QTest::keyClick(combo, Qt::Key_Down);
    QTest::keyClick(threads, Qt::Key_Up);
    m_window->close();
    showWindow();
    EXPECT_EQ(m_window->views().deviceBar().device(), QStringLiteral("R58"));
    EXPECT_EQ(m_window->views().deviceBar().threads(), 2);
}

TEST_F(WindowDeviceTest, WithoutARunTheButtonSaysWhatIsMissing) {
    showWindow();
    m_window->actions().showDevice->trigger();
    auto* button = qobject_cast<QToolButton*>(find("benchmark"));
    EXPECT_FALSE(button->isEnabled());
    EXPECT_THAT(button->toolTip().toStdString(), HasSubstr("Open a run first"));
    EXPECT_FALSE(m_window->actions().saveView->isEnabled()) << "there is nothing to save";
    m_window->actions().showCurves->trigger();
    EXPECT_TRUE(m_window->actions().saveView->isEnabled());
    testing::writeRun(m_folder / "run.h5", 2);
    openAndWait(m_folder / "run.h5");
    EXPECT_TRUE(button->isEnabled());
    EXPECT_THAT(button->toolTip().toStdString(), AllOf(HasSubstr("Time this run"), HasSubstr("Ctrl+B")));
}

TEST_F(WindowDeviceTest, TimesTheRunOnThisComputerWithOneClick) {
    showTrainedRun();
    auto* tabs = m_window->findChild<QTabBar*>(QStringLiteral("viewTabs"));
    QTest::mouseClick(tabs, Qt::LeftButton, {}, tabs->tabRect(ViewArea::Device).center());
    EXPECT_EQ(m_window->views().currentView(), ViewArea::Device);
    QTest::mouseClick(find("benchmark"), Qt::LeftButton);
    ASSERT_TRUE(m_window->jobs().benchmarking());
    EXPECT_FALSE(m_window->devices().active()) << "questions would disturb what is timed";
    EXPECT_TRUE(find("cancelBenchmark")->isVisible());
    EXPECT_FALSE(m_window->actions().benchmark->isEnabled());
    EXPECT_TRUE(waitFor([&] { return !qobject_cast<QLabel*>(find("benchmarkText"))->text().isEmpty(); }))
        << "it says how far it is";
    ASSERT_TRUE(waitForEnd());
    ASSERT_EQ(errorText().toStdString(), "");
    EXPECT_FALSE(plot().isEmpty());
    EXPECT_FALSE(find("cancelBenchmark")->isVisible());
    const std::string csv = plot().csv().toStdString();
    EXPECT_THAT(csv, AllOf(HasSubstr("(network),"), HasSubstr(",tuned_fp32,"), HasSubstr("layer1.0.conv1,")));
    EXPECT_THAT(log(), AllOf(HasSubstr("bitloom bench "), HasSubstr("tiny.h5 --device host --threads 1"),
                             HasSubstr("tuned_fp32 "), HasSubstr("resnet20, tiny.h5 on ")));
    EXPECT_EQ(leftOvers(), 0) << "cleaned up";

    // A click on a layer chooses it everywhere.
    auto* figure = plot().findChild<QWidget*>(QStringLiteral("figure"));
    const QString first = m_window->session().layer();
    const auto changed = [&] { return m_window->session().layer() != first; };
    EXPECT_TRUE(waitFor([&] {  // it is drawn a moment later
        for (int y = figure->height() - 40; y > figure->height() / 2 && !changed(); y -= 20) {
            for (int x = figure->width() - 40; x > 60 && !changed(); x -= 20)
                QTest::mouseClick(figure, Qt::LeftButton, {}, QPoint(x, y));
        }
        return changed();
    }));

    // Pictures and values of the view.
    for (const char* name : {"view.svg", "view.png", "view.csv"}) {
        m_fileAnswer = QString::fromStdString((m_folder / name).string());
        m_window->actions().saveView->trigger();
        EXPECT_TRUE(fs::exists(m_folder / name)) << name;
    }
    std::ifstream saved(m_folder / "view.csv");
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(saved), {}), csv);
    const auto captured = captureViews(*m_window, m_folder / "pictures");
    ASSERT_TRUE(captured) << captured.error().message;
    EXPECT_FALSE(QImage(QString::fromStdString((m_folder / "pictures" / "device.png").string())).isNull());
    EXPECT_EQ(m_window->views().currentView(), ViewArea::Device);

    // Another run has other times.
    testing::writeRun(m_folder / "other.h5", 2);
    openAndWait(m_folder / "other.h5");
    EXPECT_TRUE(plot().isEmpty());
    fs::remove_all(m_folder / "pictures");
    ASSERT_TRUE(captureViews(*m_window, m_folder / "pictures"));
    EXPECT_FALSE(fs::exists(m_folder / "pictures" / "device.png")) << "an empty view is left out";
    EXPECT_TRUE(fs::exists(m_folder / "pictures" / "curves.png"));
}

TEST_F(WindowDeviceTest, TunesTheKernelsWithOneClickAndTimesThem) {
    // The runner is shared with other tests, schedules are not.
    fs::create_directories(m_folder / "cache/bitloom");
    fs::create_directories(fs::path(BITLOOM_TEST_CACHE) / "bitloom/runners");
    fs::create_directory_symlink(fs::path(BITLOOM_TEST_CACHE) / "bitloom/runners",
                                 m_folder / "cache/bitloom/runners");
    ::setenv("XDG_CACHE_HOME", (m_folder / "cache").c_str(), 1);
    showTrainedRun();
    m_window->actions().showDevice->trigger();
    auto* text = qobject_cast<QLabel*>(find("benchmarkText"));
    QTest::mouseClick(find("tune"), Qt::LeftButton);
    ASSERT_TRUE(m_window->jobs().benchmarking());
    EXPECT_FALSE(m_window->actions().tune->isEnabled());
    EXPECT_FALSE(find("tune")->isVisible()) << "its place is the cancel button's";
    ASSERT_TRUE(waitFor([&] { return text->text().startsWith(QLatin1String("Tuning")); }, 100'000));
    ASSERT_TRUE(waitForEnd());
    ASSERT_EQ(errorText().toStdString(), "");
    EXPECT_THAT(log(), AllOf(HasSubstr("bitloom tune "), HasSubstr(" && bitloom bench "),
                             HasSubstr("tuned k2: "), HasSubstr("tuned_fp32 ")));
    ASSERT_FALSE(plot().isEmpty());
    EXPECT_TRUE(find("tune")->isVisible());
    EXPECT_EQ(leftOvers(), 0) << "cleaned up";
}

TEST_F(WindowDeviceTest, ACaptureTimesTheRunFirstWhenAsked) {
    showTrainedRun();
    m_window.reset();
    WindowOptions options;
    options.open = (m_folder / "runs" / "tiny.h5").string();
    options.benchmark = true;
    options.captureFolder = (m_folder / "pictures").string();
    EXPECT_EQ(runWindow(options), 0);
    EXPECT_TRUE(fs::exists(m_folder / "pictures" / "device.png"));
    EXPECT_TRUE(fs::exists(m_folder / "pictures" / "mixture.png"));
    // There is nothing to time in a run without checkpoints.
    testing::writeRun(m_folder / "bare.h5", 2);
    options.open = (m_folder / "bare.h5").string();
    EXPECT_EQ(runWindow(options), 1);
}

TEST_F(WindowDeviceTest, ABenchmarkCanBeCancelledAndLeavesNothing) {
    showTrainedRun();
    m_window->actions().benchmark->trigger();
    EXPECT_EQ(m_window->views().currentView(), ViewArea::Device);
    auto* text = qobject_cast<QLabel*>(find("benchmarkText"));
    ASSERT_TRUE(waitFor([&] { return text->text().startsWith(QLatin1String("Timing")); }, 100'000));
    const WindowActions& actions = m_window->actions();
    for (const QAction* action : {actions.start, actions.newJob, actions.continueRun, actions.exportRun})
        EXPECT_FALSE(action->isEnabled()) << "would disturb the times: " << action->text().toStdString();
    QTest::mouseClick(find("cancelBenchmark"), Qt::LeftButton);
    ASSERT_TRUE(waitForEnd());
    EXPECT_TRUE(actions.exportRun->isEnabled());
    EXPECT_EQ(errorText().toStdString(), "") << "a cancel is no error";
    EXPECT_THAT(log(), HasSubstr("Benchmark cancelled"));
    EXPECT_TRUE(plot().isEmpty());
    EXPECT_EQ(leftOvers(), 0);
    EXPECT_TRUE(m_window->actions().benchmark->isEnabled());
}

TEST_F(WindowDeviceTest, ADeviceThatIsNotThereIsAnErrorInTheBar) {
    m_settings.set(settings::kDevice, QStringLiteral("no-such-phone"));
    testing::writeRun(m_folder / "run.h5", 2);
    showWindow();
    openAndWait(m_folder / "run.h5");
    m_window->actions().benchmark->trigger();
    ASSERT_TRUE(waitForEnd());
    EXPECT_THAT(errorText().toStdString(), HasSubstr("no-such-phone: no such device"));
    EXPECT_THAT(log(), HasSubstr("--device no-such-phone --threads 1"));
    EXPECT_TRUE(plot().isEmpty());
    EXPECT_TRUE(m_window->actions().benchmark->isEnabled()) << "it may be there the next time";
}

TEST_F(WindowDeviceTest, ClosingCancelsWithoutAQuestion) {
    showTrainedRun();
    m_window->actions().benchmark->trigger();
    auto* text = qobject_cast<QLabel*>(find("benchmarkText"));
    ASSERT_TRUE(waitFor([&] { return text->text().startsWith(QLatin1String("Timing")); }, 100'000));
    m_questions = 0;
    m_window->close();
    ASSERT_TRUE(waitFor([&] { return !m_window->isVisible(); }, 30'000));
    EXPECT_EQ(m_questions, 0);
    EXPECT_FALSE(m_window->jobs().benchmarking());
    EXPECT_EQ(leftOvers(), 0);
}

TEST_F(WindowDeviceTest, NothingIsTimedWhileAJobTrains) {
    testing::writeTinyJob(m_folder / "tiny.toml", 100'000);
    showWindow();
    m_window->open(m_folder / "tiny.toml");
    m_window->actions().start->trigger();
    ASSERT_TRUE(waitFor([&] { return m_window->session().live(); }, 60'000));
    EXPECT_FALSE(m_window->actions().benchmark->isEnabled());
    EXPECT_THAT(m_window->actions().benchmark->toolTip().toStdString(), HasSubstr("disturb the times"));
    m_window->actions().stop->trigger();
    ASSERT_TRUE(waitFor([&] { return !m_window->jobs().host().busy(); }, 60'000));
    EXPECT_TRUE(waitFor([&] { return m_window->actions().benchmark->isEnabled(); }));
}

TEST_F(WindowDeviceTest, SideBySideShowsTheViewAndTheOneBefore) {
    showWindow();
    ViewArea& views = m_window->views();
    m_window->actions().sideBySide->trigger();
    EXPECT_TRUE(views.mixture().isVisible() && views.curves().isVisible());
    EXPECT_FALSE(plot().isVisible());
    m_window->actions().showDevice->trigger();
    EXPECT_TRUE(views.mixture().isVisible() && plot().isVisible());
    EXPECT_FALSE(views.curves().isVisible());
    m_window->actions().showCurves->trigger();
    EXPECT_TRUE(views.curves().isVisible() && plot().isVisible());
    EXPECT_LT(views.curves().mapToGlobal(QPoint()).x(), plot().mapToGlobal(QPoint()).x()) << "as their tabs";
    // The view that a person works in is the current one; both stay.
    find("deviceThreads")->setFocus();
    EXPECT_TRUE(waitFor([&] { return views.currentView() == ViewArea::Device; }));
    EXPECT_TRUE(views.curves().isVisible() && plot().isVisible());
    m_window->actions().sideBySide->trigger();
    EXPECT_FALSE(views.curves().isVisible());
    EXPECT_TRUE(plot().isVisible());
}

}  // namespace
}  // namespace bitloom::app
