// The whole window, offscreen, driven by actions, keys, clicks and injected answers.
#include <QAction>
#include <QApplication>
#include <QDockWidget>
#include <QDropEvent>
#include <QFileInfo>
#include <QLabel>
#include <QMimeData>
#include <QTabBar>
#include <QTest>
#include <QUrl>
#include <fstream>

#include "engine/jobs/report_job.h"
#include "engine/record/run_writer.h"
#include "tests/app/window_support.h"
#include "widgets/controls/job_bar.h"
#include "widgets/controls/layers_panel.h"
#include "widgets/controls/log_panel.h"
#include "widgets/controls/timeline.h"
#include "widgets/format.h"
#include "widgets/plots/curves_plot.h"
#include "widgets/plots/mixture_plot.h"
#include "widgets/theme.h"

namespace bitloom::app {
namespace {

using testing::kStepsApart;
using testing::layerName;
using testing::waitFor;

class WindowTest : public testing::WindowTest {
  protected:
    [[nodiscard]] Session& session() { return m_window->session(); }
    [[nodiscard]] EngineHost& host() { return m_window->jobs().host(); }
    [[nodiscard]] std::int64_t mixtureStep() {
        const auto& snapshot = m_window->views().mixture().snapshot();
        return snapshot ? snapshot->step : -1;
    }
    enum class Start { Running, Paused };
    /// Paused: before its first step, so that it cannot be done before the test has looked at it.
    void startTinyJob(int steps, Start start = Start::Running) {
        testing::writeTinyJob(m_folder / "tiny.toml", steps);
        showWindow();
        m_window->open(m_folder / "tiny.toml");
        ASSERT_EQ(errorText().toStdString(), "");
        m_window->actions().start->trigger();
        ASSERT_TRUE(host().busy());
        if (start == Start::Paused) m_window->actions().pause->trigger();
        ASSERT_TRUE(waitFor([&] { return session().live() || !errorText().isEmpty(); }, 60'000));
        ASSERT_EQ(errorText().toStdString(), "");
    }
    [[nodiscard]] QString log() const { return m_window->findChild<widgets::LogPanel*>()->text(); }
    /// A trained run, and the answer to where its export goes.
    void trainForExportTo(const char* name) {
        startTinyJob(3);
        ASSERT_TRUE(waitForEnd());
        ASSERT_TRUE(waitFor([&] { return m_window->actions().exportRun->isEnabled(); }));
        ASSERT_TRUE(m_window->actions().exportBundle->isEnabled());
        m_fileAnswer = QString::fromStdString((m_folder / name).string());
    }
    [[nodiscard]] bool waitForEnd() {
        return waitFor([&] { return !host().busy(); }, 100'000);
    }
    [[nodiscard]] report::RunStatus statusOnDisk() {
        const auto report = jobs::reportRun(m_folder / "runs" / "tiny.h5");
        EXPECT_TRUE(report) << report.error().message;
        return report ? report->summary.status : report::RunStatus::Failed;
    }
};

TEST_F(WindowTest, EveryActionHasAShortcutOfItsOwnAndATooltip) {
    showWindow();
    std::map<QString, QString> owners;
    int checked = 0;
    for (const QAction* action : m_window->actions().all()) {
        EXPECT_FALSE(action->shortcut().isEmpty()) << action->text().toStdString();
        EXPECT_FALSE(action->toolTip().isEmpty()) << action->text().toStdString();
        const auto [owner, isNew] = owners.try_emplace(action->shortcut().toString(), action->text());
        EXPECT_TRUE(isNew) << action->text().toStdString() << " and " << owner->second.toStdString();
        ++checked;
    }
    EXPECT_GE(checked, 28);
}

TEST_F(WindowTest, ScrubsARecordedRunWithTheTimelinesKeys) {
    testing::writeRun(m_folder / "run.h5", 6);
    showWindow();
    openAndWait(m_folder / "run.h5");
    ASSERT_TRUE(waitFor([&] { return mixtureStep() == 5 * kStepsApart; }));
    auto* timeline = m_window->findChild<widgets::Timeline*>();
    EXPECT_EQ(timeline->currentStep(), 5 * kStepsApart);
    QTest::keyClick(timeline, Qt::Key_Home);
    EXPECT_TRUE(waitFor([&] { return mixtureStep() == 0; }));
    QTest::keyClick(timeline, Qt::Key_Right);
    EXPECT_TRUE(waitFor([&] { return mixtureStep() == kStepsApart; }));
    QTest::keyClick(timeline, Qt::Key_End);
    EXPECT_TRUE(waitFor([&] { return mixtureStep() == 5 * kStepsApart; }));
    QTest::keyClick(m_window.get(), Qt::Key_Home, Qt::ControlModifier);
    EXPECT_TRUE(waitFor([&] { return mixtureStep() == 0; }))
        << "the menu's shortcut works wherever the focus is";
    m_window->actions().play->trigger();
    EXPECT_TRUE(waitFor([&] { return mixtureStep() == 5 * kStepsApart; })) << "playback reaches the end";
    EXPECT_NE(m_window->windowTitle().indexOf(QLatin1String("run.h5")), -1)
        << m_window->windowTitle().toStdString();
    EXPECT_NE(m_window->windowTitle().indexOf(QLatin1String("finished")), -1)
        << m_window->windowTitle().toStdString();
}

TEST_F(WindowTest, SelectingALayerChangesEveryView) {
    testing::writeRun(m_folder / "run.h5", 3);
    showWindow();
    openAndWait(m_folder / "run.h5");
    auto* layers = m_window->findChild<widgets::LayersPanel*>();
    layers->selectLayer(QString::fromStdString(layerName(2)));
    EXPECT_EQ(session().layer().toStdString(), layerName(2));
    ASSERT_NE(m_window->views().mixture().snapshot(), nullptr);
    EXPECT_EQ(m_window->views().mixture().snapshot()->layer, layerName(2));
}

TEST_F(WindowTest, OpensWeightsPickedByThePersonAndPreparesAJob) {
    BITLOOM_SHARED_OR_SKIP(weights, "weights/resnet20-12fca82f.th");
    showWindow();
    m_fileAnswer = QString::fromStdString(std::filesystem::canonical(weights).string());
    m_window->actions().openWeights->trigger();
    ASSERT_TRUE(
        waitFor([&] { return session().kind() == Session::Kind::Weights || !errorText().isEmpty(); }));
    EXPECT_EQ(errorText().toStdString(), "");
    EXPECT_EQ(session().network().arch, "resnet20");
    ASSERT_NE(m_window->views().mixture().snapshot(), nullptr);
    EXPECT_EQ(session().layer().toStdString(), "layer1.0.conv1") << "the first that a job would quantize";
    ASSERT_TRUE(m_window->jobs().draft().has_value());
    EXPECT_EQ(m_window->jobs().draft()->spec.model.weights, std::filesystem::canonical(weights).string());
    EXPECT_TRUE(m_window->actions().start->isEnabled());
    m_questions = 0;
    m_window->actions().start->trigger();  // no answer: the person cancels
    EXPECT_EQ(m_questions, 1) << "defaults that nobody has seen are shown first";
    EXPECT_FALSE(host().busy());
    EXPECT_EQ(m_settings.get(settings::kRecentFiles).value(0).toStdString(),
              QFileInfo(m_fileAnswer).absoluteFilePath().toStdString());
}

TEST_F(WindowTest, ShowsACorruptedFileInTheErrorBarAndKeepsWhatWasOpen) {
    testing::writeRun(m_folder / "run.h5", 3);
    std::ofstream(m_folder / "broken.pth") << "this is no checkpoint";
    showWindow();
    openAndWait(m_folder / "run.h5");
    m_window->open(m_folder / "broken.pth");
    ASSERT_TRUE(waitFor([&] { return !errorText().isEmpty(); }));
    EXPECT_NE(errorText().indexOf(QLatin1String("broken.pth")), -1) << errorText().toStdString();
    EXPECT_EQ(session().path(), m_folder / "run.h5");
    EXPECT_EQ(m_questions, 0) << "an error is no dialog";
    m_window->open(m_folder / "run.h5");
    EXPECT_TRUE(waitFor([&] { return !session().opening(); }));
    EXPECT_EQ(errorText().toStdString(), "");
}

TEST_F(WindowTest, ShowsAJobFilesTypoInTheErrorBar) {
    std::ofstream(m_folder / "job.toml") << "[train]\nepoch = 3\n";
    showWindow();
    m_window->open(m_folder / "job.toml");
    EXPECT_NE(errorText().indexOf(QLatin1String("epochs")), -1) << errorText().toStdString();
}

TEST_F(WindowTest, TrainsAJobPausesResumesAndFinishes) {
    startTinyJob(8, Start::Paused);
    EXPECT_EQ(host().state(), JobState::Paused);
    EXPECT_EQ(m_window->actions().pause->text().toStdString(), "&Resume");
    EXPECT_EQ(m_window->actions().pause->toolTip().indexOf(QLatin1String("Pause")), -1)
        << m_window->actions().pause->toolTip().toStdString();
    m_window->actions().pause->trigger();
    ASSERT_TRUE(waitForEnd());
    EXPECT_EQ(errorText().toStdString(), "");
    EXPECT_TRUE(waitFor([&] { return session().summary().status == report::RunStatus::Finished; }));
    EXPECT_EQ(session().steps().back(), 8);
    EXPECT_EQ(statusOnDisk(), report::RunStatus::Finished);
    // Live has become replay without anybody noticing: the same keys scrub it.
    m_window->actions().firstStep->trigger();
    EXPECT_TRUE(waitFor([&] { return mixtureStep() == session().steps().front(); }));
    EXPECT_TRUE(m_window->actions().exportRun->isEnabled());
}

TEST_F(WindowTest, ScrubsWhileTheJobTrains) {
    startTinyJob(400);
    ASSERT_TRUE(waitFor([&] { return session().steps().size() >= 3; }, 60'000));
    const std::int64_t first = session().steps().front();
    m_window->actions().firstStep->trigger();
    ASSERT_TRUE(waitFor([&] { return mixtureStep() == first; }));
    const auto before = session().steps().back();
    ASSERT_TRUE(waitFor([&] { return session().steps().back() > before + 1; }, 60'000));
    EXPECT_TRUE(host().busy());
    EXPECT_EQ(mixtureStep(), first) << "training goes on behind the step that is looked at";
    m_window->actions().lastStep->trigger();
    EXPECT_TRUE(waitFor([&] { return mixtureStep() > before; }));
    m_window->actions().stop->trigger();
    ASSERT_TRUE(waitForEnd());
}

TEST_F(WindowTest, StopsSavesAndContinues) {
    startTinyJob(12, Start::Paused);
    ASSERT_TRUE(waitFor([&] { return !session().steps().empty(); }, 60'000));
    m_window->actions().stop->trigger();
    ASSERT_TRUE(waitForEnd());
    EXPECT_EQ(errorText().toStdString(), "") << "a stop is no error";
    EXPECT_EQ(m_window->findChild<widgets::JobBar*>()->state(), widgets::JobBar::State::Stopped);
    ASSERT_TRUE(waitFor([&] { return session().summary().status == report::RunStatus::Stopped; }));
    ASSERT_TRUE(waitFor([&] { return m_window->actions().continueRun->isEnabled(); }));
    m_window->actions().continueRun->trigger();
    ASSERT_TRUE(waitForEnd());
    EXPECT_EQ(errorText().toStdString(), "");
    EXPECT_EQ(statusOnDisk(), report::RunStatus::Finished);
    ASSERT_TRUE(waitFor([&] { return session().summary().status == report::RunStatus::Finished; }));
    EXPECT_LE(session().metrics().front().step, 1) << "the part before the stop is still there";
    EXPECT_NE(log().indexOf(QLatin1String("bitloom train --resume ")), -1) << log().toStdString();
}

TEST_F(WindowTest, ClosingDuringTrainingAsks) {
    startTinyJob(400);
    m_closeAnswer = CloseAnswer::KeepTraining;
    m_window->close();
    EXPECT_EQ(m_questions, 1);
    EXPECT_TRUE(m_window->isVisible());
    EXPECT_TRUE(host().busy());

    m_closeAnswer = CloseAnswer::StopAndSave;
    m_window->close();
    EXPECT_EQ(m_questions, 2);
    ASSERT_TRUE(waitFor([&] { return !m_window->isVisible(); }, 60'000));
    EXPECT_FALSE(host().busy());
    EXPECT_EQ(statusOnDisk(), report::RunStatus::Stopped);
}

TEST_F(WindowTest, AFailureToSaveDoesNotKeepAWindowThatMustClose) {
    startTinyJob(100'000);
    QObject::connect(&m_window->jobs(), &JobController::ended, m_window.get(),
                     [this] { Q_EMIT m_window->jobs().failed(QStringLiteral("the disk is full")); });
    m_window->stopAndClose();
    EXPECT_TRUE(waitFor([&] { return !m_window->isVisible(); }, 60'000));
}

TEST_F(WindowTest, TheCurvesTabTellsThatSoftAndHardDiffer) {
    showWindow();
    auto* tabs = m_window->findChild<QTabBar*>(QStringLiteral("viewTabs"));
    ASSERT_NE(tabs, nullptr);
    const QString quiet = tabs->tabToolTip(ViewArea::Curves);
    report::MetricSample row;
    row.step = 10;
    row.top1Soft = 90;
    row.top1Hard = 60;
    m_window->views().curves().setMetrics({row});
    EXPECT_NE(tabs->tabToolTip(ViewArea::Curves).indexOf(QLatin1String("30.0 points")), -1)
        << tabs->tabToolTip(ViewArea::Curves).toStdString();
    m_window->views().curves().clear();
    EXPECT_EQ(tabs->tabToolTip(ViewArea::Curves), quiet);
}

TEST_F(WindowTest, LayoutThemeAndSwitchesSurviveARestart) {
    showWindow();
    m_window->resize(1300, 850);
    m_window->actions().themeDark->trigger();
    m_window->actions().sideBySide->trigger();
    m_window->actions().logCounts->trigger();
    m_window->findChild<QDockWidget*>(QStringLiteral("inspectorDock"))->hide();
    m_window->close();
    m_window = makeWindow();
    m_window->show();
    EXPECT_TRUE(m_window->actions().themeDark->isChecked());
    EXPECT_TRUE(widgets::colors().dark);
    EXPECT_TRUE(m_window->views().sideBySide());
    EXPECT_TRUE(m_window->views().mixture().logCounts());
    EXPECT_TRUE(m_window->findChild<QDockWidget*>(QStringLiteral("inspectorDock"))->isHidden());
    EXPECT_EQ(m_window->size(), QSize(1300, 850));
    m_window->actions().resetLayout->trigger();
    EXPECT_FALSE(m_window->findChild<QDockWidget*>(QStringLiteral("inspectorDock"))->isHidden());
    EXPECT_FALSE(m_window->views().sideBySide());
}

TEST_F(WindowTest, TheThemeReachesThePixels) {
    testing::writeRun(m_folder / "run.h5", 3);
    showWindow();
    openAndWait(m_folder / "run.h5");
    const auto brightness = [&] {
        QCoreApplication::processEvents();
        const QImage image =
            m_window->grab().toImage().scaled(16, 16, Qt::IgnoreAspectRatio, Qt::SmoothTransformation);
        int sum = 0;
        for (int y = 0; y < 16; ++y) {
            for (int x = 0; x < 16; ++x)
                sum += image.pixelColor(x, y).lightness();
        }
        return sum / 256;
    };
    m_window->actions().themeDark->trigger();
    EXPECT_LT(brightness(), 70);
    m_window->actions().themeLight->trigger();
    EXPECT_GT(brightness(), 180);
}

TEST_F(WindowTest, AcceptsADroppedFile) {
    testing::writeRun(m_folder / "run.h5", 3);
    showWindow();
    QMimeData data;
    data.setUrls({QUrl::fromLocalFile(QString::fromStdString((m_folder / "run.h5").string()))});
    QDragEnterEvent enter(QPoint(200, 200), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(m_window.get(), &enter);
    EXPECT_TRUE(enter.isAccepted());
    QDropEvent drop(QPointF(200, 200), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(m_window.get(), &drop);
    EXPECT_TRUE(waitFor([&] { return session().kind() == Session::Kind::Run; }));

    QMimeData text;
    text.setText(QStringLiteral("not a file"));
    QDragEnterEvent other(QPoint(200, 200), Qt::CopyAction, &text, Qt::LeftButton, Qt::NoModifier);
    other.ignore();
    QApplication::sendEvent(m_window.get(), &other);
    EXPECT_FALSE(other.isAccepted());
}

TEST_F(WindowTest, SavesTheCurrentViewInEveryFormat) {
    testing::writeRun(m_folder / "run.h5", 3);
    showWindow();
    openAndWait(m_folder / "run.h5");
    const std::pair<const char*, const char*> starts[] = {{"view.svg", "<?xml"},
                                                          {"view.pdf", "%PDF"},
                                                          {"view.png", "\x89PNG"},
                                                          {"view.csv", ""},
                                                          {"view.CSV", ""}};
    for (const ViewArea::View view : {ViewArea::Mixture, ViewArea::Curves}) {
        m_window->views().setCurrentView(view);
        for (const auto& [name, start] : starts) {
            m_fileAnswer = QString::fromStdString((m_folder / name).string());
            m_window->actions().saveView->trigger();
            EXPECT_EQ(errorText().toStdString(), "");
            std::ifstream file(m_folder / name, std::ios::binary);
            EXPECT_TRUE(file) << name;
            std::string head(std::string_view(start).size(), '\0');
            file.read(head.data(), std::ssize(head));
            EXPECT_EQ(head, start) << name;
            std::filesystem::remove(m_folder / name);
        }
    }
    m_fileAnswer = QStringLiteral("/no/such/folder/view.svg");
    m_window->actions().saveView->trigger();
    EXPECT_NE(errorText().indexOf(QLatin1String("/no/such/folder/view.svg")), -1)
        << errorText().toStdString();
}

TEST_F(WindowTest, RefusesToExportOntoTheRunItself) {
    testing::writeRun(m_folder / "run.h5", 3);
    showWindow();
    openAndWait(m_folder / "run.h5");
    m_fileAnswer = QString::fromStdString((m_folder / "run.h5").string());
    m_window->actions().exportRun->trigger();
    EXPECT_NE(errorText().indexOf(QLatin1String("run.h5")), -1);
    EXPECT_FALSE(m_window->jobs().exporting());
}

TEST_F(WindowTest, ExportsATrainedRunAndStatesTheRealBytes) {
    ASSERT_NO_FATAL_FAILURE(trainForExportTo("net.safetensors"));
    m_window->actions().exportRun->trigger();
    ASSERT_TRUE(m_window->jobs().exporting());
    ASSERT_TRUE(waitFor([&] { return !m_window->jobs().exporting(); }, 60'000));
    EXPECT_EQ(errorText().toStdString(), "");
    const QString bytes = QLocale::c().toString(
        static_cast<qlonglong>(std::filesystem::file_size(m_folder / "net.safetensors")));
    EXPECT_NE(log().indexOf(bytes), -1) << log().toStdString();
    EXPECT_NE(log().indexOf(QLatin1String("identical")), -1) << log().toStdString();
    EXPECT_NE(log().indexOf(QLatin1String("bitloom export ")), -1) << log().toStdString();
}

TEST_F(WindowTest, ExportsTheBitsOfEachLayerForOtherJobs) {
    ASSERT_NO_FATAL_FAILURE(trainForExportTo("bits.toml"));
    m_window->actions().exportRun->trigger();
    ASSERT_TRUE(waitFor([&] { return !m_window->jobs().exporting(); }, 60'000));
    EXPECT_EQ(errorText().toStdString(), "");
    EXPECT_NE(log().indexOf(QLatin1String("--to strategy --out ")), -1) << log().toStdString();
    EXPECT_NE(log().indexOf(QLatin1String("the bits of each layer")), -1) << log().toStdString();
    std::ifstream file(m_folder / "bits.toml");
    const std::string text(std::istreambuf_iterator<char>(file), {});
    EXPECT_NE(text.find("network = \"resnet20\""), std::string::npos) << text;
    EXPECT_NE(text.find("\"layer1.0.conv1\" = 2"), std::string::npos) << text;
}

TEST_F(WindowTest, ExportsAProjectForArmWithAVerdict) {
    ASSERT_NO_FATAL_FAILURE(trainForExportTo("net for arm"));
    m_window->actions().exportBundle->trigger();
    ASSERT_TRUE(m_window->jobs().exporting());
    ASSERT_TRUE(waitFor([&] { return !m_window->jobs().exporting(); }, 60'000));
    EXPECT_EQ(errorText().toStdString(), "");
    EXPECT_NE(log().indexOf(QLatin1String("identical")), -1) << log().toStdString();
    EXPECT_NE(log().indexOf(QLatin1String("; top-1 ")), -1) << log().toStdString();
    EXPECT_TRUE(std::filesystem::exists(m_folder / "net for arm/CMakeLists.txt"));
    std::ifstream readme(m_folder / "net for arm/README.md");
    const std::string text(std::istreambuf_iterator<char>(readme), {});
    EXPECT_NE(text.find("bitloom export "), std::string::npos) << text;
    m_window->actions().exportBundle->trigger();
    ASSERT_TRUE(waitFor([&] { return !errorText().isEmpty(); }, 60'000)) << "never over what is there";
    EXPECT_NE(errorText().indexOf(QLatin1String("net for arm")), -1) << errorText().toStdString();
}

TEST_F(WindowTest, AnExportIsSeenAndClosingWaitsForIt) {
    ASSERT_NO_FATAL_FAILURE(trainForExportTo("net.safetensors"));
    EXPECT_FALSE(find("exportBox")->isVisible());
    EXPECT_FALSE(m_window->actions().cancelExport->isEnabled());
    m_window->actions().exportRun->trigger();
    EXPECT_TRUE(find("exportBox")->isVisible());
    EXPECT_TRUE(m_window->actions().cancelExport->isEnabled());
    m_questions = 0;
    m_window->close();
    EXPECT_TRUE(m_window->isVisible());
    EXPECT_EQ(m_questions, 0);
    ASSERT_TRUE(waitFor([&] { return !m_window->isVisible(); }, 60'000));
    EXPECT_NE(log().indexOf(QLatin1String("identical")), -1)
        << "written and checked: " << log().toStdString();
}

TEST_F(WindowTest, AnExportCanBeCancelled) {
    ASSERT_NO_FATAL_FAILURE(trainForExportTo("net.safetensors"));
    m_window->actions().exportRun->trigger();
    m_window->actions().cancelExport->trigger();
    ASSERT_TRUE(waitFor([&] { return !m_window->jobs().exporting(); }, 60'000));
    EXPECT_EQ(errorText().toStdString(), "") << "a cancel is no error";
    EXPECT_NE(log().indexOf(QLatin1String("Export cancelled")), -1) << log().toStdString();
    EXPECT_TRUE(m_window->isVisible());
}

TEST_F(WindowTest, AFailedExportDoesNotKeepAStoppingWindowOpen) {
    startTinyJob(100'000);
    m_closeAnswer = CloseAnswer::StopAndSave;
    m_window->close();
    ASSERT_TRUE(host().busy());
    Q_EMIT m_window->jobs().failed(QStringLiteral("what an export says"));
    ASSERT_TRUE(waitFor([&] { return !m_window->isVisible(); }, 60'000));
    EXPECT_EQ(statusOnDisk(), report::RunStatus::Stopped);
}

TEST_F(WindowTest, LiveIsFollowedOnceItIsClicked) {
    testing::writeRun(m_folder / "run.h5", 4, report::RunStatus::Running);
    showWindow();
    openAndWait(m_folder / "run.h5");
    session().showStep(0);
    ASSERT_FALSE(session().following());
    QTest::mouseClick(find("follow"), Qt::LeftButton);
    EXPECT_TRUE(session().following());
    EXPECT_TRUE(waitFor([&] { return mixtureStep() == 3 * kStepsApart; }));
    EXPECT_TRUE(session().following());
}

TEST_F(WindowTest, ShowsAnotherFileWhileAJobTrainsAndComesBack) {
    startTinyJob(100'000);
    testing::writeRun(m_folder / "other.h5", 3);
    EXPECT_FALSE(m_window->actions().showRunning->isEnabled());
    openAndWait(m_folder / "other.h5");
    EXPECT_TRUE(host().busy());
    EXPECT_FALSE(session().live());
    ASSERT_TRUE(m_window->actions().showRunning->isEnabled());
    EXPECT_NE(m_window->windowTitle().indexOf(QLatin1String("other.h5")), -1);
    m_window->actions().showRunning->trigger();
    EXPECT_TRUE(session().live());
    EXPECT_TRUE(waitFor([&] { return session().steps().size() >= 3; }, 60'000));

    openAndWait(m_folder / "other.h5");
    m_window->actions().stop->trigger();
    ASSERT_TRUE(waitForEnd());
    EXPECT_EQ(m_window->findChild<widgets::JobBar*>()->state(), widgets::JobBar::State::Stopped);
    ASSERT_TRUE(m_window->actions().showRunning->isEnabled());
    m_window->actions().showRunning->trigger();
    ASSERT_TRUE(waitFor([&] { return session().summary().status == report::RunStatus::Stopped; }));
    EXPECT_TRUE(m_window->actions().continueRun->isEnabled());
}

TEST_F(WindowTest, AFollowedRunThatStopsElsewhereCanBeContinued) {
    const auto path = m_folder / "run.h5";
    auto writer = record::RunWriter::create(
        path, testing::runInfo(path, 100),
        {{layerName(0), 1, 0, 64}, {layerName(1), 1, 4, 64}, {layerName(2), 1, 4, 64}});
    ASSERT_TRUE(writer) << writer.error().message;
    for (int layer = 0; layer < testing::kLayers; ++layer)
        ASSERT_TRUE((*writer)->appendLayer(*testing::layerSnapshot(layer, 0)));
    ASSERT_TRUE((*writer)->flush());
    showWindow();
    openAndWait(path);
    EXPECT_FALSE(m_window->actions().continueRun->isEnabled());
    report::RunSummary summary;
    summary.status = report::RunStatus::Stopped;
    ASSERT_TRUE((*writer)->finish(summary));
    EXPECT_TRUE(waitFor([&] { return m_window->actions().continueRun->isEnabled(); }));
}

TEST_F(WindowTest, AWeightFileAfterARunShowsNothingOfTheRun) {
    startTinyJob(3);
    ASSERT_TRUE(waitForEnd());
    // Two by two weights of a network that nobody knows.
    const std::string header = R"({"fc.weight":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}})";
    const auto length = static_cast<std::uint64_t>(header.size());
    std::ofstream(m_folder / "net.safetensors", std::ios::binary)
        .write(reinterpret_cast<const char*>(&length), sizeof length)
        .write(header.data(), std::ssize(header))
        .write("\0\0\200\077\0\0\0\300\0\0\0\077\0\0\200\076", 16);
    m_window->open(m_folder / "net.safetensors");
    ASSERT_TRUE(
        waitFor([&] { return session().kind() == Session::Kind::Weights || !errorText().isEmpty(); }));
    EXPECT_EQ(errorText().toStdString(), "");
    EXPECT_LE(m_window->findChild<widgets::Timeline*>()->currentStep(), 0);
    EXPECT_EQ(m_window->findChild<widgets::JobBar*>()->state(), widgets::JobBar::State::Idle);
    const QString network = qobject_cast<QLabel*>(find("networkLabel"))->text();
    EXPECT_NE(network.indexOf(widgets::noValueText() + QStringLiteral(" MAC per image")), -1)
        << network.toStdString();
}

}  // namespace
}  // namespace bitloom::app
