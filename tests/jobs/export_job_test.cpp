// Exports of real, if small, runs.
#include "engine/jobs/export_job.h"

#include <cmath>
#include <fstream>

#include <gmock/gmock.h>

#include "engine/jobs/evaluate_job.h"
#include "engine/jobs/inspect_job.h"
#include "engine/jobs/run_checkpoint.h"
#include "tests/jobs/small_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

Result<ExportResult> exported(const ExportRequest& request) {
    report::ProgressSink silent;
    JobControl control;
    return runExportJob(request, silent, control);
}

ExportRequest exportOf(const fs::path& run, const std::string& to, const fs::path& out, bool validate) {
    ExportRequest request;
    request.run = run;
    request.to = to;
    request.out = out;
    request.validate = validate;
    return request;
}

/// Formats of one file.
const std::vector<std::string> kFiles = {"safetensors", "hdf5"};

TEST(ExportJob, BothFormatsReadBackIdenticalAndScoreTheSame) {
    const testing::TemporaryFolder folder;
    const report::RunSummary summary = trainToEnd(smallJob(), folder / "run.h5");
    for (const std::string& format : kFiles) {
        const fs::path out = folder / ("net." + format);
        const auto result = exported(exportOf(folder / "run.h5", format, out, true));
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
    for (const std::string& format : kFiles) {
        const fs::path out = folder / ("net." + format);
        ASSERT_TRUE(exported(exportOf(folder / "run.h5", format, out, false)).ok());
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
    const auto result =
        exported(exportOf(folder / "run.h5", "safetensors", folder / "net.safetensors", true));
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
    const auto checked = exported(exportOf(folder / "run.h5", "safetensors", folder / "a.safetensors", true));
    ASSERT_TRUE(checked.ok()) << checked.error().message;
    EXPECT_EQ(checked->top1File, checked->top1Run);

    fs::remove(folder / "cifar/test_batch.bin");
    const auto refused = exported(exportOf(folder / "run.h5", "safetensors", folder / "b.safetensors", true));
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().message.find("--no-check"), std::string::npos) << refused.error().message;
    EXPECT_FALSE(fs::exists(folder / "b.safetensors"));
    EXPECT_TRUE(exported(exportOf(folder / "run.h5", "safetensors", folder / "b.safetensors", false)).ok());
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
    const auto format = exported(exportOf(folder / "run.h5", "safetensor", folder / "a", true));
    ASSERT_FALSE(format.ok());
    EXPECT_EQ(format.error().kind, ErrorKind::Usage);
    EXPECT_NE(format.error().message.find("did you mean safetensors?"), std::string::npos);
    EXPECT_EQ(exported(exportOf(folder / "run.h5", "hdf5", "", true)).error().kind, ErrorKind::Usage);
    const auto missing = exported(exportOf(folder / "run.h5", "hdf5", folder / "a.h5", true));
    ASSERT_FALSE(missing.ok());
    EXPECT_NE(missing.error().message.find("run.h5"), std::string::npos);

    trainAndStop(smallJob(), folder / "run.h5", 1);
    const auto itself = exported(exportOf(folder / "run.h5", "hdf5", folder / "run.h5", true));
    ASSERT_FALSE(itself.ok());
    EXPECT_EQ(itself.error().kind, ErrorKind::Usage);
    const auto unwritable = exported(exportOf(folder / "run.h5", "hdf5", folder / "none/a.h5", false));
    ASSERT_FALSE(unwritable.ok());
    EXPECT_NE(unwritable.error().message.find("a.h5"), std::string::npos);
    fs::remove_all((folder / "run.h5").string() + ".ckpt");
    const auto bare = exported(exportOf(folder / "run.h5", "hdf5", folder / "a.h5", true));
    ASSERT_FALSE(bare.ok());
    EXPECT_NE(bare.error().message.find("no checkpoint"), std::string::npos);
}

TEST(ExportJob, ABundleComputesWhatTheRunRecorded) {
    const testing::TemporaryFolder folder;
    const report::RunSummary summary = trainToEnd(smallJob(), folder / "run.h5");
    ExportRequest request = exportOf(folder / "run.h5", "bundle", folder / "exact", true);
    request.deployment.contract = "exact";
    const auto exact = exported(request);
    ASSERT_TRUE(exact.ok()) << exact.error().message;
    EXPECT_TRUE(exact->identical);
    EXPECT_EQ(exact->top1File, summary.top1Hard);
    EXPECT_EQ(exact->bytes, static_cast<std::int64_t>(fs::file_size(folder / "exact/model.bitloom")));
    EXPECT_TRUE(fs::exists(folder / "exact/engine/qsimd/runner/main.cpp"));

    request.out = folder / "int8";
    request.deployment.contract = "int8";
    request.deployment.contracts["conv1"] = "exact";
    request.deployment.calibrationImages = 16;
    const auto int8 = exported(request);
    ASSERT_TRUE(int8.ok()) << int8.error().message;
    EXPECT_TRUE(int8->identical);
    EXPECT_NEAR(int8->top1File, summary.top1Hard, 6);
    EXPECT_GT(int8->compression, 5);
}

TEST(ExportJob, WrongDeploymentsAreUsageErrors) {
    const testing::TemporaryFolder folder;
    trainToEnd(smallJob(), folder / "run.h5");
    const ExportRequest good = exportOf(folder / "run.h5", "bundle", folder / "net", false);
    const auto expectUsage = [](const ExportRequest& request, const std::string& message) {
        const auto result = exported(request);
        ASSERT_FALSE(result.ok()) << message;
        EXPECT_EQ(result.error().kind, ErrorKind::Usage);
        EXPECT_THAT(result.error().message, HasSubstr(message));
    };
    ExportRequest request = good;
    request.deployment.contract = "int4";
    expectUsage(request, "unknown contract 'int4'; known are int8");
    request = good;
    request.deployment.contracts["layer1.0.conv3"] = "exact";
    expectUsage(request, "no layer layer1.0.conv3 in resnet20; did you mean layer1.0.conv");
    request = good;
    request.deployment.target = "toaster";
    expectUsage(request, "unknown target 'toaster'");
    request = good;
    request.deployment.calibrationImages = 0;
    expectUsage(request, "at least one image");
    EXPECT_FALSE(fs::exists(folder / "net"));
}

}  // namespace
}  // namespace bitloom::jobs
