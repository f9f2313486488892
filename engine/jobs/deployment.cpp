#include "engine/jobs/deployment.h"

#include <algorithm>
#include <utility>

#include "engine/base/text.h"
#include "engine/data/loader.h"
#include "engine/qsimd/calibrate.h"

namespace bitloom::jobs {
namespace {

Result<qsimd::Contract> contractByName(const std::string& name) {
    if (name == "int8") return qsimd::Contract::Int8;
    if (name == "exact") return qsimd::Contract::Exact;
    return usageError("unknown contract '{}'; known are int8 (activations of 8 bits) and exact (float)",
                      name);
}

bool usesBytes(const qsimd::LoweringOptions& options) {
    return options.contract == qsimd::Contract::Int8 ||
           std::ranges::any_of(options.contracts,
                               [](const auto& entry) { return entry.second == qsimd::Contract::Int8; });
}

data::LoaderOptions plainBatches(const DataSpec& spec, const data::Normalization& normalization) {
    data::LoaderOptions options;
    options.batchSize = 100;
    options.normalization = normalization;
    options.shuffle = false;
    options.dropLast = false;
    options.augment = false;
    options.threads = spec.threads;
    return options;
}

}  // namespace

Result<qsimd::LoweringOptions> loweringOptions(const graph::Graph& graph, const DeploymentOptions& options) {
    qsimd::LoweringOptions lowering;
    BITLOOM_ASSIGN_OR_RETURN(lowering.contract, contractByName(options.contract));
    std::vector<std::string> layers;
    for (const graph::Node& node : graph.nodes()) {
        if (std::holds_alternative<graph::Conv2d>(node.op) || std::holds_alternative<graph::Linear>(node.op))
            layers.push_back(node.name);
    }
    for (const auto& [layer, name] : options.contracts) {
        if (std::ranges::find(layers, layer) == layers.end())
            return usageError("no layer {} in {}; did you mean {}?", layer, graph.arch(),
                              nearestName(layer, layers));
        BITLOOM_ASSIGN_OR_RETURN(lowering.contracts[layer], contractByName(name));
    }
    return lowering;
}

Result<LabelledImages> firstImages(const data::Dataset& dataset, const DataSpec& spec,
                                   const data::Normalization& normalization, std::int64_t count) {
    data::Loader loader(dataset, plainBatches(spec, normalization));
    LabelledImages chosen;
    const auto wanted = static_cast<std::size_t>(std::min(count, dataset.size()));
    while (chosen.images.size() < wanted) {
        BITLOOM_ASSIGN_OR_RETURN(const data::Batch batch, loader.next());
        const std::size_t size = batch.images.size() / static_cast<std::size_t>(batch.count);
        for (int i = 0; i < batch.count && chosen.images.size() < wanted; ++i) {
            const auto first = batch.images.begin() + static_cast<std::ptrdiff_t>(size) * i;
            chosen.images.emplace_back(first, first + static_cast<std::ptrdiff_t>(size));
            chosen.labels.push_back(static_cast<int>(batch.labels[static_cast<std::size_t>(i)]));
        }
    }
    return chosen;
}

qsimd::DeployedNetwork toDeployed(const quant::QuantizedModel& model) {
    qsimd::DeployedNetwork network;
    network.graph = model.graph;
    network.rest = model.rest;
    for (const auto& [name, tensor] : model.layers)
        network.quantized.emplace(name,
                                  qsimd::CodebookWeights{tensor.components, tensor.codebook, tensor.indices});
    return network;
}

Result<Deployment> deploy(const quant::QuantizedModel& model, const DataSpec& data,
                          const DeploymentOptions& options, report::ProgressSink& sink, JobControl& control) {
    Deployment deployment;
    deployment.network = toDeployed(model);
    deployment.data = data;
    BITLOOM_ASSIGN_OR_RETURN(deployment.lowering, loweringOptions(model.graph, options));
    if (options.calibrationImages < 1) return usageError("calibration needs at least one image");
    BITLOOM_ASSIGN_OR_RETURN(deployment.datasets, openDatasets(data, imageSizeOf(model.graph)));
    const Datasets& datasets = deployment.datasets;
    BITLOOM_ASSIGN_OR_RETURN(
        LabelledImages calibration,
        firstImages(*datasets.train, data, datasets.normalization, options.calibrationImages));
    deployment.images = std::move(calibration.images);
    if (!usesBytes(deployment.lowering)) return deployment;
    const auto progress = [&sink](std::size_t done, std::size_t total) {
        sink.progress({"calibrating", static_cast<std::int64_t>(done), static_cast<std::int64_t>(total), 0,
                       report::kNoValue});
    };
    BITLOOM_ASSIGN_OR_RETURN(deployment.lowering.activations,
                             qsimd::calibrate(deployment.network, deployment.images, 1, control, progress));
    // Where the network was given ranges it keeps them; with fewer bits than 8 the steps between are finer.
    for (const auto& [node, rounding] : model.activations)
        deployment.lowering.activations[node].range = {rounding.low(), rounding.high()};
    return deployment;
}

Result<double> runtimeTop1(const qsimd::Model& model, const Datasets& datasets, const DataSpec& data,
                           std::int64_t count, report::ProgressSink& sink, JobControl& control) {
    qsimd::Network network(model, {}, 1);
    std::vector<float> scores(network.values(model.output).size());
    data::Loader loader(*datasets.test, plainBatches(data, datasets.normalization));
    const std::int64_t total = count > 0 ? std::min(count, datasets.test->size()) : datasets.test->size();
    std::int64_t done = 0;
    std::int64_t right = 0;
    while (done < total) {
        if (!control.waitWhilePaused()) return Error{ErrorKind::Cancelled, "Scoring was cancelled"};
        BITLOOM_ASSIGN_OR_RETURN(const data::Batch batch, loader.next());
        const std::size_t size = batch.images.size() / static_cast<std::size_t>(batch.count);
        for (int i = 0; i < batch.count && done < total; ++i, ++done) {
            network.run(batch.images.data() + size * static_cast<std::size_t>(i), scores.data());
            const auto best = std::ranges::max_element(scores) - scores.begin();
            right += best == batch.labels[static_cast<std::size_t>(i)] ? 1 : 0;
        }
        sink.progress({"checking the network", done, total, 0, report::kNoValue});
    }
    return 100.0 * static_cast<double>(right) / static_cast<double>(std::max<std::int64_t>(total, 1));
}

}  // namespace bitloom::jobs
