#include "tests/jobs/small_job.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "engine/checkpoint/checkpoint.h"
#include "engine/graph/zoo/zoo.h"
#include "engine/train/executor.h"

namespace bitloom::jobs {

namespace fs = std::filesystem;

JobSpec smallJob() {
    JobSpec job;
    job.model.arch = "resnet20";
    job.data.source = "generated:1,64,64";
    job.data.batch = 8;
    job.quantizer.layer.components = 8;
    job.train.steps = 4;
    job.train.threads = 1;
    job.train.evaluateImages = 32;
    job.train.batchNormBatches = 1;
    job.train.checkpointEverySeconds = 0;
    job.record.every = 1;
    return job;
}

report::RunSummary trainToEnd(const JobSpec& spec, const fs::path& out) {
    report::ProgressSink silent;
    JobControl control;
    const auto summary = runTrainJob({spec, out, "bitloom train"}, silent, control);
    EXPECT_TRUE(summary.ok()) << (summary ? "" : summary.error().message);
    return summary ? *summary : report::RunSummary{};
}

EvaluatedPair evaluatedPair(const fs::path& run, const fs::path& weights, const JobSpec& spec,
                            std::int64_t images) {
    EvaluateRequest request;
    request.weights = run;
    request.images = images;
    request.threads = 1;
    report::ProgressSink silent;
    JobControl control;
    const auto quantized = runEvaluateJob(request, silent, control);
    EXPECT_TRUE(quantized.ok()) << messageOf(quantized);
    request.weights = weights;
    request.data = spec.data.source;
    request.normalize = spec.data.normalize;
    const auto full = runEvaluateJob(request, silent, control);
    EXPECT_TRUE(full.ok()) << messageOf(full);
    if (!quantized || !full) return {};
    return {*quantized, *full};
}

void trainAndStop(const JobSpec& spec, const fs::path& out, std::int64_t step) {
    JobControl control;
    SteeringSink sink;
    sink.onMetric = [&](const report::MetricSample& sample) {
        if (sample.step == step) control.stop();
    };
    const auto summary = runTrainJob({spec, out, "bitloom train"}, sink, control);
    ASSERT_FALSE(summary.ok());
    EXPECT_EQ(summary.error().kind, ErrorKind::Cancelled) << summary.error().message;
    EXPECT_NE(summary.error().message.find("bitloom train --resume " + out.string()), std::string::npos);
}

void expectResumesToTheBit(const JobSpec& spec, const fs::path& folder,
                           const std::vector<std::int64_t>& steps) {
    const report::RunSummary whole = trainToEnd(spec, folder / "whole.h5");
    for (const std::int64_t step : steps) {
        trainAndStop(spec, folder / "run.h5", step);
        report::ProgressSink silent;
        JobControl control;
        const auto summary = resumeTrainJob(folder / "run.h5", silent, control);
        ASSERT_TRUE(summary.ok()) << summary.error().message;
        EXPECT_EQ(summary->hash, whole.hash) << step;
        EXPECT_EQ(summary->top1Hard, whole.top1Hard);
    }
}

std::vector<fs::path> checkpointsOf(const fs::path& run) {
    std::vector<fs::path> files;
    for (const fs::directory_entry& file : fs::directory_iterator(run.string() + ".ckpt"))
        files.push_back(file.path());
    std::ranges::sort(files);
    return files;
}

void writeSmallWeights(const fs::path& path) {
    const auto graph = graph::zoo::makeModel("resnet20");
    ASSERT_TRUE(graph.ok());
    const auto executor = train::Executor::create(*graph, "cpu");
    ASSERT_TRUE(executor.ok());
    (*executor)->initialize(9);
    ASSERT_TRUE(checkpoint::writeSafetensors(path, (*executor)->state()).ok());
}

}  // namespace bitloom::jobs
