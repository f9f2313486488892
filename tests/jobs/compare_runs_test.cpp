// Folders of runs: what is read of each, what is said of the rest.
#include "engine/jobs/compare_runs.h"

#include <cmath>
#include <fstream>

#include <gmock/gmock.h>

#include "engine/jobs/bench_record.h"
#include "engine/jobs/bit_target.h"
#include "engine/record/run_writer.h"
#include "tests/jobs/small_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kJob = "[data]\nsource = \"cifar10:/data/batches\"\n[quantizer]\nmethod = \"sdq\"\n";

/// A run of one quantized layer of 100 weights and 1,000 multiply-adds beside one of 50, scored at step 20.
/// `finished`: with figures of its own.
void writeRecordedRun(const fs::path& path, bool finished, const std::string& more = {},
                      const std::string& started = "2026-01-01T00:00:00Z") {
    report::RunInfo info;
    info.jobToml = kJob + more;
    info.started = started;
    info.top1Fp32 = 91;
    info.network.arch = "resnet20";
    info.network.macs = 1050;
    info.network.layers = {{"stem", "conv 3x3", {}, 10, 50, false, 32},
                           {"conv", "conv 3x3", {}, 100, 1000, true, 8}};
    auto writer = record::RunWriter::create(path, info, {{"conv", 1, 8, 16}});
    ASSERT_TRUE(writer) << writer.error().message;
    for (const std::int64_t step : {10, 20, 30}) {
        report::LayerSnapshot snapshot;
        snapshot.layer = "conv";
        snapshot.step = step;
        snapshot.bits = step < 20 ? 3 : 2;
        snapshot.choice = {0.5, 0.1, true};
        snapshot.mixtures.resize(1);
        snapshot.mixtures.front().components.resize(step < 20 ? 8 : 4);
        ASSERT_TRUE((*writer)->appendLayer(snapshot));
        report::MetricSample row;
        row.step = step;
        row.loss = 1;
        if (step == 20) row.top1Hard = 88.5;
        ASSERT_TRUE((*writer)->appendMetric(row));
    }
    ASSERT_TRUE((*writer)->flush());
    if (!finished) return;
    report::RunSummary summary;
    summary.top1Hard = 89;
    summary.top1Fp32 = 91;
    summary.bits = 2;
    summary.bitOps = 4e5;
    summary.fileBytes = 12'345;
    summary.status = report::RunStatus::Finished;
    ASSERT_TRUE((*writer)->finish(summary));
}

