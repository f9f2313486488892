#include "engine/checkpoint/name_matching.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "engine/base/text.h"
#include "engine/checkpoint/utf8.h"
#include "engine/graph/zoo/zoo.h"

namespace bitloom::checkpoint {
namespace {

using graph::DType;
using graph::Graph;
using graph::ParameterSpec;
using graph::Shape;
using graph::Tensor;

constexpr std::string_view kBatchCount = "num_batches_tracked";

/// Names that programs give to the container of a network, in a file or in a wrapping module.
constexpr std::array kContainers =
    std::to_array<std::string_view>({"state_dict", "model_state_dict", "model", "module", "net", "network",
                                     "weights", "params", "_orig_mod"});

/// What distinguishes a layer of a network from an optimizer's state or a counter.
constexpr std::array kLayerParts =
    std::to_array<std::string_view>({".weight", ".bias", ".running_mean", ".running_var"});

/// Containers within containers; a hostile key may name thousands.
constexpr int kMaxContainers = 8;

/// The leading run of container names of `key` in every length, the empty one included: "", "state_dict.",
/// "state_dict.module.".
void collectPrefixes(std::string_view key, std::set<std::string>& prefixes) {
    std::size_t length = 0;
    for (int containers = 0; containers <= kMaxContainers; ++containers) {
        prefixes.emplace(key.substr(0, length));
        const std::size_t dot = key.find('.', length);
        if (dot == std::string_view::npos) return;
        if (std::ranges::find(kContainers, key.substr(length, dot - length)) == kContainers.end()) return;
        length = dot + 1;
    }
}

/// The prefix under which most parameters are found; the shortest, then the first, of equal ones.
std::string choosePrefix(const std::vector<ParameterSpec>& parameters, const Checkpoint& checkpoint) {
    std::set<std::string> prefixes;
    for (const auto& [key, tensor] : checkpoint.tensors)
        collectPrefixes(key, prefixes);
    std::string best;
    std::ptrdiff_t bestCount = -1;
    for (const std::string& prefix : prefixes) {
        const auto found = [&](const ParameterSpec& spec) {
            return checkpoint.tensors.contains(prefix + spec.name);
        };
        const std::ptrdiff_t count = std::ranges::count_if(parameters, found);
        if (count > bestCount || (count == bestCount && prefix.size() < best.size())) {
            best = prefix;
            bestCount = count;
        }
    }
    return best;
}

/// Whether two shapes hold the same elements in the same order: equal but for extents of 1. Equal counts are
/// not enough, since a transposed weight has them too.
bool sameLayout(Shape first, Shape second) {
    std::erase(first, 1);
    std::erase(second, 1);
    return first == second;
}

bool isBatchCount(std::string_view parameter) {
    return parameter.ends_with(kBatchCount);
}

/// The report alone: names and shapes, no content.
MappingReport matchNames(const Graph& graph, const Checkpoint& checkpoint) {
    const std::vector<ParameterSpec> parameters = graph.parameters();
    MappingReport report;
    report.strippedPrefix = choosePrefix(parameters, checkpoint);
    std::unordered_set<std::string_view> used;
    for (const ParameterSpec& spec : parameters) {
        const auto found = checkpoint.tensors.find(report.strippedPrefix + spec.name);
        if (found == checkpoint.tensors.end()) {
            if (!isBatchCount(spec.name)) report.missing.push_back(spec.name);
            continue;
        }
        const auto& [key, tensor] = *found;
        used.insert(key);
        if (tensor.shape == spec.shape) {
            report.matched.push_back({spec.name, key});
        } else if (sameLayout(tensor.shape, spec.shape)) {
            report.reshaped.push_back({spec.name, key});
        } else {
            report.mismatched.push_back({spec.name, key, spec.shape, tensor.shape});
        }
    }
    for (const auto& [key, tensor] : checkpoint.tensors) {
        if (!used.contains(key)) report.unexpected.push_back(key);
    }
    return report;
}

/// "[0, 2, 1]" of a flat index in row-major order.
std::string positionText(std::int64_t index, const Shape& shape) {
    Shape position(shape.size());
    for (std::size_t i = shape.size(); i > 0; --i) {
        position[i - 1] = index % shape[i - 1];
        index /= shape[i - 1];
    }
    return graph::toText(position);
}

/// `tensor` as the graph's parameter: float32 of its shape, int64 for batch counts.
Result<Tensor> convert(const Tensor& tensor, const ParameterSpec& spec, const std::string& key) {
    if (isBatchCount(spec.name)) {
        if (tensor.dtype == DType::I64) return Tensor{DType::I64, spec.shape, tensor.bytes};
        std::vector<std::int64_t> counts;
        for (const float value : tensor.toFloats()) {
            const bool possible = value >= 0 && value < 0x1p63f;  // neither of them a NaN
            counts.push_back(possible ? static_cast<std::int64_t>(value) : 0);
        }
        return Tensor::fromInt64(spec.shape, counts);
    }
    Tensor converted = tensor.dtype == DType::F32 ? Tensor{DType::F32, spec.shape, tensor.bytes}
                                                  : Tensor::fromFloats(spec.shape, tensor.toFloats());
    // Looked for after the conversion: a float64 beyond float32's range is as useless as an infinity.
    if (const std::int64_t index = converted.firstNonFinite(); index >= 0) {
        return fail(
            "tensor {} is not a finite float32 at {}: the training that wrote it diverged; use an earlier "
            "checkpoint",
            printable(key), positionText(index, tensor.shape));
    }
    return converted;
}

void appendNames(std::string& text, const char* title, const std::vector<std::string>& names) {
    if (!names.empty()) text += fmt::format("{} {}: {}\n", names.size(), title, joinNames(names));
}

}  // namespace

bool MappingReport::fits() const {
    const auto isLayer = [this](const std::string& key) {
        return key.starts_with(strippedPrefix) &&
               std::ranges::any_of(kLayerParts,
                                   [&key](std::string_view part) { return key.ends_with(part); });
    };
    return complete() && std::ranges::none_of(unexpected, isLayer);
}

std::string MappingReport::toText() const {
    std::string text = fmt::format("{} parameters matched by name", matched.size());
    if (!strippedPrefix.empty()) text += fmt::format(" after \"{}\"", strippedPrefix);
    text += '\n';
    std::vector<std::string> reshapedNames;
    for (const Match& match : reshaped)
        reshapedNames.push_back(match.parameter);
    appendNames(text, "loaded without regard to dimensions of 1", reshapedNames);
    appendNames(text, "missing in the file", missing);
    std::vector<std::string> mismatches;
    for (const Mismatch& mismatch : mismatched) {
        mismatches.push_back(fmt::format("{} ({} in the file, {} in the network)", mismatch.parameter,
                                         graph::toText(mismatch.found), graph::toText(mismatch.expected)));
    }
    appendNames(text, "of another shape, not loaded", mismatches);
    appendNames(text, "in the file only", unexpected);
    return printable(text);
}

Result<MappedWeights> mapWeights(const Graph& graph, const Checkpoint& checkpoint) {
    MappedWeights mapped;
    mapped.report = matchNames(graph, checkpoint);
    const std::string& prefix = mapped.report.strippedPrefix;
    for (const ParameterSpec& spec : graph.parameters()) {
        const auto found = checkpoint.tensors.find(prefix + spec.name);
        if (found != checkpoint.tensors.end() && sameLayout(found->second.shape, spec.shape)) {
            BITLOOM_ASSIGN_OR_RETURN(mapped.state[spec.name], convert(found->second, spec, found->first));
        } else if (isBatchCount(spec.name) && found == checkpoint.tensors.end()) {
            // PyTorch before 0.4.1 did not count.
            mapped.state[spec.name] = Tensor::fromInt64(spec.shape, {0});
        }
    }
    return mapped;
}

std::optional<std::int64_t> classesInFile(const Graph& graph, const Checkpoint& checkpoint) {
    const auto& nodes = graph.nodes();
    const auto last = std::find_if(nodes.rbegin(), nodes.rend(), [](const graph::Node& node) {
        return std::holds_alternative<graph::Linear>(node.op);
    });
    if (last == nodes.rend()) return std::nullopt;
    const std::string prefix = choosePrefix(graph.parameters(), checkpoint);
    const auto weight = checkpoint.tensors.find(prefix + last->name + ".weight");
    if (weight == checkpoint.tensors.end() || weight->second.shape.size() != 2) return std::nullopt;
    const std::int64_t rows = weight->second.shape[0];
    if (rows < 1) return std::nullopt;
    return rows;
}

std::string guessArchitecture(const Checkpoint& checkpoint) {
    std::string best;
    std::size_t fewestSurprises = 0;
    for (const std::string& name : graph::zoo::modelNames()) {
        Result<Graph> graph = graph::zoo::makeModel(name);
        if (!graph) continue;
        if (const auto classes = classesInFile(*graph, checkpoint)) {
            graph = graph::zoo::makeModel(name, {.classes = *classes, .imageSize = 0});
            if (!graph) continue;
        }
        const MappingReport report = matchNames(*graph, checkpoint);
        const std::size_t surprises = report.unexpected.size() + report.reshaped.size();
        if (!report.fits() || (!best.empty() && surprises >= fewestSurprises)) continue;
        best = name;
        fewestSurprises = surprises;
    }
    return best;
}

}  // namespace bitloom::checkpoint
