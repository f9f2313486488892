// Whole runs with rounded activations: recorded, resumed to the bit, reported, exported, evaluated, lowered;
// and finished runs that are rounded when they are exported.
#include <cmath>

#include <gmock/gmock.h>

#include "engine/jobs/deployment.h"
#include "engine/jobs/evaluate_job.h"
#include "engine/jobs/export_job.h"
#include "engine/jobs/report_job.h"
#include "engine/jobs/rounded_network.h"
#include "tests/jobs/small_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;
using quant::ActivationMethod;
using ::testing::HasSubstr;

JobSpec roundedJob(ActivationMethod method, int bits) {
    JobSpec job = smallJob();
    job.quantizer.activation.method = method;
    job.quantizer.activation.bits = bits;
    job.quantizer.activation.images = 16;
    job.quantizer.activation.iterations = 2;
    return job;
}

Result<ExportResult> exported(const fs::path& run, const std::string& to, const fs::path& out,
                              const std::vector<std::string>& overrides = {}) {
    ExportRequest request;
    request.run = run;
    request.to = to;
    request.out = out;
    request.overrides = overrides;
    request.deployment.calibrationImages = 16;
    report::ProgressSink silent;
    JobControl control;
    return runExportJob(request, silent, control);
}

/// Top-1 of a run or of an export on the images that smallJob() scores.
double top1Of(const fs::path& file) {
    EvaluateRequest request;
    request.weights = file;
    request.data = smallJob().data.source;
    request.images = 32;
    request.batch = 8;
    request.threads = 1;
    report::ProgressSink silent;
    JobControl control;
    const auto evaluated = runEvaluateJob(request, silent, control);
    EXPECT_TRUE(evaluated.ok()) << (evaluated ? "" : evaluated.error().message);
    return evaluated ? evaluated->top1 : report::kNoValue;
}

class ActivationJob : public ::testing::TestWithParam<ActivationMethod> {
  protected:
    testing::TemporaryFolder m_folder;
};

INSTANTIATE_TEST_SUITE_P(Methods, ActivationJob,
                         ::testing::Values(ActivationMethod::Ptq, ActivationMethod::Lsq),
                         [](const auto& method) {
                             return method.param == ActivationMethod::Ptq ? "Ptq" : "Lsq";
                         });

TEST_P(ActivationJob, AStoppedRunEndsWithTheSameHash) {
    const JobSpec spec = roundedJob(GetParam(), 4);
    const report::RunSummary whole = trainToEnd(spec, m_folder / "whole.h5");
    trainAndStop(spec, m_folder / "run.h5", 2);
    report::ProgressSink silent;
    JobControl control;
    const auto summary = resumeTrainJob(m_folder / "run.h5", silent, control);
    ASSERT_TRUE(summary.ok()) << summary.error().message;
    EXPECT_EQ(summary->hash, whole.hash);
    EXPECT_EQ(summary->top1Hard, whole.top1Hard);
    // The hash sees the scales.
    JobSpec other = spec;
    other.quantizer.activation.images = 8;
    EXPECT_NE(trainToEnd(other, m_folder / "other.h5").hash, whole.hash);
}

TEST_P(ActivationJob, IsReportedExportedAndEvaluatedRounded) {
    const fs::path run = m_folder / "run.h5";
    const report::RunSummary summary = trainToEnd(roundedJob(GetParam(), 4), run);
    const double inFloat = trainToEnd(smallJob(), m_folder / "float.h5").bitOps;
    EXPECT_LT(summary.bitOps, inFloat / 6);
    EXPECT_GT(summary.bitOps, inFloat / 8);
    const auto report = reportRun(run);
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(report->layers[0].activationBits, 8) << "conv1 reads the image";
    EXPECT_EQ(report->layers[1].activationBits, 8) << "and layer1.0.conv1 what conv1 ends in";
    EXPECT_EQ(report->layers[2].activationBits, 4);
    EXPECT_EQ(report->layers.back().activationBits, 8) << "linear";
    EXPECT_EQ(top1Of(run), summary.top1Hard);
    for (const std::string format : {"safetensors", "hdf5"}) {
        const fs::path out = m_folder / ("net." + format);
        const auto result = exported(run, format, out);
        ASSERT_TRUE(result.ok()) << result.error().message;
        EXPECT_TRUE(result->identical);
        EXPECT_EQ(result->top1File, summary.top1Hard);
        EXPECT_EQ(top1Of(out), summary.top1Hard);
        if (format == "safetensors") {
            EXPECT_EQ(result->bytes, summary.fileBytes);
        }
    }
}

