#include "engine/qsimd/layer_weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <span>

#include "engine/qsimd/quantize_weights.h"

namespace bitloom::qsimd {
namespace {

/// Parameter `name` as floats; nothing where it is missing.
Result<std::optional<std::vector<float>>> find(const DeployedNetwork& source, const std::string& name,
                                               std::size_t count) {
    const auto found = source.rest.find(name);
    if (found == source.rest.end()) return std::optional<std::vector<float>>();
    if (static_cast<std::size_t>(found->second.count()) != count)
        return fail("{}: {} has {} values, the network needs {}", source.graph.arch(), name,
                    found->second.count(), count);
    if (const std::int64_t at = found->second.firstNonFinite(); at >= 0)
        return fail("{}: value {} of {} is not finite", source.graph.arch(), at, name);
    return std::optional(found->second.toFloats());
}

Result<std::vector<float>> get(const DeployedNetwork& source, const std::string& name, std::size_t count) {
    BITLOOM_ASSIGN_OR_RETURN(std::optional<std::vector<float>> values, find(source, name, count));
    if (!values) return fail("{}: the weights have no {}", source.graph.arch(), name);
    return std::move(*values);
}

/// [output][input][row][column] as PyTorch has it to [output][row][column][input].
template <class Value>
std::vector<Value> channelsLast(const std::vector<Value>& from, std::size_t outputs, std::size_t inputs) {
    const std::size_t taps = from.size() / outputs / inputs;
    std::vector<Value> to(from.size());
    for (std::size_t o = 0; o < outputs; ++o) {
        for (std::size_t c = 0; c < inputs; ++c) {
            for (std::size_t t = 0; t < taps; ++t)
                to[(o * taps + t) * inputs + c] = from[(o * inputs + c) * taps + t];
        }
    }
    return to;
}

std::vector<std::uint8_t> packed(const std::vector<std::uint8_t>& indices, int bits) {
    const std::size_t perByte = 8 / static_cast<std::size_t>(bits);
    std::vector<std::uint8_t> bytes((indices.size() + perByte - 1) / perByte);
    for (std::size_t i = 0; i < indices.size(); ++i)
        bytes[i / perByte] |=
            static_cast<std::uint8_t>(indices[i] << (static_cast<std::size_t>(bits) * (i % perByte)));
    return bytes;
}

Status checkCodebook(const DeployedNetwork& source, const std::string& layer, const CodebookWeights& weights,
                     std::size_t count, std::size_t outputs) {
    const std::string& arch = source.graph.arch();
    if (weights.indices.size() != count)
        return fail("{}, layer {}: {} indices for {} weights", arch, layer, weights.indices.size(), count);
    const auto entries = static_cast<std::size_t>(weights.components);
    if (weights.components < 2 || weights.components > 256 ||
        (weights.codebook.size() != entries && weights.codebook.size() != entries * outputs))
        return fail("{}, layer {}: a codebook of {} values for {} components", arch, layer,
                    weights.codebook.size(), weights.components);
    if (std::ranges::any_of(weights.indices, [&](std::uint8_t i) { return i >= weights.components; }))
        return fail("{}, layer {}: an index is beyond the codebook's {} entries", arch, layer,
                    weights.components);
    if (!std::ranges::all_of(weights.codebook, [](float v) { return std::isfinite(v); }))
        return fail("{}, layer {}: a codebook value is not finite", arch, layer);
    return {};
}

/// rounded - exact, of value i.
double roundingOf(const Int8Values& rounded, std::span<const float> exact, std::size_t i) {
    return static_cast<double>(rounded.scale) * rounded.numbers[i] - static_cast<double>(exact[i]);
}

/// What rounding moves the mean of one channel's sums by: sum over its weights of (rounded - exact) x mean of
/// the input. differenceAt(i) is of weight i, in PyTorch's order. Padding is taken for the mean too.
template <class Difference>
void addShift(std::size_t output, std::size_t inputs, std::size_t perOutput, const Difference& differenceAt,
              StoredWeights& stored) {
    const std::size_t groups = stored.inputMeans.size() / inputs;
    if (groups == 0) return;
    const std::size_t taps = perOutput / inputs;
    const std::size_t first = output * groups / stored.shift.size() * inputs;
    for (std::size_t i = 0; i < perOutput; ++i)
        stored.shift[output] += differenceAt(i) * static_cast<double>(stored.inputMeans[first + i / taps]);
}

Status storeCodebook(const DeployedNetwork& source, const CodebookWeights& weights, Convolution& step,
                     std::size_t outputs, std::size_t inputs, std::size_t count, StoredWeights& stored) {
    BITLOOM_RETURN_IF_ERROR(checkCodebook(source, step.layer, weights, count, outputs));
    const auto entries = static_cast<std::size_t>(weights.components);
    step.indexBits = entries <= 4 ? 2 : entries <= 16 ? 4 : 8;
    step.weights = packed(channelsLast(weights.indices, outputs, inputs), step.indexBits);
    const std::size_t size = std::size_t{1} << step.indexBits;
    const std::size_t books = weights.codebook.size() / entries;
    const bool bytes = step.family == Family::K2;
    step.format = bytes ? WeightFormat::Codebook8 : WeightFormat::Codebook;
    for (std::size_t book = 0; book < books; ++book) {
        const std::span<const float> values = std::span(weights.codebook).subspan(book * entries, entries);
        if (!bytes) {
            step.codebook.insert(step.codebook.end(), values.begin(), values.end());
            step.codebook.resize((book + 1) * size);
            continue;
        }
        const std::size_t perBook = count / books;
        std::vector<std::int64_t> counts(entries);
        for (const std::uint8_t index : std::span(weights.indices).subspan(book * perBook, perBook))
            ++counts[index];
        const Int8Values rounded = quantizeCodebook(values, counts);
        step.codebook8.insert(step.codebook8.end(), rounded.numbers.begin(), rounded.numbers.end());
        step.codebook8.resize((book + 1) * size);
        const std::size_t perOutput = count / outputs;
        for (std::size_t o = book * outputs / books; o < (book + 1) * outputs / books; ++o) {
            stored.scale[o] = rounded.scale;
            const auto differenceAt = [&](std::size_t i) {
                return roundingOf(rounded, values, weights.indices[o * perOutput + i]);
            };
            addShift(o, inputs, perOutput, differenceAt, stored);
        }
    }
    return {};
}

}  // namespace

Result<Affine> affineOf(const DeployedNetwork& source, const std::string& layer, const std::string& norm,
                        std::int32_t channels) {
    const auto count = static_cast<std::size_t>(channels);
    Affine affine{std::vector<double>(count, 1), std::vector<double>(count, 0)};
    BITLOOM_ASSIGN_OR_RETURN(const std::optional<std::vector<float>> bias,
                             find(source, layer + ".bias", count));
    if (bias) affine.bias.assign(bias->begin(), bias->end());
    if (norm.empty()) return affine;
    const auto node = source.graph.find(norm);
    const double epsilon = std::get<graph::BatchNorm2d>(source.graph.node(*node).op).epsilon;
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<float> weight, get(source, norm + ".weight", count));
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<float> shift, get(source, norm + ".bias", count));
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<float> mean, get(source, norm + ".running_mean", count));
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<float> variance, get(source, norm + ".running_var", count));
    for (std::size_t c = 0; c < count; ++c) {
        if (variance[c] + epsilon <= 0)
            return fail("{}: {}.running_var has the value {}", source.graph.arch(), norm, variance[c]);
        affine.scale[c] = weight[c] / std::sqrt(variance[c] + epsilon);
        affine.bias[c] = (affine.bias[c] - mean[c]) * affine.scale[c] + shift[c];
    }
    return affine;
}

