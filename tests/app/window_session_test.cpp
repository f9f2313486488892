#include <QSignalSpy>
#include <algorithm>
#include <cmath>
#include <fstream>

#include "app/session.h"
#include "engine/jobs/job_spec.h"
#include "engine/jobs/report_job.h"
#include "engine/jobs/train_job.h"
#include "engine/record/run_writer.h"
#include "tests/app/window_support.h"

namespace bitloom::app {
namespace {

using testing::centroid;
using testing::kStepsApart;
using testing::layerName;
using testing::waitFor;

class SessionTest : public ::testing::Test {
  protected:
    void openAndWait(const std::filesystem::path& path) {
        QSignalSpy opened(&m_session, &Session::opened);
        QSignalSpy failed(&m_session, &Session::failed);
        m_session.open(path);
        ASSERT_TRUE(waitFor([&] { return !opened.isEmpty() || !failed.isEmpty(); }));
        ASSERT_TRUE(failed.isEmpty()) << failed.front().front().toString().toStdString();
    }
    /// The step that the shown snapshot of layer 1 belongs to, by its centroid; -1 when nothing is shown.
    [[nodiscard]] std::int64_t shownStep() const {
        const auto snapshot = m_session.snapshot(QString::fromStdString(layerName(1)));
        return snapshot ? snapshot->step : -1;
    }