TEST_P(ActivationJob, IsLoweredWithItsOwnRanges) {
    const fs::path run = m_folder / "run.h5";
    const JobSpec job = roundedJob(GetParam(), 8);
    const report::RunSummary summary = trainToEnd(job, run);
    report::ProgressSink silent;
    JobControl control;
    const auto recorded = readRecordedRun(run, silent);
    ASSERT_TRUE(recorded.ok());
    const auto model = roundedNetwork(*recorded, run, {}, silent, control);
    ASSERT_TRUE(model.ok()) << model.error().message;
    DeploymentOptions options;
    options.calibrationImages = 16;
    const auto deployment = deploy(*model, job.data, options, silent, control);
    ASSERT_TRUE(deployment.ok()) << deployment.error().message;
    const auto lowered = qsimd::lower(deployment->network, deployment->lowering);
    ASSERT_TRUE(lowered.ok()) << lowered.error().message;
    int checked = 0;
    for (const qsimd::Buffer& buffer : lowered->buffers) {
        const auto own = model->activations.find(buffer.name);
        if (buffer.type != qsimd::ValueType::Uint8 || own == model->activations.end()) continue;
        EXPECT_FLOAT_EQ(buffer.scale, own->second.scale) << buffer.name;
        EXPECT_EQ(buffer.zeroPoint, own->second.zeroPoint) << buffer.name;
        ++checked;
    }
    EXPECT_EQ(checked, 19) << "all but the last block's output, which is averaged as it is";
    const auto bundle = exported(run, "bundle", m_folder / "net");
    ASSERT_TRUE(bundle.ok()) << bundle.error().message;
    EXPECT_NEAR(bundle->top1File, summary.top1Hard, 6);
}

TEST(FinishedRun, IsRoundedOnExport) {
    const testing::TemporaryFolder folder;
    const fs::path run = folder / "run.h5";
    const report::RunSummary summary = trainToEnd(smallJob(), run);
    const std::vector<std::string> rounding = {"activation.bits=8", "activation.images=16",
                                               "activation.iterations=2"};
    const auto result = exported(run, "safetensors", folder / "net", rounding);
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_TRUE(result->identical);
    EXPECT_EQ(result->top1Run, summary.top1Hard);
    EXPECT_NEAR(result->top1File, summary.top1Hard, 7);
    EXPECT_EQ(top1Of(folder / "net"), result->top1File);
    // The same as a run that was asked for it from the start.
    JobSpec job = roundedJob(ActivationMethod::Ptq, 8);
    trainToEnd(job, folder / "asked.h5");
    const auto asked = exported(folder / "asked.h5", "safetensors", folder / "asked");
    ASSERT_TRUE(asked.ok());
    report::ProgressSink silent;
    JobControl control;
    const auto first = readRecordedRun(run, silent);
    const auto second = readRecordedRun(folder / "asked.h5", silent);
    const auto late = roundedNetwork(*first, run, rounding, silent, control);
    const auto early = roundedNetwork(*second, folder / "asked.h5", {}, silent, control);
    ASSERT_TRUE(late.ok() && early.ok());
    EXPECT_EQ(late->activations, early->activations);
}

