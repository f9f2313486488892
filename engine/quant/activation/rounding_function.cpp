#include "engine/quant/activation/rounding_function.h"

#include <type_traits>
#include <vector>

#include "engine/quant/weight_blocks.h"

namespace bitloom::quant {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// To the nearest integer, halves to even, for |x| far below 2^22: adding 1.5 x 2^23 (2^52) leaves no room
/// for a fraction. In contrast to nearbyint it becomes vector instructions on every machine.
template <class T>
T nearestInteger(T x) {
    constexpr T kShift = std::is_same_v<T, float> ? T(12582912) : T(6755399441055744);
    return (x + kShift) - kShift;
}

template <class T>
struct Grid {
    T step;
    T lowest;   ///< -z
    T highest;  ///< 2^bits - 1 - z

    /// x / s between the ends; NaN stays NaN.
    [[nodiscard]] T clamped(T place) const {
        const T below = place < lowest ? lowest : place;
        return below > highest ? highest : below;
    }
};

template <class T>
Grid<T> gridOf(const torch::Tensor& step, std::int64_t highest, std::int64_t zeroPoint) {
    return {step.item<T>(), static_cast<T>(-zeroPoint), static_cast<T>(highest - zeroPoint)};
}

template <class T>
void roundValues(const T* from, T* to, std::int64_t count, const Grid<T>& grid) {
    forEachWeightBlock(count, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i)
            to[i] = grid.step * nearestInteger(grid.clamped(from[i] / grid.step));
    });
}

/// Gradients of x into `target`; returns that of the step.
template <class T>
double differentiateRounding(const T* from, const T* upstream, std::int64_t count, const Grid<T>& grid,
                             T* target) {
    std::vector<double> sums(static_cast<std::size_t>(weightBlocks(count)));
    forEachWeightBlock(count, [&](std::int64_t block, std::int64_t begin, std::int64_t end) {
        double sum = 0;
        for (std::int64_t i = begin; i < end; ++i) {
            const T place = from[i] / grid.step;
            const bool inside = place >= grid.lowest && place <= grid.highest;
            // Outside, the clamped place is the end itself, which is what the step is multiplied by.
            const T rounded = nearestInteger(grid.clamped(place));
            sum += static_cast<double>(upstream[i] * (rounded - (inside ? place : T(0))));
            target[i] = inside ? upstream[i] : T(0);
        }
        sums[static_cast<std::size_t>(block)] = sum;
    });
    double total = 0;
    for (const double sum : sums)
        total += sum;
    return total;
}

class RoundActivationFunction : public torch::autograd::Function<RoundActivationFunction> {
  public:
    static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x, const torch::Tensor& step,
                                 std::int64_t highest, std::int64_t zeroPoint, double stepGradient) {
        const torch::Tensor local = denseOnCpu(x);
        torch::Tensor result = torch::empty_like(local);
        AT_DISPATCH_FLOATING_TYPES(local.scalar_type(), "round_activation", [&] {
            roundValues(local.data_ptr<scalar_t>(), result.data_ptr<scalar_t>(), local.numel(),
                        gridOf<scalar_t>(step, highest, zeroPoint));
        });
        // The step is a value of its own here: an optimizer or a clamp may change the tensor in place.
        context->save_for_backward({x, step.detach().clone()});
        context->saved_data["highest"] = highest;
        context->saved_data["zeroPoint"] = zeroPoint;
        context->saved_data["stepGradient"] = stepGradient;
        return result.to(x.device());
    }

    static variable_list backward(AutogradContext* context, const variable_list& outputs) {
        const variable_list saved = context->get_saved_variables();
        const torch::Tensor local = denseOnCpu(saved[0]);
        const torch::Tensor upstream = arrangedLike(outputs[0], local);
        torch::Tensor gradient = torch::empty_like(local);
        double stepGradient = 0;
        AT_DISPATCH_FLOATING_TYPES(local.scalar_type(), "round_activation_gradient", [&] {
            const auto grid = gridOf<scalar_t>(saved[1], context->saved_data["highest"].toInt(),
                                               context->saved_data["zeroPoint"].toInt());
            stepGradient = differentiateRounding(local.data_ptr<scalar_t>(), upstream.data_ptr<scalar_t>(),
                                                 local.numel(), grid, gradient.data_ptr<scalar_t>());
        });
        stepGradient *= context->saved_data["stepGradient"].toDouble();
        return {gradient.to(saved[0].device()), torch::full_like(saved[1], stepGradient), torch::Tensor(),
                torch::Tensor(), torch::Tensor()};
    }
};

}  // namespace

torch::Tensor roundActivation(const torch::Tensor& x, const torch::Tensor& step,
                              const ActivationRounding& rounding) {
    return RoundActivationFunction::apply(x, step, std::int64_t{rounding.highest},
                                          std::int64_t{rounding.zeroPoint}, rounding.stepGradient);
}

}  // namespace bitloom::quant
