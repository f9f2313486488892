#include "engine/quant/registry.h"

#include <algorithm>
#include <array>
#include <set>
#include <variant>

#include "engine/base/random.h"
#include "engine/base/text.h"
#include "engine/quant/dgms/components.h"
#include "engine/quant/dgms/dgms_quantizer.h"
#include "engine/quant/method.h"
#include "engine/quant/method_names.h"
#include "engine/quant/mixed/mixed_quantizer.h"
#include "engine/quant/sdq/bit_budget.h"
#include "engine/quant/sdq/sdq_quantizer.h"
#include "engine/quant/search/search_quantizer.h"
#include "engine/quant/search/value_set.h"
#include "engine/quant/uniform/levels.h"
#include "engine/quant/uniform/uniform_quantizer.h"

namespace bitloom::quant {
namespace {

struct Method {
    const char* name;
    MethodFactory make;  ///< null: full precision
    /// Of options that only this method reads, for a layer whose keys begin with `where`; null: none.
    Status (*check)(const QuantizerOptions&, const LayerOptions&, const std::string& where);
    bool learnsBits = false;
    bool startsFromMixture = false;  ///< what LayerOptions::transfer is for
};

Status checkMixtures(const QuantizerOptions& options, const LayerOptions& layer, const std::string& where) {
    if (!layer.values.empty()) {
        return usageError("{}: values is for methods \"rdhs\" and \"sgt\"; DGMS learns its own, give bits",
                          where);
    }
    if (options.temperature >= dgms::kMinTemperature && options.temperature <= dgms::kMaxTemperature)
        return {};
    return usageError("quantizer: temperature = {}; take {} to {}", options.temperature,
                      dgms::kMinTemperature, dgms::kMaxTemperature);
}

Status checkSearch(const QuantizerOptions& options, const LayerOptions& layer, const std::string& where) {
    BITLOOM_RETURN_IF_ERROR(search::checkValues(layer, where));
    if (options.granularity != Granularity::Layer) {
        return usageError(
            "quantizer: granularity = \"filter\"; {} has one set of values a layer, batch norm scales the "
            "channels",
            layer.method);
    }
    const SearchOptions& search = options.search;
    if (!(search.spread > 0)) return usageError("quantizer: spread = {}; take one above 0", search.spread);
    if (!(search.temperatureFloor > 0) || !(search.temperatureRate > 0)) {
        return usageError("quantizer: temperature_rate = {} and temperature_floor = {}; take both above 0",
                          search.temperatureRate, search.temperatureFloor);
    }
    if (search.gumbelNoise >= 0) return {};
    return usageError("quantizer: gumbel_noise = {}; take 0 or more", search.gumbelNoise);
}

Status checkUniform(const QuantizerOptions& options, const LayerOptions& layer, const std::string& where) {
    BITLOOM_RETURN_IF_ERROR(uniform::checkLevels(layer, where));
    if (options.granularity != Granularity::Layer) {
        return usageError("quantizer: granularity = \"filter\"; {} has one clip a layer", layer.method);
    }
    if (options.binRegulariser >= 0) return {};
    return usageError("quantizer: bin_regulariser = {}; take 0 or more", options.binRegulariser);
}

Status checkBudget(const QuantizerOptions& options) {
    const SdqOptions& sdq = options.sdq;
    if (!(sdq.target > 0)) return usageError("quantizer: target = {}; take one above 0", sdq.target);
    if (sdq.errorWeight >= 0 && sdq.budgetWeight >= 0) return {};
    return usageError("quantizer: error_weight = {} and budget_weight = {}; take 0 or more", sdq.errorWeight,
                      sdq.budgetWeight);
}

Status checkSdq(const QuantizerOptions& options, const LayerOptions& layer, const std::string& where) {
    BITLOOM_RETURN_IF_ERROR(checkUniform(options, layer, where));
    return checkBudget(options);
}

Status checkMixed(const QuantizerOptions& options, const LayerOptions& layer, const std::string& where) {
    BITLOOM_RETURN_IF_ERROR(checkMixtures(options, layer, where));
    BITLOOM_RETURN_IF_ERROR(mixed::checkComponents(options, layer, where));
    return checkBudget(options);
}

/// One line a method.
constexpr std::array kMethods{
    Method{"none", nullptr, nullptr},
    Method{"dgms", &dgms::DgmsQuantizer::make, &checkMixtures, false, true},
    Method{"dgms-mixed", &mixed::MixedQuantizer::make, &checkMixed, true, true},
    Method{"rdhs", &search::SearchQuantizer::makeRdhs, &checkSearch},
    Method{"sgt", &search::SearchQuantizer::makeSgt, &checkSearch},
    Method{"uniform", &uniform::UniformQuantizer::make, &checkUniform},
    Method{"sdq", &sdq::SdqQuantizer::make, &checkSdq, true},
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

/// Of a layer that is quantized by `method`, whose keys begin with `where`.
Status checkTransfer(const QuantizerOptions& options, const LayerOptions& layer, const Method& method,
                     const std::string& where) {
    if (layer.transfer.empty()) return {};
    if (!method.startsFromMixture) {
        return usageError(
            "{}.transfer: {} does not start from a Gaussian mixture; set method = \"dgms\" or "
            "\"dgms-mixed\", or transfer = \"\"",
            where, method.name);
    }
    if (options.granularity == Granularity::Layer) return {};
    return usageError(
        "{}.transfer: a layer takes over one mixture, and granularity = \"filter\" has one an output "
        "channel; set granularity = \"layer\", or transfer = \"\"",
        where);
}

/// What a layer can be named: convolutions and linear layers, in graph order.
struct Candidates {
    std::vector<std::string> names;
    std::set<std::string, std::less<>> ends;      ///< the first convolution and every linear layer
    std::set<std::string, std::less<>> excluded;  ///< by default the ends
};

Candidates candidatesOf(const graph::Graph& graph) {
    Candidates result;
    bool convolutionSeen = false;
    for (const graph::Node& node : graph.nodes()) {
        const bool convolution = std::holds_alternative<graph::Conv2d>(node.op);
        const bool linear = std::holds_alternative<graph::Linear>(node.op);
        if (!convolution && !linear) continue;
        result.names.push_back(node.name);
        if (linear || !convolutionSeen) result.ends.insert(node.name);
        convolutionSeen = convolutionSeen || convolution;
    }
    result.excluded = result.ends;
    return result;
}

Status checkEnds(const QuantizerOptions& options) {
    const int bits = options.firstLastBits;
    if (bits == 0 || (bits >= 2 && bits <= uniform::kMostBits)) return {};
    return usageError("quantizer: first_last_bits = {}; take 2 to {}, or 0 for full precision", bits,
                      uniform::kMostBits);
}

/// Whether firstLastBits decides about a layer of which the job says nothing of its own.
bool isRoundedEnd(const Candidates& candidates, const QuantizerOptions& options, const std::string& name) {
    if (options.firstLastBits == 0 || !candidates.ends.contains(name)) return false;
    return !options.exclude || !candidates.excluded.contains(name);
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
    const auto start = options.starts.find(planned.node);
    auto made =
        findMethod(planned.options.method)
            ->make({tensor.shape, values, options, planned.options, seed,
                    start == options.starts.end() ? nullptr : &start->second, planned.outsideAverage});
    if (!made)
        return Error{made.error().kind,
                     fmt::format("cannot quantize {}: {}", planned.node, made.error().message)};
    if (planned.outsideAverage) (*made)->leaveAverage();
    return made;
}

}  // namespace

Result<std::vector<PlannedLayer>> planLayers(const graph::Graph& graph, const QuantizerOptions& options) {
    BITLOOM_RETURN_IF_ERROR(checkLayer(options.layer, "quantizer"));
    BITLOOM_RETURN_IF_ERROR(checkEnds(options));
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
        if (!overridden && isRoundedEnd(candidates, options, name)) {
            LayerOptions end;
            end.method = "uniform";
            end.components = 1 << options.firstLastBits;
            planned.push_back({name, std::move(end), true});
            continue;
        }
        if (!overridden && candidates.excluded.contains(name)) continue;
        const Method& method = *findMethod(layer.method);
        if (!method.make) continue;
        const std::string where = overridden ? fmt::format("quantizer.layers.\"{}\"", name) : "quantizer";
        BITLOOM_RETURN_IF_ERROR(checkTransfer(options, layer, method, where));
        if (method.check) BITLOOM_RETURN_IF_ERROR(method.check(options, layer, where));
        planned.push_back({name, layer});
    }
    std::vector<std::string> choosing;
    for (const PlannedLayer& layer : planned) {
        if (learnsBits(layer.options.method)) choosing.push_back(layer.node);
    }
    if (choosing.empty()) return planned;
    if (auto target = sdq::targetBits(graph, options.sdq, choosing); !target)
        return std::move(target).error();
    return planned;
}

Result<QuantizerMap> makeQuantizers(const graph::Graph& graph, const graph::StateDict& state,
                                    const QuantizerOptions& options, std::uint64_t seed) {
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<PlannedLayer> planned, planLayers(graph, options));
    QuantizerMap quantizers;
    for (std::uint64_t i = 0; i < planned.size(); ++i) {
        BITLOOM_ASSIGN_OR_RETURN(quantizers[planned[i].node],
                                 makeQuantizer(planned[i], state, options, Random({seed, i}).next()));
    }
    return quantizers;
}

Result<std::vector<std::unique_ptr<StepHook>>> makeStepHooks(const graph::Graph& graph,
                                                             const QuantizerOptions& options,
                                                             const QuantizerMap& quantizers) {
    std::vector<std::unique_ptr<StepHook>> hooks;
    BITLOOM_ASSIGN_OR_RETURN(std::unique_ptr<StepHook> budget,
                             sdq::BitBudget::make(graph, options, quantizers));
    if (budget) hooks.push_back(std::move(budget));
    return hooks;
}

bool learnsBits(std::string_view method) {
    const Method* found = findMethod(method);
    return found != nullptr && found->learnsBits;
}

bool startsFromMixture(std::string_view method) {
    const Method* found = findMethod(method);
    return found != nullptr && found->startsFromMixture;
}

std::vector<std::string> methodNames() {
    std::vector<std::string> names;
    for (const Method& method : kMethods)
        names.emplace_back(method.name);
    return names;
}

}  // namespace bitloom::quant
