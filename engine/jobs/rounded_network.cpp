#include "engine/jobs/rounded_network.h"

#include <algorithm>

#include "engine/jobs/job_inputs.h"
#include "engine/train/activation_reconstruction.h"

namespace bitloom::jobs {
namespace {

using quant::ActivationMethod;

Status checkKeys(const std::vector<std::string>& overrides) {
    for (const std::string& text : overrides) {
        if (text.starts_with("activation.")) continue;
        return usageError("--set {}: a finished run takes keys of [activation] alone", text);
    }
    return {};
}

/// What the run's job says, then `overrides`.
Result<quant::ActivationOptions> optionsWith(const RecordedRun& run,
                                             const std::vector<std::string>& overrides) {
    BITLOOM_RETURN_IF_ERROR(checkKeys(overrides));
    const ActivationMethod own = run.stage.quantizer.activation.method;
    if (overrides.empty()) return run.stage.quantizer.activation;
    if (own == ActivationMethod::Lsq) {
        return usageError(
            "the activations of this run were trained with the network (lsq); train it again to change them");
    }
    BITLOOM_ASSIGN_OR_RETURN(const JobSpec spec, parseJob(toToml(run.stage), "its job", {}, overrides));
    quant::ActivationOptions options = spec.quantizer.activation;
    const bool named = std::ranges::any_of(
        overrides, [](const std::string& text) { return text.starts_with("activation.method"); });
    if (!named) options.method = ActivationMethod::Ptq;
    if (options.method != ActivationMethod::Lsq) return options;
    return usageError("lsq trains activations with the network: bitloom train; a finished run takes ptq");
}

}  // namespace

Result<quant::QuantizedModel> roundedNetwork(const RecordedRun& run, const std::filesystem::path& path,
                                             const std::vector<std::string>& overrides,
                                             report::ProgressSink& sink, JobControl& control) {
    BITLOOM_ASSIGN_OR_RETURN(const quant::ActivationOptions options, optionsWith(run, overrides));
    BITLOOM_ASSIGN_OR_RETURN(quant::QuantizedModel model, deployedNetwork(run, path));
    if (overrides.empty() && !model.activations.empty()) return model;
    model.activations.clear();
    if (options.method != ActivationMethod::Ptq) return model;
    BITLOOM_ASSIGN_OR_RETURN(const Datasets datasets, openDatasets(run.spec.data, imageSizeOf(run.graph)));
    const auto progress = [&](std::int64_t done, std::int64_t total) {
        sink.progress({"quantizing activations", done, total, 0, report::kNoValue});
        return control.waitWhilePaused();
    };
    BITLOOM_ASSIGN_OR_RETURN(
        train::ReconstructedActivations rounded,
        train::reconstructActivations(model, options, trainerData(datasets, run.spec.data),
                                      run.stage.train.seed, scoringOptions(run).device, progress));
    for (const std::string& node : rounded.found.silent)
        sink.log(fmt::format("warning: the activation {} is 0 for every image looked at", node));
    for (const train::BlockLoss& loss : rounded.losses) {
        sink.log(fmt::format("{}: loss {:.4g} searched, {:.4g} trained{}", loss.block, loss.searched,
                             loss.trained, loss.trained < loss.searched ? "" : ", not taken"));
    }
    model.activations = std::move(rounded.found.activations);
    return model;
}

}  // namespace bitloom::jobs
