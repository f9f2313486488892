#include "engine/jobs/strategy_file.h"

#include <toml++/toml.h>

#include "engine/base/atomic_file.h"
#include "engine/base/text.h"
#include "engine/jobs/job_schema.h"

namespace bitloom::jobs {
namespace {

constexpr std::size_t kMostBytes = 1u << 20;

Error damaged(const std::filesystem::path& path, const toml::node& node, const std::string& what) {
    return usageError("{}:{}: {}", path.string(), node.source().begin.line, what);
}

}  // namespace

Strategy strategyOf(const quant::QuantizedModel& model) {
    Strategy strategy{model.graph.arch(), {}};
    for (const auto& [node, layer] : model.layers) {
        if (!model.outsideAverage.contains(node)) strategy.bits[node] = layer.indexBits();
    }
    return strategy;
}

std::string toToml(const Strategy& strategy, const quant::QuantizedModel& model) {
    std::string text =
        fmt::format("# {:.4g} bits a weight in the mean of these layers.\nnetwork = {}\n\n[bits]\n",
                    quant::measure(model).bits, quoteToml(strategy.network));
    // In the order in which the network computes them.
    for (const graph::Node& node : model.graph.nodes()) {
        const auto found = strategy.bits.find(node.name);
        if (found != strategy.bits.end())
            text += fmt::format("{} = {}\n", quoteToml(node.name), found->second);
    }
    return text;
}

Result<Strategy> readStrategy(const std::filesystem::path& path) {
    BITLOOM_ASSIGN_OR_RETURN(const std::string text, readFile(path, kMostBytes));
    BITLOOM_ASSIGN_OR_RETURN(const toml::table root, parseToml(text, path.string()));
    Strategy strategy;
    for (const auto& [key, value] : root) {
        if (key != "network" && key != "bits")
            return damaged(path, value,
                           fmt::format("unknown key {}; a strategy has network and [bits]", key.str()));
    }
    const auto network = root["network"].value_exact<std::string>();
    const toml::table* bits = root["bits"].as_table();
    if (!network || !bits || bits->empty()) {
        return usageError(
            "{}: not a bitwidth strategy: network = \"NAME\" and [bits] with \"LAYER\" = 1 to 8 "
            "were expected; bitloom export RUN --to strategy writes one",
            path.string());
    }
    strategy.network = *network;
    for (const auto& [layer, value] : *bits) {
        const auto number = value.value_exact<std::int64_t>();
        if (!number || *number < 1 || *number > 8)
            return damaged(path, value, fmt::format("\"{}\": expected an integer from 1 to 8", layer.str()));
        strategy.bits[std::string(layer.str())] = static_cast<int>(*number);
    }
    return strategy;
}

Status applyStrategy(const Strategy& strategy, const std::string& origin, const graph::Graph& graph,
                     quant::QuantizerOptions& options) {
    if (strategy.network != graph.arch()) {
        return usageError(
            "{}: these are the bits of {}, the job's network is {}; take a strategy of the same network",
            origin, strategy.network, graph.arch());
    }
    std::vector<std::string> names;
    for (const graph::Node& node : graph.nodes())
        names.push_back(node.name);
    for (const auto& [layer, bits] : strategy.bits) {
        if (!graph.find(layer)) {
            return usageError("{}: {} has no layer \"{}\"; did you mean \"{}\"?", origin, graph.arch(), layer,
                              nearestName(layer, names));
        }
        quant::LayerOptions chosen = options.layer;
        chosen.components = 1 << bits;
        chosen.values.clear();
        options.layers.try_emplace(layer, std::move(chosen));
    }
    options.strategy.clear();
    return {};
}

Status applyStrategies(JobSpec& job, const graph::Graph& graph) {
    const auto apply = [&](quant::QuantizerOptions& options) -> Status {
        if (options.strategy.empty() || options.strategy == quant::kLearnedStrategy) return {};
        const std::string path = options.strategy;
        BITLOOM_ASSIGN_OR_RETURN(const Strategy strategy, readStrategy(path));
        return applyStrategy(strategy, path, graph, options);
    };
    if (job.stages.empty()) return apply(job.quantizer);
    // Not to the job itself, from which a stage of other bits would inherit them.
    for (StageSpec& stage : job.stages)
        BITLOOM_RETURN_IF_ERROR(apply(stage.quantizer));
    job.quantizer.strategy.clear();
    return {};
}

}  // namespace bitloom::jobs
