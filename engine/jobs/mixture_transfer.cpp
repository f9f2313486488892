#include "engine/jobs/mixture_transfer.h"

#include <algorithm>
#include <bit>
#include <map>
#include <optional>
#include <utility>
#include <variant>

#include "engine/graph/graph_json.h"
#include "engine/graph/zoo/zoo.h"
#include "engine/jobs/run_checkpoint.h"
#include "engine/jobs/run_playback.h"
#include "engine/quant/dgms/dgms_init.h"
#include "engine/quant/method_names.h"
#include "engine/quant/registry.h"
#include "engine/report/mixture.h"
#include "engine/train/deployed_model.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOtherRun = "name a run of method \"dgms\", or set transfer = \"\" for k-means";

/// A network and which of its layers are quantized by the job's method or one of their own, in network order.
struct QuantizedNetwork {
    std::vector<std::string> weighted;  ///< convolutions and linear layers
    std::vector<ShapedLayer> layers;    ///< the quantized ones
    std::vector<quant::LayerOptions> options;
};

Result<QuantizedNetwork> quantizedNetwork(const graph::Graph& graph, const quant::QuantizerOptions& options) {
    BITLOOM_ASSIGN_OR_RETURN(const auto planned, quant::planLayers(graph, options));
    std::map<std::string, graph::Shape> shapes;
    for (const graph::ParameterSpec& parameter : graph.parameters())
        shapes[parameter.name] = parameter.shape;
    QuantizedNetwork network;
    for (const graph::Node& node : graph.nodes()) {
        if (std::holds_alternative<graph::Conv2d>(node.op) || std::holds_alternative<graph::Linear>(node.op))
            network.weighted.push_back(node.name);
    }
    for (const quant::PlannedLayer& layer : planned) {
        if (layer.outsideAverage) continue;  // the network's ends at bits of their own
        network.layers.push_back({layer.node, shapes[layer.node + ".weight"]});
        network.options.push_back(layer.options);
    }
    return network;
}

/// Index of the layer of that name; nothing where it is not quantized.
std::optional<std::size_t> findLayer(const QuantizedNetwork& network, const std::string& name) {
    const auto found = std::ranges::find(network.layers, name, &ShapedLayer::name);
    if (found == network.layers.end()) return std::nullopt;
    return static_cast<std::size_t>(found - network.layers.begin());
}

/// Of a file that cannot be read.
Error unreadableRun(const Error& error) {
    return {error.kind, fmt::format("{}; {}", error.message, kOtherRun)};
}

/// Puts the layer before what is wrong with the run that it names.
Error refusal(const std::string& layer, const Error& error) {
    return {error.kind, fmt::format("{} cannot start from another run's mixture (quantizer.transfer): {}",
                                    layer, error.message)};
}

/// The layer of `source`, the network of the run in `file`, that feeds the target's i-th quantized layer.
Result<LayerMatch> matchOf(const QuantizedNetwork& target, std::size_t index, const QuantizedNetwork& source,
                           const std::string& file) {
    const std::string& layer = target.layers[index].name;
    if (source.layers.empty()) return usageError("{}: the run quantizes no layer; {}", file, kOtherRun);
    const auto sorted = [](std::vector<std::string> names) {
        std::ranges::sort(names);
        return names;
    };
    LayerMatch match;
    if (sorted(target.weighted) == sorted(source.weighted)) {
        const auto found = findLayer(source, layer);
        if (!found) {
            return usageError(
                "{}: the run has no mixture for {}, which it leaves in full precision or at "
                "first_last_bits; name another run, exclude the layer here (quantizer.exclude), or set "
                "transfer = \"\" for it",
                file, layer);
        }
        match = {*found, MatchRule::Name};
    } else {
        match = matchLayers(target.layers, source.layers)[index];
    }
    const std::string& method = source.options[match.source].method;
    if (quant::startsFromMixture(method)) return match;
    return usageError("{}: the run quantizes {} by {}, which has no Gaussian mixture; {}", file,
                      source.layers[match.source].name, method, kOtherRun);
}

bool hasZero(const report::Mixture& mixture) {
    return mixture.components.front().mu == 0;
}

/// The one Gaussian mixture among those of a layer of the run, for a layer that is quantized by `method`.
Result<report::Mixture> onlyMixture(const std::vector<report::Mixture>& mixtures, const std::string& file,
                                    const std::string& layer, const std::string& method) {
    if (mixtures.size() > 1) {
        return usageError(
            "{}: {} has {} mixtures, one an output channel, and a layer takes over one; name a run of "
            "granularity = \"layer\", or set transfer = \"\" for k-means",
            file, layer, mixtures.size());
    }
    if (mixtures.empty() || report::isFixedSet(mixtures.front()))
        return usageError("{}: {} has no Gaussian mixture there; {}", file, layer, kOtherRun);
    const report::Mixture& only = mixtures.front();
    // Only a method that learns bits has, at few of them, mixtures without the fixed zero.
    if (hasZero(only) || quant::learnsBits(method)) return only;
    return usageError(
        "{}: the {} components of {} have no zero, and {} always keeps one; set quantizer.method = "
        "\"dgms-mixed\" for the layer, name another run, or set transfer = \"\"",
        file, only.components.size(), layer, method);
}