    bitloom::testing::TemporaryFolder m_folder;
    Session m_session;
};

TEST_F(SessionTest, OpensARecordedRunAtItsLastStep) {
    testing::writeRun(m_folder / "run.h5", 6);
    openAndWait(m_folder / "run.h5");
    EXPECT_EQ(m_session.kind(), Session::Kind::Run);
    EXPECT_FALSE(m_session.live());
    EXPECT_FALSE(m_session.growing());
    EXPECT_EQ(m_session.step(), 5 * kStepsApart);
    EXPECT_EQ(m_session.steps().size(), 6u);
    EXPECT_EQ(m_session.metrics().size(), 6u);
    EXPECT_EQ(m_session.layer().toStdString(), layerName(1)) << "the first quantized layer";
    ASSERT_TRUE(waitFor([&] { return shownStep() == 5 * kStepsApart; }));
    const auto snapshot = m_session.snapshot(QString::fromStdString(layerName(2)));
    ASSERT_NE(snapshot, nullptr);
    EXPECT_NEAR(snapshot->mixtures.at(0).components.at(1).mu, centroid(2, 5 * kStepsApart), 1e-6);
}

TEST_F(SessionTest, ShowsTheNewestRecordedStepUpToTheOneAskedFor) {
    testing::writeRun(m_folder / "run.h5", 6);
    openAndWait(m_folder / "run.h5");
    m_session.showStep(2 * kStepsApart + 3);
    EXPECT_TRUE(waitFor([&] { return shownStep() == 2 * kStepsApart; }));
    m_session.showStep(0);
    EXPECT_TRUE(waitFor([&] { return shownStep() == 0; }));
}

TEST_F(SessionTest, ScrubbingFastEndsAtTheLastRequest) {
    testing::writeRun(m_folder / "run.h5", 60);
    openAndWait(m_folder / "run.h5");
    ASSERT_TRUE(waitFor([&] { return shownStep() == 59 * kStepsApart; }));
    QSignalSpy shown(&m_session, &Session::layersShown);
    for (int row = 0; row < 50; ++row)
        m_session.showStep(row * kStepsApart);
    ASSERT_TRUE(waitFor([&] { return shownStep() == 49 * kStepsApart; }));
    EXPECT_LE(shown.size(), 50);
    EXPECT_EQ(m_session.step(), 49 * kStepsApart);
}

TEST_F(SessionTest, FollowsARunThatSomeoneElseWrites) {
    const auto path = m_folder / "run.h5";
    auto writer = record::RunWriter::create(
        path, testing::runInfo(path, 100),
        {{layerName(0), 1, 0, 64}, {layerName(1), 1, 4, 64}, {layerName(2), 1, 4, 64}});
    ASSERT_TRUE(writer) << writer.error().message;
    const auto append = [&](std::int64_t step) {
        for (int layer = 0; layer < testing::kLayers; ++layer) {
            ASSERT_TRUE((*writer)->appendLayer(*testing::layerSnapshot(layer, step)));
        }
        ASSERT_TRUE((*writer)->flush());
    };
    append(0);
    openAndWait(path);
    EXPECT_TRUE(m_session.following());
    EXPECT_TRUE(m_session.growing());
    ASSERT_TRUE(waitFor([&] { return shownStep() == 0; }));
    append(10);
    EXPECT_TRUE(waitFor([&] { return shownStep() == 10; }));
    m_session.showStep(0);
    EXPECT_FALSE(m_session.following());
    append(20);
    ASSERT_TRUE(waitFor([&] { return m_session.steps().size() == 3; }));
    EXPECT_EQ(m_session.step(), 0) << "a person who looks at an old step is left there";
    m_session.setFollowing(true);
    EXPECT_TRUE(waitFor([&] { return shownStep() == 20; }));
    ASSERT_TRUE((*writer)->finish({}));
}

TEST_F(SessionTest, NamesTheFileThatCannotBeOpened) {
    QSignalSpy failed(&m_session, &Session::failed);
    std::ofstream(m_folder / "broken.pth") << "this is no checkpoint";
    std::ofstream(m_folder / "broken.h5") << "\x89HDF\r\n\x1a\n and then nothing";
    for (const char* name : {"missing.safetensors", "broken.pth", "broken.h5"}) {
        failed.clear();
        m_session.open(m_folder / name);
        ASSERT_TRUE(waitFor([&] { return !failed.isEmpty(); })) << name;
        EXPECT_NE(failed.front().front().toString().indexOf(QLatin1String(name)), -1)
            << failed.front().front().toString().toStdString();
        EXPECT_EQ(m_session.kind(), Session::Kind::Nothing);
    }
}

TEST_F(SessionTest, ANewerFileOutdatesTheOneBeingOpened) {
    testing::writeRun(m_folder / "first.h5", 3);
    testing::writeRun(m_folder / "second.h5", 4);
    QSignalSpy opened(&m_session, &Session::opened);
    m_session.open(m_folder / "first.h5");
    m_session.open(m_folder / "second.h5");
    ASSERT_TRUE(waitFor([&] { return !opened.isEmpty() && !m_session.opening(); }));
    EXPECT_EQ(opened.size(), 1);
    EXPECT_EQ(m_session.steps().size(), 4u);
}

/// What a job delivers for a step, layer rows included.
Delivery deliveryOf(std::int64_t step) {
    Delivery delivery;
    for (int layer = 0; layer < testing::kLayers; ++layer)
        delivery.layers.push_back(testing::layerSnapshot(layer, step));
    delivery.recordedSteps = {step};
    report::MetricSample metric;
    metric.step = step;
    metric.top1Hard = 80;
    delivery.metrics = {metric};
    return delivery;
}

TEST_F(SessionTest, ALiveRunShowsTheNewestStepUntilAnOlderOneIsAskedFor) {
    const auto path = m_folder / "run.h5";
    testing::writeRun(path, 3);  // stands for the part that is on disk
    Delivery first = deliveryOf(10);
    first.started = testing::runInfo(path, 100);
    m_session.take(first);
    EXPECT_TRUE(m_session.live());
    EXPECT_TRUE(m_session.following());
    EXPECT_EQ(shownStep(), 10);
    EXPECT_EQ(m_session.summary().top1Hard, 80);
    EXPECT_EQ(m_session.summary().bits, 2) << "mean over the quantized layers";

    m_session.showStep(0);
    ASSERT_TRUE(waitFor([&] { return shownStep() == 0; }));
    Delivery narrower = deliveryOf(20);
    for (const report::LayerInfo& layer : m_session.network().layers)
        narrower.bitwidths.push_back({layer.name, {20, 1, {}}});
    m_session.take(narrower);
    EXPECT_EQ(m_session.summary().bits, 1) << "as learned so far";
    EXPECT_EQ(m_session.summary().weightCompression, 32);
    EXPECT_EQ(shownStep(), 0) << "scrubbed back: new steps must not take over";
    EXPECT_EQ(m_session.steps().back(), 20);
    EXPECT_EQ(m_session.metrics().back().step, 20);

    m_session.setFollowing(true);
    EXPECT_EQ(shownStep(), 20) << "kept in memory, no file is read";
    m_session.endLive();
    EXPECT_TRUE(waitFor([&] { return m_session.summary().status == report::RunStatus::Finished; }));
}

TEST_F(SessionTest, ARunWithoutASummaryShowsTheFiguresOfItsRowsAndLayers) {
    testing::writeRun(m_folder / "run.h5", 3, report::RunStatus::Running);
    openAndWait(m_folder / "run.h5");
    const report::RunSummary& summary = m_session.summary();
    EXPECT_EQ(summary.bits, 2) << "as the layer tree says";
    EXPECT_EQ(summary.top1Fp32, 91.5);
    EXPECT_NEAR(summary.top1Soft, 90.2, 1e-4) << "of the newest row";
    EXPECT_NEAR(summary.top1Hard, 89.2, 1e-4);
    EXPECT_TRUE(std::isnan(summary.top5Hard)) << "never measured";
}

/// Copies a run and its checkpoints while it is written, as a kill would leave them.
struct CopyingSink : report::ProgressSink {
    void metric(const report::MetricSample& sample) override {
        if (sample.step != 6) return;
        std::filesystem::copy(from, to);
        std::filesystem::copy(from.string() + ".ckpt", to.string() + ".ckpt");
    }
    std::filesystem::path from;
    std::filesystem::path to;
};

TEST_F(SessionTest, AKilledRunShowsTheFiguresOfItsNewestCheckpoint) {
    testing::writeTinyJob(m_folder / "tiny.toml", 8);
    auto job = jobs::readJob(m_folder / "tiny.toml");
    ASSERT_TRUE(job) << job.error().message;
    job->train.checkpointEverySeconds = 0;
    job->record.every = 1;
    CopyingSink sink;
    sink.from = m_folder / "run.h5";
    sink.to = m_folder / "killed.h5";
    JobControl control;
    ASSERT_TRUE(jobs::runTrainJob({*job, sink.from, ""}, sink, control));
    const auto report = jobs::reportRun(sink.to);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->steps, 5) << "step 6 was not saved yet";
    openAndWait(sink.to);
    EXPECT_EQ(m_session.summary().status, report::RunStatus::Running);
    EXPECT_GT(m_session.summary().fileBytes, 0);
    EXPECT_EQ(m_session.summary().fileBytes, report->summary.fileBytes);
    EXPECT_EQ(m_session.summary().bitOps, report->summary.bitOps);
    EXPECT_EQ(m_session.summary().bits, report->summary.bits);
    EXPECT_EQ(m_session.summary().mse, report->summary.mse);
    const auto row = std::ranges::find(m_session.metrics(), std::int64_t{5}, &report::MetricSample::step);
    ASSERT_NE(row, m_session.metrics().end());
    EXPECT_NEAR(report->summary.mse, row->quantMse, 1e-5 * row->quantMse) << "of the checkpoint's step";
    EXPECT_EQ(m_session.summary().accuracyStep, report->summary.accuracyStep);
}

TEST_F(SessionTest, AFailedRunShowsTheFiguresOfItsNewestCheckpoint) {
    testing::writeTinyJob(m_folder / "tiny.toml", 50);
    auto job = jobs::readJob(m_folder / "tiny.toml");
    ASSERT_TRUE(job) << job.error().message;
    job->train.schedule = train::Schedule::Constant;
    job->train.rates.weight = job->train.rates.full = job->train.rates.batchNorm = 100;
    job->train.weightDecay = 1;  // a factor of -99 a step
    report::ProgressSink silent;
    JobControl control;
    ASSERT_FALSE(jobs::runTrainJob({*job, m_folder / "run.h5", ""}, silent, control));
    const auto report = jobs::reportRun(m_folder / "run.h5");
    ASSERT_TRUE(report) << report.error().message;
    openAndWait(m_folder / "run.h5");
    EXPECT_EQ(m_session.summary().status, report::RunStatus::Failed);
    EXPECT_GT(m_session.summary().fileBytes, 0);
    EXPECT_EQ(m_session.summary().fileBytes, report->summary.fileBytes);
    EXPECT_EQ(m_session.summary().nonzeroParameters, report->summary.nonzeroParameters);
}

TEST_F(SessionTest, AFinalFigureGoesBeforeTheNewestRow) {
    testing::writeRun(m_folder / "run.h5", 3);
    openAndWait(m_folder / "run.h5");
    EXPECT_EQ(m_session.summary().top1Hard, 89.5);
}

TEST_F(SessionTest, AStepThatIsNotInTheFileYetIsShownOnceItIs) {
    const auto path = m_folder / "run.h5";
    testing::writeRun(path, 3);  // what has been flushed so far: up to step 20
    Delivery first = deliveryOf(20);
    first.started = testing::runInfo(path, 100);
    m_session.take(first);
    m_session.take(deliveryOf(30));
    m_session.take(deliveryOf(40));
    bool isShown = false;
    bool otherRows = false;
    m_session.showStep(30);
    QObject::connect(&m_session, &Session::layersShown, &m_session,
                     [&](const std::vector<report::LayerSnapshotPtr>& layers) {
                         isShown = true;
                         otherRows = otherRows || layers.front()->step != 30;
                     });
    testing::writeRun(m_folder / "whole.h5", 5);
    ASSERT_FALSE(waitFor([&] { return isShown; }, 300)) << "rows of step 20 under the number 30";
    std::filesystem::rename(m_folder / "whole.h5", path);
    EXPECT_TRUE(waitFor([&] { return shownStep() == 30; }));
    EXPECT_FALSE(otherRows);
}

TEST_F(SessionTest, AContinuedRunShowsWhatWasRecordedBefore) {
    const auto path = m_folder / "run.h5";
    testing::writeRun(path, 3);  // steps 0, 10, 20
    Delivery first = deliveryOf(30);
    first.started = testing::runInfo(path, 100);
    m_session.take(first);
    ASSERT_TRUE(waitFor([&] { return m_session.metrics().size() == 4; }));
    EXPECT_EQ(m_session.metrics().front().step, 0);
    EXPECT_EQ(m_session.metrics().back().step, 30);
    EXPECT_EQ(m_session.steps(), (std::vector<std::int64_t>{0, 10, 20, 30}));
    EXPECT_EQ(m_session.step(), 30);
}

TEST_F(SessionTest, AContinuedRunHasEachEventOnce) {
    const auto path = m_folder / "run.h5";
    testing::writeRun(path, 3);  // an evaluation each at 0, 10, 20
    Delivery first = deliveryOf(30);
    first.started = testing::runInfo(path, 100);
    first.events = {{20, report::EventKind::Evaluation, "evaluated"}};  // of the step where it was continued
    m_session.take(first);
    ASSERT_TRUE(waitFor([&] { return m_session.metrics().size() == 4; }));
    ASSERT_EQ(m_session.events().size(), 3u);
    EXPECT_EQ(m_session.events().front().step, 0);
    EXPECT_EQ(m_session.events().back().step, 20);
}

TEST_F(SessionTest, AskingForTheNewestStepKeepsFollowingIt) {
    testing::writeRun(m_folder / "run.h5", 3, report::RunStatus::Running);
    openAndWait(m_folder / "run.h5");
    ASSERT_TRUE(m_session.following());
    m_session.showStep(2 * kStepsApart);
    EXPECT_TRUE(m_session.following());
    m_session.showStep(kStepsApart);
    EXPECT_FALSE(m_session.following());
}

TEST_F(SessionTest, ALiveRunsNewestStepNeedsNoFile) {
    const auto path = m_folder / "run.h5";
    testing::writeRun(path, 3);  // what has been flushed so far: up to step 20
    Delivery first = deliveryOf(20);
    first.started = testing::runInfo(path, 100);
    m_session.take(first);
    m_session.showStep(0);
    ASSERT_TRUE(waitFor([&] { return shownStep() == 0; }));
    m_session.take(deliveryOf(30));
    m_session.showStep(30);
    EXPECT_EQ(shownStep(), 30);
    EXPECT_FALSE(m_session.following());
}

TEST_F(SessionTest, ALiveRunGoesOnBehindAnotherFile) {
    const auto path = m_folder / "live.h5";
    testing::writeRun(path, 3);  // steps 0, 10, 20 of a run that is continued
    testing::writeRun(m_folder / "other.h5", 2);
    Delivery first = deliveryOf(30);
    first.started = testing::runInfo(path, 100);
    m_session.take(first);
    openAndWait(m_folder / "other.h5");
    EXPECT_FALSE(m_session.live());
    EXPECT_TRUE(m_session.liveInBackground());
    ASSERT_TRUE(waitFor([&] { return shownStep() == kStepsApart; }));
    m_session.take(deliveryOf(40));
    EXPECT_EQ(shownStep(), kStepsApart);
    EXPECT_EQ(m_session.steps().size(), 2u);

    m_session.open(path);
    EXPECT_TRUE(m_session.live());
    EXPECT_FALSE(m_session.liveInBackground());
    EXPECT_TRUE(m_session.following());
    EXPECT_EQ(shownStep(), 40);
    m_session.take(deliveryOf(50));
    EXPECT_EQ(shownStep(), 50);
    ASSERT_TRUE(waitFor([&] { return m_session.metrics().front().step == 0; }))
        << "and what was recorded before";
    const std::vector<std::int64_t> all = {0, 10, 20, 30, 40, 50};
    EXPECT_EQ(m_session.steps(), all);

    openAndWait(m_folder / "other.h5");
    m_session.endLive();
    EXPECT_FALSE(m_session.liveInBackground());
    EXPECT_EQ(m_session.path(), m_folder / "other.h5");
}

TEST_F(SessionTest, FailuresToReadAFollowedRunDoNotEndFollowing) {
    const auto path = m_folder / "run.h5";
    testing::writeRun(path, 2, report::RunStatus::Running);
    openAndWait(path);
    QSignalSpy failed(&m_session, &Session::failed);
    std::ofstream(m_folder / "broken") << "no run";
    std::filesystem::rename(m_folder / "broken", path);
    ASSERT_TRUE(waitFor([&] { return !failed.isEmpty(); })) << "several in a row are news";
    testing::writeRun(m_folder / "whole.h5", 4);
    std::filesystem::rename(m_folder / "whole.h5", path);
    EXPECT_TRUE(waitFor([&] { return m_session.steps().size() == 4; }));
    EXPECT_EQ(failed.size(), 1);
}

TEST_F(SessionTest, KeepsTheNewestOfEachLayerWhileAnOlderStepIsShown) {
    testing::writeRun(m_folder / "run.h5", 3);
    openAndWait(m_folder / "run.h5");
    ASSERT_TRUE(waitFor([&] { return shownStep() == 2 * kStepsApart; }));
    m_session.showStep(0);
    ASSERT_TRUE(waitFor([&] { return shownStep() == 0; }));
    ASSERT_EQ(m_session.newest().size(), static_cast<std::size_t>(testing::kLayers));
    for (const auto& [name, layer] : m_session.newest())
        EXPECT_EQ(layer->step, 2 * kStepsApart) << name;
}

}  // namespace
}  // namespace bitloom::app