TEST(FinishedRun, RoundingThatMakesNoSenseIsAUsageError) {
    const testing::TemporaryFolder folder;
    const fs::path run = folder / "run.h5";
    trainToEnd(smallJob(), run);
    const auto refused = [&](const std::vector<std::string>& overrides) {
        const auto result = exported(run, "safetensors", folder / "net", overrides);
        EXPECT_FALSE(result.ok());
        EXPECT_EQ(result.error().kind, ErrorKind::Usage);
        EXPECT_FALSE(fs::exists(folder / "net"));
        return result.error().message;
    };
    EXPECT_THAT(refused({"quantizer.bits=2"}), HasSubstr("keys of [activation] alone"));
    EXPECT_THAT(refused({"activation.method=lsq"}), HasSubstr("bitloom train"));
    EXPECT_THAT(refused({"activation.bits=1"}), HasSubstr("an integer from 2 to 8"));
    EXPECT_THAT(refused({"activation.bits=8"}), HasSubstr("the training set has 64 images"));
    EXPECT_THAT(refused({"activation.images=16", "activation.layers.conv1.bits=4"}),
                HasSubstr("name the activation it reads, \"input\""));
    trainToEnd(roundedJob(ActivationMethod::Lsq, 4), run);
    EXPECT_THAT(refused({"activation.bits=8"}), HasSubstr("trained with the network"));
}

TEST(FinishedRun, AStoppedRunIsRoundedOnExportAsItsJobSays) {
    const testing::TemporaryFolder folder;
    trainAndStop(roundedJob(ActivationMethod::Ptq, 8), folder / "run.h5", 2);
    const auto report = reportRun(folder / "run.h5");
    ASSERT_TRUE(report.ok());
    EXPECT_EQ(report->layers[2].activationBits, 32) << "not yet";
    report::ProgressSink silent;
    JobControl control;
    const auto run = readRecordedRun(folder / "run.h5", silent);
    const auto model = roundedNetwork(*run, folder / "run.h5", {}, silent, control);
    ASSERT_TRUE(model.ok()) << model.error().message;
    EXPECT_EQ(model->activations.size(), 20u);
    control.stop();
    const auto stopped = roundedNetwork(*run, folder / "run.h5", {}, silent, control);
    ASSERT_FALSE(stopped.ok());
    EXPECT_EQ(stopped.error().kind, ErrorKind::Cancelled);
}

constexpr const char* kStagedJob =
    "[model]\narch = 'resnet20'\n[data]\nsource = 'generated:1,64,64'\nbatch = 8\n[quantizer]\nmethod = "
    "'uniform'\nbits = 4\n[activation]\nmethod = 'ptq'\nbits = 4\nimages = 16\niterations = "
    "1\n[train]\nsteps "
    "= 2\nthreads = 1\nevaluate_images = 32\nbatch_norm_batches = 1\n[record]\nevery = 1\n[[stage]]\nname = "
    "'first'\n[[stage]]\nname = 'second'\n";

TEST(StagedActivations, PtqComesAfterTheLastStage) {
    const testing::TemporaryFolder folder;
    const auto job = parseJob(kStagedJob, "job", {});
    ASSERT_TRUE(job.ok()) << job.error().message;
    class Events final : public report::ProgressSink {
      public:
        void event(const report::RunEvent& event) override {
            if (event.text.find("activations in float") != std::string::npos) steps.push_back(event.step);
        }
        std::vector<std::int64_t> steps;
    } sink;
    JobControl control;
    const auto summary = runTrainJob({*job, folder / "run.h5", ""}, sink, control);
    ASSERT_TRUE(summary.ok()) << summary.error().message;
    EXPECT_THAT(sink.steps, ::testing::ElementsAre(4));
    EXPECT_EQ(top1Of(folder / "run.h5"), summary->top1Hard);
    EXPECT_EQ(reportRun(folder / "run.h5")->layers[2].activationBits, 4);
}

