// Exports of real, if small, runs.
#include "engine/jobs/export_job.h"

#include <cmath>
#include <fstream>

#include <gtest/gtest.h>

#include "engine/jobs/evaluate_job.h"
#include "engine/jobs/inspect_job.h"
#include "engine/jobs/run_checkpoint.h"
#include "tests/jobs/small_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;

Result<ExportResult> exported(const ExportRequest& request) {
    report::ProgressSink silent;
    JobControl control;
    return runExportJob(request, silent, control);
}

TEST(ExportJob, BothFormatsReadBackIdenticalAndScoreTheSame) {
    const testing::TemporaryFolder folder;
    const report::RunSummary summary = trainToEnd(smallJob(), folder / "run.h5");
    for (const std::string& format : exportFormats()) {
        const fs::path out = folder / ("net." + format);
        const auto result = exported({folder / "run.h5", format, out, true});
        ASSERT_TRUE(result.ok()) << result.error().message;
        EXPECT_TRUE(result->identical) << format;
        EXPECT_EQ(result->top1File, summary.top1Hard) << format;
        EXPECT_EQ(result->top1Run, summary.top1Hard) << format;
        EXPECT_EQ(result->bytes, static_cast<std::int64_t>(fs::file_size(out)));
        EXPECT_GT(result->compression, 5) << format;
        if (format == "safetensors") {
            EXPECT_EQ(result->bytes, summary.fileBytes);
        }
    }
}

TEST(ExportJob, ExportsCanBeInspectedAndEvaluated) {
    const testing::TemporaryFolder folder;
    const report::RunSummary summary = trainToEnd(smallJob(), folder / "run.h5");
    for (const std::string& format : exportFormats()) {
        const fs::path out = folder / ("net." + format);
        ASSERT_TRUE(exported({folder / "run.h5", format, out, false}).ok());
        const auto inspected = inspectWeights(out);
        ASSERT_TRUE(inspected.ok()) << inspected.error().message;
        EXPECT_EQ(inspected->arch, "resnet20");
        EXPECT_EQ(inspected->snapshots.size(), 20u);
        EvaluateRequest request;
        request.weights = out;
        request.data = smallJob().data.source;
        request.images = 32;
        request.threads = 1;
        report::ProgressSink silent;
        JobControl control;
        const auto evaluated = runEvaluateJob(request, silent, control);
        ASSERT_TRUE(evaluated.ok()) << evaluated.error().message;
        EXPECT_EQ(evaluated->top1, summary.top1Hard);
    }
}

TEST(ExportJob, AStoppedRunIsCalibratedOnExport) {
    const testing::TemporaryFolder folder;
    trainAndStop(smallJob(), folder / "run.h5", 2);
    const auto result = exported({folder / "run.h5", "safetensors", folder / "net.safetensors", true});
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_TRUE(result->identical);
    EXPECT_TRUE(std::isnan(result->top1Run));
    EXPECT_TRUE(std::isfinite(result->top1File));
}

/// The files of CIFAR-10's binary version, 16 grey images each.
void writeSmallCifar(const fs::path& folder) {
    fs::create_directories(folder);
    for (const char* name :
         {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"}) {
        std::ofstream file(folder / (std::string(name) + ".bin"), std::ios::binary);
        for (int label = 0; label < 16; ++label)
            file << static_cast<char>(label % 10) << std::string(3072, static_cast<char>(5 * label));
    }
}

TEST(ExportJob, TheCheckNeedsTheTestSetOnlyAndIsRefusedBeforeAnythingIsWritten) {
    const testing::TemporaryFolder folder;
    writeSmallCifar(folder / "cifar");
    JobSpec job = smallJob();
    job.data.source = "cifar10:" + (folder / "cifar").string();
    trainToEnd(job, folder / "run.h5");
    for (int batch = 1; batch <= 5; ++batch)
        fs::remove(folder / fmt::format("cifar/data_batch_{}.bin", batch));
    const auto checked = exported({folder / "run.h5", "safetensors", folder / "a.safetensors", true});
    ASSERT_TRUE(checked.ok()) << checked.error().message;
    EXPECT_EQ(checked->top1File, checked->top1Run);

    fs::remove(folder / "cifar/test_batch.bin");
    const auto refused = exported({folder / "run.h5", "safetensors", folder / "b.safetensors", true});
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().message.find("--no-check"), std::string::npos) << refused.error().message;
    EXPECT_FALSE(fs::exists(folder / "b.safetensors"));
    EXPECT_TRUE(exported({folder / "run.h5", "safetensors", folder / "b.safetensors", false}).ok());
}

TEST(ExportJob, ARunOfAnAbsentDeviceIsCalibratedOnTheCpu) {
    const testing::TemporaryFolder folder;
    trainAndStop(smallJob(), folder / "run.h5", 2);
    report::ProgressSink silent;
    auto run = readRecordedRun(folder / "run.h5", silent);
    ASSERT_TRUE(run.ok()) << run.error().message;
    run->spec.train.device = "cuda:127";
    EXPECT_EQ(scoringOptions(*run).device, "cpu");
    const auto model = deployedNetwork(*run, folder / "run.h5");
    EXPECT_TRUE(model.ok()) << model.error().message;
}

TEST(ExportJob, MistakesAreNamed) {
    const testing::TemporaryFolder folder;
    const auto format = exported({folder / "run.h5", "safetensor", folder / "a", true});
    ASSERT_FALSE(format.ok());
    EXPECT_EQ(format.error().kind, ErrorKind::Usage);
    EXPECT_NE(format.error().message.find("did you mean safetensors?"), std::string::npos);
    EXPECT_EQ(exported({folder / "run.h5", "hdf5", "", true}).error().kind, ErrorKind::Usage);
    const auto missing = exported({folder / "run.h5", "hdf5", folder / "a.h5", true});
    ASSERT_FALSE(missing.ok());
    EXPECT_NE(missing.error().message.find("run.h5"), std::string::npos);

    trainAndStop(smallJob(), folder / "run.h5", 1);
    const auto itself = exported({folder / "run.h5", "hdf5", folder / "run.h5", true});
    ASSERT_FALSE(itself.ok());
    EXPECT_EQ(itself.error().kind, ErrorKind::Usage);
    const auto unwritable = exported({folder / "run.h5", "hdf5", folder / "none/a.h5", false});
    ASSERT_FALSE(unwritable.ok());
    EXPECT_NE(unwritable.error().message.find("a.h5"), std::string::npos);
    fs::remove_all((folder / "run.h5").string() + ".ckpt");
    const auto bare = exported({folder / "run.h5", "hdf5", folder / "a.h5", true});
    ASSERT_FALSE(bare.ok());
    EXPECT_NE(bare.error().message.find("no checkpoint"), std::string::npos);
}

}  // namespace
}  // namespace bitloom::jobs
