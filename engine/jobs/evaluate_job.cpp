#include "engine/jobs/evaluate_job.h"

#include <utility>

#include "engine/jobs/job_inputs.h"
#include "engine/jobs/run_checkpoint.h"
#include "engine/record/run_reader.h"
#include "engine/train/evaluation.h"
#include "engine/train/runtime.h"

namespace bitloom::jobs {
namespace {

/// A run also knows its images; what the request names goes first.
Result<NetworkSource> openSource(EvaluateRequest& request, report::ProgressSink& sink) {
    if (const auto run = record::RunReader::open(request.weights); !run) {
        if (request.data.empty()) {
            return usageError("{}\nOnly a run knows its images; for weights name them: --data",
                              run.error().message);
        }
        if (request.normalize.empty()) request.normalize = DataSpec().normalize;
        return NetworkSource::open({.arch = request.arch, .weights = request.weights.string()});
    }
    BITLOOM_ASSIGN_OR_RETURN(const RecordedRun run, readRecordedRun(request.weights, sink));
    if (request.data.empty()) request.data = run.spec.data.source;
    if (request.normalize.empty()) request.normalize = run.spec.data.normalize;
    BITLOOM_ASSIGN_OR_RETURN(quant::QuantizedModel model, deployedNetwork(run, request.weights));
    const bool rounds = run.stage.quantizer.activation.method != quant::ActivationMethod::None;
    if (rounds && model.activations.empty())
        sink.log("the run has not come to rounding its activations; they are evaluated in float");
    return NetworkSource(std::move(model));
}

}  // namespace

Result<EvaluateResult> runEvaluateJob(EvaluateRequest request, report::ProgressSink& sink,
                                      JobControl& control) {
    train::configureTorch(request.threads);
    BITLOOM_ASSIGN_OR_RETURN(const NetworkSource source, openSource(request, sink));
    BITLOOM_ASSIGN_OR_RETURN(const int imageSize, source.imageSize());
    BITLOOM_ASSIGN_OR_RETURN(const auto images,
                             data::openDataset(request.data, data::Split::Test, imageSize));
    BITLOOM_ASSIGN_OR_RETURN(Network network, source.build(*images, request.data));
    const std::string arch = network.graph.arch();
    if (!request.arch.empty() && request.arch != arch) {
        return usageError("{} holds {}, not {}", request.weights.string(), arch, request.arch);
    }
    train::EvaluationOptions options;
    BITLOOM_ASSIGN_OR_RETURN(options.normalization, data::normalizationByName(request.normalize));
    options.batchSize = request.batch;
    options.images = request.images;
    BITLOOM_ASSIGN_OR_RETURN(const auto executor,
                             train::Executor::create(std::move(network.graph), request.device));
    BITLOOM_RETURN_IF_ERROR(executor->setActivations(quant::roundingFunctions(network.activations)));
    BITLOOM_RETURN_IF_ERROR(executor->load(network.state));
    const auto progress = [&](std::int64_t done, std::int64_t total) {
        sink.progress({"evaluating", done, total, 0, report::kNoValue});
        return control.waitWhilePaused();
    };
    BITLOOM_ASSIGN_OR_RETURN(const train::Accuracy accuracy,
                             train::evaluate(*executor, *images, options, {}, progress));
    return EvaluateResult{arch,          accuracy.top1,   accuracy.top5,
                          accuracy.loss, accuracy.images, accuracy.seconds};
}

}  // namespace bitloom::jobs
