#include "engine/quant/activation/activation_plan.h"

#include <algorithm>
#include <limits>
#include <set>

#include "engine/base/text.h"

namespace bitloom::quant {
namespace {

constexpr int kLeastBits = 2;
constexpr int kMostBits = 8;

template <class... Kinds>
bool isAnyOf(const graph::Op& op) {
    return (std::holds_alternative<Kinds>(op) || ...);
}

bool hasWeight(const graph::Node& node) {
    return isAnyOf<graph::Conv2d, graph::Linear>(node.op);
}

/// What the layers with weights read, and who reads it.
struct Readers {
    std::set<std::int32_t> sources;  ///< in graph order
    std::int32_t ofFirst = -1;       ///< the first layer's
    std::int32_t ofLast = -1;
};

Readers readersOf(const graph::Graph& graph) {
    Readers readers;
    for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
        if (!hasWeight(graph.nodes()[i])) continue;
        const std::int32_t source = activationOf(graph, {static_cast<std::int32_t>(i)}).value;
        readers.sources.insert(source);
        if (readers.ofFirst < 0) readers.ofFirst = source;
        readers.ofLast = source;
    }
    return readers;
}

bool isWidth(int bits) {
    return bits >= kLeastBits && bits <= kMostBits;
}

Status checkOverride(const graph::Graph& graph, const Readers& readers, const std::string& name, int bits) {
    if (!isWidth(bits) && bits != kFloatBits) {
        return usageError("activation.layers.\"{}\": bits = {}; take {} to {}, or {} for float", name, bits,
                          kLeastBits, kMostBits, kFloatBits);
    }
    const auto id = graph.find(name);
    if (id && readers.sources.contains(id->value)) return {};
    if (id && hasWeight(graph.node(*id))) {
        return usageError(
            "activation.layers: {} is a layer; name the activation it reads, \"{}\", or the one it ends in",
            name, graph.node(activationOf(graph, *id)).name);
    }
    std::vector<std::string> known;
    for (const std::int32_t source : readers.sources)
        known.push_back(graph.node({source}).name);
    return usageError("activation.layers: no layer of {} reads an activation \"{}\"; did you mean \"{}\"?",
                      graph.arch(), name, nearestName(name, known));
}

Status checkOptions(const graph::Graph& graph, const Readers& readers, const ActivationOptions& options) {
    for (const auto& [key, bits] :
         {std::pair("bits", options.bits), std::pair("first_last_bits", options.firstLastBits)}) {
        if (!isWidth(bits))
            return usageError("activation.{} = {}; take {} to {}", key, bits, kLeastBits, kMostBits);
    }
    if (options.images < 1) return usageError("activation.images = {}; take at least 1", options.images);
    if (options.iterations < 0)
        return usageError("activation.iterations = {}; take at least 0", options.iterations);
    if (!(options.rate > 0)) return usageError("activation.rate = {}; take one above 0", options.rate);
    for (const auto& [name, bits] : options.layers)
        BITLOOM_RETURN_IF_ERROR(checkOverride(graph, readers, name, bits));
    return {};
}

/// For every node the earliest value that nodes after it read.
std::vector<std::int32_t> earliestReadAfter(const graph::Graph& graph) {
    std::vector<std::int32_t> earliest(graph.nodes().size(), std::numeric_limits<std::int32_t>::max());
    for (std::size_t i = graph.nodes().size(); i-- > 1;) {
        earliest[i - 1] = earliest[i];
        for (const graph::NodeId input : graph.nodes()[i].inputs)
            earliest[i - 1] = std::min(earliest[i - 1], input.value);
    }
    return earliest;
}

}  // namespace

graph::NodeId activationOf(const graph::Graph& graph, graph::NodeId layer) {
    graph::NodeId source = graph.node(layer).inputs.front();
    while (isAnyOf<graph::MaxPool2d, graph::AvgPool2d, graph::GlobalAvgPool, graph::Flatten, graph::Pad,
                   graph::Slice>(graph.node(source).op)) {
        source = graph.node(source).inputs.front();
    }
    return source;
}

Result<std::vector<PlannedActivation>> planActivations(const graph::Graph& graph,
                                                       const ActivationOptions& options) {
    std::vector<PlannedActivation> planned;
    if (options.method == ActivationMethod::None) return planned;
    const Readers readers = readersOf(graph);
    BITLOOM_RETURN_IF_ERROR(checkOptions(graph, readers, options));
    // What the first layer reads, and the first activation after it.
    std::int32_t afterFirst = readers.ofLast;
    if (const auto next = readers.sources.upper_bound(readers.ofFirst); next != readers.sources.end())
        afterFirst = *next;
    for (const std::int32_t source : readers.sources) {
        const bool edge = source == readers.ofFirst || source == afterFirst || source == readers.ofLast;
        const std::string& name = graph.node({source}).name;
        const auto override = options.layers.find(name);
        int bits = edge ? options.firstLastBits : options.bits;
        if (override != options.layers.end()) bits = override->second;
        if (bits != kFloatBits) planned.push_back({name, bits});
    }
    return planned;
}

std::vector<GraphBlock> blocksOf(const graph::Graph& graph, const std::vector<PlannedActivation>& planned) {
    const std::vector<std::int32_t> earliest = earliestReadAfter(graph);
    const Readers readers = readersOf(graph);
    const auto shapes = graph::inferShapes(graph);
    std::vector<GraphBlock> blocks;
    GraphBlock block{{0}, graph.output(), {}};
    // Also at activations that stay in float, so that an override does not move the others' blocks.
    for (const std::int32_t source : readers.sources) {
        const std::string& name = graph.node({source}).name;
        const auto found = std::ranges::find(planned, name, &PlannedActivation::node);
        if (source == 0) continue;
        if (found != planned.end()) block.activations.push_back(*found);
        const auto place = static_cast<std::size_t>(source);
        const bool image = shapes && (*shapes)[place].size() == 3;
        if (!image || earliest[place] < source) continue;
        block.to = {source};
        blocks.push_back(std::move(block));
        block = {{source}, graph.output(), {}};
    }
    if (!block.activations.empty()) blocks.push_back(std::move(block));
    return blocks;
}

}  // namespace bitloom::quant