std::string sizeKey(std::size_t components) {
    if (std::has_single_bit(components)) return fmt::format("bits = {}", std::bit_width(components) - 1);
    return fmt::format("components = {}", components);
}

/// A mixture to start with, which without a zero has an unused entry in its place.
struct Offered {
    quant::MixtureStart start;
    std::size_t components = 0;  ///< in use
};

/// The newest checkpoint of a run.
class SourceRun {
  public:
    static Result<SourceRun> open(const std::string& file, report::ProgressSink& sink) {
        SourceRun source;
        source.m_file = file;
        auto run = readRecordedRun(file, sink);
        if (!run) return unreadableRun(run.error());
        source.m_run = std::move(run).value();
        if (!source.m_run.state) {
            return fail(
                "{}: the run has no checkpoint in {}; put that folder back beside the run file, or train it "
                "again",
                file, source.m_run.folder(file).path().string());
        }
        source.m_options = train::optionsOf(source.m_run.stage.quantizer, source.m_run.state->tensors);
        BITLOOM_ASSIGN_OR_RETURN(source.network, quantizedNetwork(source.m_run.graph, source.m_options));
        return source;
    }

    /// What the layer `index` of network, quantized by DGMS, offers to a layer of `method`.
    Result<Offered> mixture(std::size_t index, const std::string& method) {
        const std::string& layer = network.layers[index].name;
        if (m_latent.quantizers.empty()) {
            BITLOOM_ASSIGN_OR_RETURN(
                m_latent, train::latentModel(m_run.graph, m_options, m_run.stage.train.seed, *m_run.state));
        }
        BITLOOM_ASSIGN_OR_RETURN(const report::LayerSnapshot snapshot, train::snapshotOf(m_latent, layer));
        BITLOOM_ASSIGN_OR_RETURN(const report::Mixture found,
                                 onlyMixture(snapshot.mixtures, m_file, layer, method));
        Offered offered{{}, found.components.size()};
        quant::MixtureStart& start = offered.start;
        if (!hasZero(found)) start = {{0}, {1}, {0}};
        start.weightDeviation =
            quant::dgms::deviationOf(m_latent.parameters.at(layer + ".weight").toFloats());
        for (const report::MixtureComponent& component : found.components) {
            start.mu.push_back(component.mu);
            start.sigma.push_back(component.sigma);
            start.pi.push_back(component.pi);
        }
        return offered;
    }

    QuantizedNetwork network;

  private:
    SourceRun() = default;
    std::string m_file;
    RecordedRun m_run;
    quant::QuantizerOptions m_options;
    train::LatentModel m_latent;  ///< once a mixture was asked for
};

/// Into options.starts what `source` has for the target's i-th quantized layer.
Result<MixtureTransfer> takeMixture(const QuantizedNetwork& target, std::size_t index, SourceRun& source,
                                    quant::QuantizerOptions& options) {
    const std::string& layer = target.layers[index].name;
    const quant::LayerOptions& own = target.options[index];
    BITLOOM_ASSIGN_OR_RETURN(const LayerMatch match, matchOf(target, index, source.network, own.transfer));
    BITLOOM_ASSIGN_OR_RETURN(Offered offered, source.mixture(match.source, own.method));
    const std::size_t components = offered.components;
    const std::string& from = source.network.layers[match.source].name;
    if (components != static_cast<std::size_t>(own.components)) {
        return usageError(
            "{}: {} has {} components, {} is to have {} here; set quantizer.{}, or {} for this layer alone",
            own.transfer, from, components, layer, own.components, sizeKey(components), sizeKey(components));
    }
    options.starts[layer] = std::move(offered.start);
    return MixtureTransfer{layer, from, own.transfer, match.rule};
}

const char* reasonOf(MatchRule rule) {
    return rule == MatchRule::Shape ? "weights of the same shape" : "no layer of that shape there";
}

}  // namespace