TEST(CompareRuns, AFinishedRunTellsItsOwnFigures) {
    const testing::TemporaryFolder folder;
    writeRecordedRun(folder / "a.h5", true);
    const auto run = readRunFigures(folder / "a.h5");
    ASSERT_TRUE(run.ok()) << run.error().message;
    EXPECT_EQ(run->name, "a");
    EXPECT_EQ(run->group(), "resnet20, cifar10");
    EXPECT_EQ(run->method, "sdq");
    EXPECT_EQ(run->top1, 89);
    EXPECT_EQ(run->top1Fp32, 91);
    EXPECT_EQ(run->bits, 2);
    EXPECT_EQ(run->bytes, 12'345);
    EXPECT_EQ(run->bitOps, 4e5);
    EXPECT_THAT(run->metrics, SizeIs(3));
}

TEST(CompareRuns, AnUnfinishedRunTellsWhatItRecorded) {
    const testing::TemporaryFolder folder;
    writeRecordedRun(folder / "a.h5", false);
    const auto run = readRunFigures(folder / "a.h5");
    ASSERT_TRUE(run.ok()) << run.error().message;
    EXPECT_EQ(run->status, report::RunStatus::Running);
    EXPECT_EQ(run->top1, 88.5);
    EXPECT_EQ(run->bits, 2) << "as they are now";
    EXPECT_EQ(run->bitOps, 32.0 * (50 * 32 + 1000 * 2));
    EXPECT_TRUE(std::isnan(run->bytes)) << "nothing was packed yet";
}

TEST(CompareRuns, RoundedActivationsAreAMethodOfTheirOwn) {
    const testing::TemporaryFolder folder;
    writeRecordedRun(folder / "a.h5", false, "[activation]\nmethod = \"lsq\"\nbits = 4\n");
    const auto run = readRunFigures(folder / "a.h5");
    ASSERT_TRUE(run.ok()) << run.error().message;
    EXPECT_EQ(run->method, "sdq, 4-bit activations");
    EXPECT_TRUE(std::isnan(run->bitOps)) << "not those of float activations";
}

TEST(CompareRuns, ADamagedFileIsNamedAndTheOthersAreRead) {
    const testing::TemporaryFolder folder;
    fs::create_directories(folder / "deeper");
    fs::create_directories(folder / "b.h5.ckpt");
    writeRecordedRun(folder / "b.h5", true);
    writeRecordedRun(folder / "deeper" / "a.h5", true);
    writeRecordedRun(folder / "b.h5.ckpt" / "no.h5", true);
    std::ofstream(folder / "broken.h5") << "not a run";
    std::ofstream(folder / "notes.txt") << "not a run either";
    const ComparedRuns compared = readRuns({folder.path(), folder / "b.h5"});
    ASSERT_THAT(compared.runs, SizeIs(2)) << "each once, none from checkpoints";
    EXPECT_EQ(compared.runs[0].name, "b");
    EXPECT_EQ(compared.runs[1].name, "a");
    EXPECT_THAT(compared.problems, ElementsAre(AllOf(HasSubstr("broken.h5"), HasSubstr("not an HDF5 file"))));
}

TEST(CompareRuns, FoldersWithoutRunsSaySo) {
    const testing::TemporaryFolder folder;
    const ComparedRuns none = readRuns({folder.path()});
    EXPECT_THAT(none.runs, IsEmpty());
    EXPECT_THAT(none.problems, ElementsAre(HasSubstr("there is no run in this folder")));
    EXPECT_THAT(readRuns({folder / "absent.h5"}).problems, ElementsAre(HasSubstr("absent.h5")));
    EXPECT_FALSE(runFilesIn(folder / "absent").ok());
}

TEST(CompareRuns, ARealRunIsRead) {
    const testing::TemporaryFolder folder;
    JobSpec spec = smallJob();
    spec.train.steps = 1;
    const report::RunSummary summary = trainToEnd(spec, folder / "run.h5");
    const auto run = readRunFigures(folder / "run.h5");
    ASSERT_TRUE(run.ok()) << run.error().message;
    ASSERT_GT(spec.train.evaluateImages, 0);
    EXPECT_EQ(run->group(),
              fmt::format("resnet20, {}, first {} images", spec.data.source, spec.train.evaluateImages));
    EXPECT_EQ(run->method, "dgms");
    EXPECT_EQ(run->bytes, static_cast<double>(summary.fileBytes));
    EXPECT_EQ(run->bitOps, summary.bitOps);
}

TEST(BitTarget, IsThatOfAJobThatLearnsBits) {
    const std::string sdq = "[quantizer]\nmethod = \"sdq\"\nbits = 8\ntarget = 2.5\n";
    const auto bits = bitTarget(sdq);
    ASSERT_TRUE(bits);
    EXPECT_EQ(bits->counted, &report::BitTotals::bits);
    EXPECT_EQ(bits->most, 2.5);
    EXPECT_EQ(bitTarget(sdq + "budget = \"bytes\"\n")->counted, &report::BitTotals::bytes);
    EXPECT_EQ(bitTarget(sdq + "budget = \"bit_operations\"\n")->counted, &report::BitTotals::bitOperations);
    EXPECT_FALSE(bitTarget("[quantizer]\nmethod = \"dgms\"\ntarget = 2\n"));
    EXPECT_FALSE(bitTarget("no job at all ["));
}

/// Ten samples a family on a device of this name.
report::BenchResult timesOn(const std::string& device, int threads, double k2) {
    report::BenchResult result;
    result.device.id = device;
    result.device.name = "Maker " + device;
    result.threads = threads;
    result.verdict = report::TimingVerdict::Stable;
    for (const auto& [family, median] :
         {std::pair("tuned_fp32", 9.0), std::pair("k0", 7.0), std::pair("k2", k2)}) {
        report::KernelTiming& timing = result.network.emplace_back();
        timing.family = family;
        timing.time = {median, 0.9 * median, 1.2 * median, median, median, 10, {}, {}};
    }
    return result;
}

TEST(CompareRuns, TimesOfABenchmarkStayBesideTheRun) {
    const testing::TemporaryFolder folder;
    const fs::path path = folder / "a.h5";
    writeRecordedRun(path, true);
    EXPECT_THAT(readRunFigures(path)->times, IsEmpty());
    ASSERT_TRUE(keepBench(path, timesOn("phone", 1, 3)));
    ASSERT_TRUE(keepBench(path, timesOn("phone", 2, 2)));
    ASSERT_TRUE(keepBench(path, timesOn("phone", 1, 4)));
    const auto run = readRunFigures(path);
    ASSERT_TRUE(run) << run.error().message;
    ASSERT_THAT(run->times, SizeIs(2)) << "one a device and number of threads";
    const report::RunTime* time = run->timeAt("Maker phone, 1 thread");
    ASSERT_NE(time, nullptr);
    EXPECT_EQ(time->medianMs, 4) << "the newest";
    EXPECT_EQ(time->p10Ms, 0.9 * 4);
    EXPECT_EQ(time->p90Ms, 1.2 * 4);
    EXPECT_EQ(time->family, "k2");
    EXPECT_EQ(time->verdict, "stable");
    EXPECT_THAT(*runFilesIn(folder.path()), ElementsAre(path)) << "times are no run";
}

TEST(CompareRuns, TimesOfAnotherRunInThisFileAreNotItsOwn) {
    const testing::TemporaryFolder folder;
    writeRecordedRun(folder / "a.h5", true);
    ASSERT_TRUE(keepBench(folder / "a.h5", timesOn("phone", 1, 3)));
    ASSERT_THAT(readRunFigures(folder / "a.h5")->times, SizeIs(1));
    // Trained anew into the same file, or further: other weights, perhaps other bits.
    fs::remove(folder / "a.h5");
    writeRecordedRun(folder / "a.h5", true, "[train]\nepochs = 2\n", "2026-01-02T00:00:00Z");
    EXPECT_THAT(readRunFigures(folder / "a.h5")->times, IsEmpty());
    ASSERT_TRUE(keepBench(folder / "a.h5", timesOn("tablet", 1, 5)));
    const auto times = readRunFigures(folder / "a.h5")->times;
    ASSERT_THAT(times, SizeIs(1)) << "the old ones are gone";
    EXPECT_EQ(times.front().device, "tablet");
    report::RunInfo info;
    info.started = "2026-01-02T00:00:00Z";
    report::RunSummary further;
    further.steps = 99;
    const auto later = readBench(folder / "a.h5", info, further);
    ASSERT_TRUE(later) << later.error().message;
    EXPECT_THAT(*later, IsEmpty());
}

TEST(CompareRuns, DamagedTimesAreNamedAndTheRunIsShown) {
    const testing::TemporaryFolder folder;
    writeRecordedRun(folder / "a.h5", true);
    for (const char* damaged :
         {"{", "[]", R"({"version": 1, "times": 3})",
          R"({"version": 1, "run_started": "2026-01-01T00:00:00Z", "times": [{"steps": -1}]})"}) {
        std::ofstream(benchRecordPath(folder / "a.h5")) << damaged;
        const ComparedRuns compared = readRuns({folder.path()});
        EXPECT_THAT(compared.runs, SizeIs(1)) << damaged;
        EXPECT_THAT(compared.problems,
                    ElementsAre(AllOf(HasSubstr("a.h5.bench.json"), HasSubstr("time the run again"))))
            << damaged;
    }
    ASSERT_TRUE(keepBench(folder / "a.h5", timesOn("phone", 1, 3)));
    EXPECT_THAT(readRuns({folder.path()}).problems, IsEmpty()) << "written anew";
}

}  // namespace
}  // namespace bitloom::jobs