TEST(StagedActivations, AStageHasItsOwnAndResumesToTheBit) {
    const testing::TemporaryFolder folder;
    const std::string text =
        std::string(kStagedJob) +
        "activation.method = 'lsq'\nactivation.bits = 3\n[stage.activation.layers.relu]\nbits "
        "= 5\n";
    const auto job = parseJob(text, "job", {});
    ASSERT_TRUE(job.ok()) << job.error().message;
    EXPECT_EQ(parseJob(toToml(*job), "job", {})->stages[1].quantizer.activation.layers.at("relu"), 5);
    const report::RunSummary whole = trainToEnd(*job, folder / "whole.h5");
    trainAndStop(*job, folder / "run.h5", 3);
    report::ProgressSink silent;
    JobControl control;
    const auto summary = resumeTrainJob(folder / "run.h5", silent, control);
    ASSERT_TRUE(summary.ok()) << summary.error().message;
    EXPECT_EQ(summary->hash, whole.hash);
    const auto report = reportRun(folder / "run.h5");
    EXPECT_EQ(report->layers[1].activationBits, 5);
    EXPECT_EQ(report->layers[2].activationBits, 3);
    // Whatever cannot be is said before the first stage begins.
    const auto wrong = parseJob(text + "[stage.activation.layers.rellu]\nbits = 5\n", "job", {});
    ASSERT_TRUE(wrong.ok());
    const auto refused = runTrainJob({*wrong, folder / "wrong.h5", ""}, silent, control);
    ASSERT_FALSE(refused.ok());
    EXPECT_THAT(refused.error().message, HasSubstr("stage 2 (second): activation.layers"));
}

TEST(ActivationSection, IsReadAndWritten) {
    const std::string text =
        "[activation]\nmethod = 'ptq'\nbits = 4\nfirst_last_bits = 6\nimages = 512\niterations = 7\nrate = "
        "1e-3\n[activation.layers.\"layer1.0.relu1\"]\nbits = 2\n[activation.layers.relu]\nbits = 32\n";
    const auto job = parseJob(text, "job", {});
    ASSERT_TRUE(job.ok()) << job.error().message;
    const quant::ActivationOptions& options = job->quantizer.activation;
    EXPECT_EQ(options.method, ActivationMethod::Ptq);
    EXPECT_EQ(options.bits, 4);
    EXPECT_EQ(options.firstLastBits, 6);
    EXPECT_EQ(options.images, 512);
    EXPECT_EQ(options.iterations, 7);
    EXPECT_EQ(options.rate, 1e-3);
    EXPECT_EQ(options.layers, (std::map<std::string, int>{{"layer1.0.relu1", 2}, {"relu", 32}}));
    const auto again = parseJob(toToml(*job), "job", {});
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(toToml(*again), toToml(*job));
    EXPECT_EQ(again->quantizer.activation.layers, options.layers);
    const auto message = [](const std::string& bad) {
        const auto result = parseJob(bad, "job", {});
        EXPECT_FALSE(result.ok()) << bad;
        return result ? std::string() : result.error().message;
    };
    EXPECT_THAT(message("[activation]\nmethod = 'pqt'"), HasSubstr("\"none\", \"ptq\", \"lsq\""));
    EXPECT_THAT(message("[activation]\nbits = 9"), HasSubstr("from 2 to 8"));
    EXPECT_THAT(message("[activation]\nbit = 8"), HasSubstr("did you mean activation.bits?"));
    EXPECT_THAT(message("[activation.layers.relu]\nbits = 9"), HasSubstr("or 32 for float"));
    EXPECT_THAT(message("[activation.layers.relu]\nbit = 4"), HasSubstr("did you mean"));
    EXPECT_THAT(message("[activation]\nlayers = 3"), HasSubstr("[activation.layers.\"NAME\"]"));
}

}  // namespace
}  // namespace bitloom::jobs