std::vector<LayerMatch> matchLayers(const std::vector<ShapedLayer>& targets,
                                    const std::vector<ShapedLayer>& sources) {
    const auto indicesOf = [](const std::vector<ShapedLayer>& layers, const graph::Shape& shape) {
        std::vector<std::size_t> indices;
        for (std::size_t i = 0; i < layers.size(); ++i) {
            if (layers[i].shape == shape) indices.push_back(i);
        }
        return indices;
    };
    const auto atSamePlace = [](std::size_t index, std::size_t count, std::size_t others) {
        return (2 * index + 1) * others / (2 * count);
    };
    std::vector<LayerMatch> matches;
    for (std::size_t i = 0; i < targets.size(); ++i) {
        const std::vector<std::size_t> alike = indicesOf(sources, targets[i].shape);
        if (alike.empty()) {
            matches.push_back({atSamePlace(i, targets.size(), sources.size()), MatchRule::Place});
            continue;
        }
        const std::vector<std::size_t> rivals = indicesOf(targets, targets[i].shape);
        const auto index = static_cast<std::size_t>(std::ranges::find(rivals, i) - rivals.begin());
        matches.push_back({alike[atSamePlace(index, rivals.size(), alike.size())], MatchRule::Shape});
    }
    return matches;
}

Result<std::vector<MixtureTransfer>> readTransfers(const graph::Graph& graph,
                                                   quant::QuantizerOptions& options,
                                                   report::ProgressSink& sink) {
    BITLOOM_ASSIGN_OR_RETURN(const QuantizedNetwork target, quantizedNetwork(graph, options));
    std::map<std::string, SourceRun> sources;
    std::vector<MixtureTransfer> transfers;
    for (std::size_t i = 0; i < target.layers.size(); ++i) {
        const std::string& file = target.options[i].transfer;
        if (file.empty()) continue;
        auto source = sources.find(file);
        if (source == sources.end()) {
            auto opened = SourceRun::open(file, sink);
            if (!opened) return refusal(target.layers[i].name, opened.error());
            source = sources.emplace(file, std::move(opened).value()).first;
        }
        auto transfer = takeMixture(target, i, source->second, options);
        if (!transfer) return refusal(target.layers[i].name, transfer.error());
        transfers.push_back(std::move(transfer).value());
    }
    return transfers;
}

void logTransfers(const std::vector<MixtureTransfer>& transfers, const quant::QuantizerOptions& options,
                  const graph::StateDict& weights, report::ProgressSink& sink) {
    for (const MixtureTransfer& transfer : transfers) {
        const auto own = options.layers.find(transfer.layer);
        const bool scaled = (own == options.layers.end() ? options.layer : own->second).transferScale;
        const bool named = transfer.rule == MatchRule::Name;
        if (named && !scaled) continue;
        std::string line = fmt::format("{} starts with the mixture of {} in {}", transfer.layer,
                                       transfer.source, transfer.run);
        if (!named) line += fmt::format(" ({})", reasonOf(transfer.rule));
        const auto weight = weights.find(transfer.layer + ".weight");
        if (scaled && weight != weights.end()) {
            const auto scale =
                quant::dgms::transferScale(options.starts.at(transfer.layer), weight->second.toFloats());
            if (scale) line += fmt::format(", scaled by {:.4g}", *scale);
        }
        sink.log(line);
    }
}

Result<TransferOffer> transferOffer(const fs::path& run, const std::string& arch,
                                    const quant::QuantizerOptions& options, const std::string& layer) {
    BITLOOM_ASSIGN_OR_RETURN(const graph::Graph graph, graph::zoo::makeModel(arch));
    BITLOOM_ASSIGN_OR_RETURN(const QuantizedNetwork target, quantizedNetwork(graph, options));
    const auto index = findLayer(target, layer);
    if (!index) return usageError("{} is not to be quantized; choose a method for it first", layer);
    const auto read = [&]() -> Result<TransferOffer> {
        const std::string file = run.string();
        const auto opened = RunPlayback::open(run);
        if (!opened) return unreadableRun(opened.error());
        RunPlayback& playback = **opened;
        const report::RunInfo& info = playback.info();
        BITLOOM_ASSIGN_OR_RETURN(const JobSpec job, parseJob(info.jobToml, file + " (its job)", {}));
        BITLOOM_ASSIGN_OR_RETURN(const graph::Graph sourceGraph, graph::fromJson(info.graphJson));
        BITLOOM_ASSIGN_OR_RETURN(const QuantizedNetwork source,
                                 quantizedNetwork(sourceGraph, stagesOf(job).back().quantizer));
        BITLOOM_ASSIGN_OR_RETURN(const LayerMatch match, matchOf(target, *index, source, file));
        const std::string& name = source.layers[match.source].name;
        BITLOOM_ASSIGN_OR_RETURN(const auto snapshot, playback.layer(name, info.totalSteps));
        BITLOOM_ASSIGN_OR_RETURN(const report::Mixture found,
                                 onlyMixture(snapshot->mixtures, file, name, target.options[*index].method));
        return TransferOffer{name, static_cast<int>(found.components.size())};
    };
    auto offer = read();
    if (!offer) return refusal(layer, offer.error());
    return offer;
}

}  // namespace bitloom::jobs
