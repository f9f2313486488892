#include "engine/quant/registry.h"

#include <algorithm>
#include <array>
#include <set>
#include <variant>

#include "engine/base/text.h"
#include "engine/quant/dgms/components.h"
#include "engine/quant/dgms/dgms_quantizer.h"
#include "engine/quant/method.h"
#include "engine/quant/method_names.h"

namespace bitloom::quant {
namespace {

struct Method {
    const char* name;
    MethodFactory make;                        ///< null: full precision
    Status (*check)(const QuantizerOptions&);  ///< of options that only this method reads; null: none
};

Status checkMixtures(const QuantizerOptions& options) {
    if (options.temperature >= dgms::kMinTemperature && options.temperature <= dgms::kMaxTemperature)
        return {};
    return usageError("quantizer: temperature = {}; take {} to {}", options.temperature,
                      dgms::kMinTemperature, dgms::kMaxTemperature);
}

/// One line a method.
constexpr std::array kMethods{
    Method{"none", nullptr, nullptr},
    Method{"dgms", &dgms::DgmsQuantizer::make, &checkMixtures},
};

const Method* findMethod(std::string_view name) {
    const auto found =
        std::find_if(kMethods.begin(), kMethods.end(), [&](const Method& m) { return m.name == name; });
    return found == kMethods.end() ? nullptr : &*found;
}

Status checkLayer(const LayerOptions& layer, const std::string& where) {
    const std::vector<std::string> names = methodNames();
    if (!findMethod(layer.method)) {
        return usageError("{}: unknown method \"{}\"; did you mean \"{}\"?", where, layer.method,
                          nearestName(layer.method, names));
    }
    if (layer.components < 2 || layer.components > 256) {
        return usageError("{}: components = {}; take 2 to 256 (1 to 8 bits)", where, layer.components);
    }
    return {};
}

/// What a layer can be named: convolutions and linear layers, in graph order.
struct Candidates {
    std::vector<std::string> names;
    std::set<std::string, std::less<>>
        excluded;  ///< by default: the first convolution and every linear layer
};

Candidates candidatesOf(const graph::Graph& graph) {
    Candidates result;
    bool convolutionSeen = false;
    for (const graph::Node& node : graph.nodes()) {
        const bool convolution = std::holds_alternative<graph::Conv2d>(node.op);
        const bool linear = std::holds_alternative<graph::Linear>(node.op);
        if (!convolution && !linear) continue;
        result.names.push_back(node.name);
        if (linear || !convolutionSeen) result.excluded.insert(node.name);
        convolutionSeen = convolutionSeen || convolution;
    }
    return result;
}

Status checkName(const Candidates& candidates, const graph::Graph& graph, const std::string& name,
                 const std::string& where) {
    if (std::find(candidates.names.begin(), candidates.names.end(), name) != candidates.names.end())
        return {};
    if (graph.find(name)) {
        return usageError(
            "{}: \"{}\" of {} has no weight to quantize; only convolutions and linear layers have", where,
            name, graph.arch());
    }
    return usageError("{}: {} has no layer \"{}\"; did you mean \"{}\"?", where, graph.arch(), name,
                      nearestName(name, candidates.names));
}

Result<std::unique_ptr<Quantizer>> makeQuantizer(const PlannedLayer& planned, const graph::StateDict& state,
                                                 const QuantizerOptions& options, std::uint64_t seed) {
    const std::string key = planned.node + ".weight";
    const auto weight = state.find(key);
    if (weight == state.end())
        return fail("cannot quantize {}: the weights have no \"{}\"", planned.node, key);
    const graph::Tensor& tensor = weight->second;
    if (tensor.shape.empty() || tensor.count() == 0) {
        return fail("cannot quantize {}: \"{}\" is empty, shape {}", planned.node, key,
                    graph::toText(tensor.shape));
    }
    if (const std::int64_t position = tensor.firstNonFinite(); position >= 0) {
        return fail("cannot quantize {}: \"{}\" is NaN or infinite at element {}; use another checkpoint",
                    planned.node, key, position);
    }
    const std::vector<float> values = tensor.toFloats();
    return findMethod(planned.options.method)->make({tensor.shape, values, options, planned.options, seed});
}

}  // namespace

Result<std::vector<PlannedLayer>> planLayers(const graph::Graph& graph, const QuantizerOptions& options) {
    BITLOOM_RETURN_IF_ERROR(checkLayer(options.layer, "quantizer"));
    Candidates candidates = candidatesOf(graph);
    if (options.exclude) {
        for (const std::string& name : *options.exclude) {
            BITLOOM_RETURN_IF_ERROR(checkName(candidates, graph, name, "quantizer.exclude"));
        }
        candidates.excluded = {options.exclude->begin(), options.exclude->end()};
    }
    for (const auto& [name, layer] : options.layers) {
        BITLOOM_RETURN_IF_ERROR(checkName(candidates, graph, name, "quantizer.layers"));
        BITLOOM_RETURN_IF_ERROR(checkLayer(layer, fmt::format("quantizer.layers.\"{}\"", name)));
    }
    std::vector<PlannedLayer> planned;
    for (const std::string& name : candidates.names) {
        const auto override = options.layers.find(name);
        const bool overridden = override != options.layers.end();
        const LayerOptions& layer = overridden ? override->second : options.layer;
        if (!overridden && candidates.excluded.contains(name)) continue;
        const Method& method = *findMethod(layer.method);
        if (!method.make) continue;
        if (method.check) BITLOOM_RETURN_IF_ERROR(method.check(options));
        planned.push_back({name, layer});
    }
    return planned;
}

Result<QuantizerMap> makeQuantizers(const graph::Graph& graph, const graph::StateDict& state,
                                    const QuantizerOptions& options, std::uint64_t seed) {
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<PlannedLayer> planned, planLayers(graph, options));
    QuantizerMap quantizers;
    for (const PlannedLayer& layer : planned) {
        BITLOOM_ASSIGN_OR_RETURN(quantizers[layer.node], makeQuantizer(layer, state, options, seed));
    }
    return quantizers;
}

std::vector<std::string> methodNames() {
    std::vector<std::string> names;
    for (const Method& method : kMethods)
        names.emplace_back(method.name);
    return names;
}

}  // namespace bitloom::quant
