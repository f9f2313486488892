#include "engine/jobs/compared_networks.h"

#include <algorithm>
#include <utility>

#include "engine/train/deployed_model.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;

/// Distillation keeps a copy of the weights that a run starts from, unless it follows others.
bool hasCopy(const JobSpec& spec) {
    return distils(spec) && spec.model.teacher.empty();
}

Result<graph::StateDict> startOf(const RecordedRun& run, const fs::path& path, const Datasets& datasets) {
    if (run.spec.model.weights.empty()) {
        BITLOOM_ASSIGN_OR_RETURN(const auto executor,
                                 train::Executor::create(run.graph, scoringOptions(run).device));
        executor->initialize(run.spec.train.seed);
        return executor->state();
    }
    if (hasCopy(run.spec)) {
        if (auto teacher = run.folder(path).teacher()) return std::move(teacher->state);
    }
    const auto source = NetworkSource::open(run.spec.model);
    if (!source) {
        return fail("{}\n{} started from these weights: put them back there to compare with them",
                    source.error().message, path.string());
    }
    BITLOOM_ASSIGN_OR_RETURN(Network network, source->build(*datasets.test, run.spec.data.source));
    return std::move(network.state);
}

}  // namespace

std::int64_t ComparedNetworks::images() const {
    const std::int64_t all = datasets.test->size();
    return scoring.images > 0 ? std::min(scoring.images, all) : all;
}

Result<std::unique_ptr<train::Executor>> ComparedNetworks::executor(
    const graph::StateDict& parameters, const quant::ActivationMap& activations) const {
    BITLOOM_ASSIGN_OR_RETURN(auto executor, train::Executor::create(run.graph, scoringOptions(run).device));
    BITLOOM_RETURN_IF_ERROR(executor->load(parameters));
    BITLOOM_RETURN_IF_ERROR(executor->setActivations(quant::roundingFunctions(activations)));
    return executor;
}

Result<ComparedNetworks> openCompared(const fs::path& path, std::int64_t images, report::ProgressSink& sink) {
    ComparedNetworks networks;
    BITLOOM_ASSIGN_OR_RETURN(networks.run, readRecordedRun(path, sink));
    const RecordedRun& run = networks.run;
    BITLOOM_ASSIGN_OR_RETURN(networks.quantized, deployedNetwork(run, path));
    BITLOOM_ASSIGN_OR_RETURN(networks.datasets, openTestSet(run.spec.data, imageSizeOf(run.graph)));
    BITLOOM_ASSIGN_OR_RETURN(networks.fullPrecision, startOf(run, path, networks.datasets));
    networks.scoring.normalization = networks.datasets.normalization;
    networks.scoring.threads = run.spec.data.threads;
    networks.scoring.images = images;
    return networks;
}

Result<LatentNetwork> latentNetwork(const ComparedNetworks& networks) {
    const RecordedRun& run = networks.run;
    BITLOOM_ASSIGN_OR_RETURN(train::LatentModel latent, train::latentModel(run.graph, run.stage.quantizer,
                                                                           run.stage.train.seed, *run.state));
    // Equal but for batch-norm statistics, which may have been estimated anew for the hard weights.
    for (const auto& [name, tensor] : networks.quantized.rest)
        latent.parameters.insert_or_assign(name, tensor);
    // Without latent weights there is nothing to move but the deployed ones.
    for (auto quantizer = latent.quantizers.begin(); quantizer != latent.quantizers.end();) {
        if (quantizer->second->hasLatentWeights()) {
            ++quantizer;
            continue;
        }
        const quant::QuantizedTensor& deployed = networks.quantized.layers.find(quantizer->first)->second;
        latent.parameters.insert_or_assign(quantizer->first + ".weight",
                                           graph::Tensor::fromFloats(deployed.shape, deployed.dequantize()));
        quantizer = latent.quantizers.erase(quantizer);
    }
    return LatentNetwork{std::move(latent.parameters), std::move(latent.quantizers)};
}

}  // namespace bitloom::jobs
