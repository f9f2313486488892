#include "engine/quant/uniform/uniform_function.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/quant/weight_blocks.h"

namespace bitloom::quant::uniform {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// What the regulariser adds a unit of (w - v_n), by level: lambda omega 2 / (N_n s^2); 0 of bins with fewer
/// than two weights.
template <class T>
std::vector<T> binPull(const T* weights, std::int64_t count, const Levels<T>& levels,
                       const RoundingOptions& options) {
    std::vector<std::int64_t> members(levels.values().size());
    for (std::int64_t i = 0; i < count; ++i)
        ++members[levels.indexOf(weights[i])];
    const double factor =
        2 * options.binRegulariser * std::exp2(-options.bits) / (levels.step() * levels.step());
    std::vector<T> pull;
    for (const std::int64_t n : members)
        pull.push_back(n < 2 ? T(0) : static_cast<T>(factor / static_cast<double>(n)));
    return pull;
}

/// Gradients of the weights into `target`; returns that of the clip.
template <class T>
double differentiate(const T* weights, const T* upstream, std::int64_t count, const Levels<T>& levels,
                     const RoundingOptions& options, T* target) {
    std::vector<T> pull;
    if (options.binRegulariser > 0) pull = binPull(weights, count, levels, options);
    std::vector<double> sums(static_cast<std::size_t>(weightBlocks(count)));
    forEachWeightBlock(count, [&](std::int64_t block, std::int64_t begin, std::int64_t end) {
        double sum = 0;
        for (std::int64_t i = begin; i < end; ++i) {
            const T weight = weights[i];
            const std::size_t index = levels.indexOf(weight);
            const T off = weight - levels.values()[index];
            const bool inside = std::abs(weight) <= levels.clip();
            const double perClip = inside ? -static_cast<double>(off) / static_cast<double>(levels.clip())
                                          : (weight > 0 ? 1.0 : -1.0);
            sum += static_cast<double>(upstream[i]) * perClip;
            target[i] = inside ? upstream[i] : T(0);
            if (!pull.empty()) target[i] += pull[index] * off;
        }
        sums[static_cast<std::size_t>(block)] = sum;
    });
    double total = 0;
    for (const double sum : sums)
        total += sum;
    return total / std::sqrt(static_cast<double>(count) * std::exp2(options.bits - 1));
}

class RoundFunction : public torch::autograd::Function<RoundFunction> {
  public:
    static torch::Tensor forward(AutogradContext* context, const torch::Tensor& weight,
                                 const torch::Tensor& clip, std::int64_t bits, double binRegulariser) {
        const torch::Tensor local = denseOnCpu(weight);
        torch::Tensor result = torch::empty_like(local);
        AT_DISPATCH_FLOATING_TYPES(local.scalar_type(), "uniform_round", [&] {
            const Levels<scalar_t> levels(static_cast<int>(bits), clip.item<scalar_t>());
            const auto* from = local.data_ptr<scalar_t>();
            auto* to = result.data_ptr<scalar_t>();
            forEachWeightBlock(local.numel(), [&](std::int64_t, std::int64_t begin, std::int64_t end) {
                for (std::int64_t i = begin; i < end; ++i)
                    to[i] = levels.nearest(from[i]);
            });
        });
        context->save_for_backward({weight, clip});
        context->saved_data["bits"] = bits;
        context->saved_data["binRegulariser"] = binRegulariser;
        return result.to(weight.device());
    }

    static variable_list backward(AutogradContext* context, const variable_list& outputs) {
        const variable_list saved = context->get_saved_variables();
        const RoundingOptions options{static_cast<int>(context->saved_data["bits"].toInt()),
                                      context->saved_data["binRegulariser"].toDouble()};
        const torch::Tensor local = denseOnCpu(saved[0]);
        const torch::Tensor upstream = arrangedLike(outputs[0], local);
        torch::Tensor gradient = torch::empty_like(local);
        double clipGradient = 0;
        AT_DISPATCH_FLOATING_TYPES(local.scalar_type(), "uniform_gradient", [&] {
            const Levels<scalar_t> levels(options.bits, saved[1].item<scalar_t>());
            clipGradient = differentiate(local.data_ptr<scalar_t>(), upstream.data_ptr<scalar_t>(),
                                         local.numel(), levels, options, gradient.data_ptr<scalar_t>());
        });
        return {gradient.to(saved[0].device()), torch::full_like(saved[1], clipGradient), torch::Tensor(),
                torch::Tensor()};
    }
};

}  // namespace

torch::Tensor roundWeights(const torch::Tensor& weight, const torch::Tensor& clip,
                           const RoundingOptions& options) {
    return RoundFunction::apply(weight, clip, std::int64_t{options.bits}, options.binRegulariser);
}

QuantizedTensor nearestOf(const torch::Tensor& weight, const Levels<float>& levels) {
    const torch::Tensor local = rowMajorFloats(weight);
    const auto* from = local.data_ptr<float>();
    QuantizedTensor result;
    result.shape = local.sizes().vec();
    result.components = static_cast<int>(levels.values().size());
    result.codebook = levels.values();
    result.indices.resize(static_cast<std::size_t>(local.numel()));
    forEachWeightBlock(local.numel(), [&](std::int64_t, std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i)
            result.indices[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(levels.indexOf(from[i]));
    });
    return result;
}

}  // namespace bitloom::quant::uniform