Status storeWeights(const DeployedNetwork& source, Convolution& step, const Buffer& input,
                    const Buffer& output, StoredWeights& stored) {
    const auto outputs = static_cast<std::size_t>(output.channels);
    const auto inputs = static_cast<std::size_t>(input.channels / step.groups);
    const std::size_t count = outputs * inputs * static_cast<std::size_t>(step.kernelHeight) *
                              static_cast<std::size_t>(step.kernelWidth);
    stored.scale.assign(outputs, 1);
    stored.shift.assign(outputs, 0);
    const auto codebook = source.quantized.find(step.layer);
    if (codebook != source.quantized.end())
        return storeCodebook(source, codebook->second, step, outputs, inputs, count, stored);

    BITLOOM_ASSIGN_OR_RETURN(const std::vector<float> floats, get(source, step.layer + ".weight", count));
    if (step.family != Family::K2) {
        const std::vector<float> weights = channelsLast(floats, outputs, inputs);
        step.format = WeightFormat::Float32;
        step.weights.resize(4 * count);
        std::memcpy(step.weights.data(), weights.data(), 4 * count);
        return {};
    }
    step.format = WeightFormat::Int8;
    const std::size_t perOutput = count / outputs;
    std::vector<std::uint8_t> numbers(count);
    for (std::size_t o = 0; o < outputs; ++o) {
        const std::span<const float> exact = std::span(floats).subspan(o * perOutput, perOutput);
        const Int8Values rounded = quantizeWeights(exact);
        std::memcpy(numbers.data() + o * perOutput, rounded.numbers.data(), perOutput);
        stored.scale[o] = rounded.scale;
        const auto differenceAt = [&](std::size_t i) { return roundingOf(rounded, exact, i); };
        addShift(o, inputs, perOutput, differenceAt, stored);
    }
    step.weights = channelsLast(numbers, outputs, inputs);
    return {};
}

}  // namespace bitloom::qsimd
