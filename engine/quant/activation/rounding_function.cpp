#include "engine/quant/activation/rounding_function.h"

#include <array>
#include <type_traits>
#include <vector>

#include "engine/quant/weight_blocks.h"

namespace bitloom::quant {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// 1.5 x 2^23 (2^52): added to x far below 2^22 it leaves no room for a fraction, so that taking it off again
/// gives the nearest integer, halves to even; in contrast to nearbyint as vector instructions everywhere.
template <class T>
constexpr T kRoundingShift = std::is_same_v<T, float> ? T(12582912) : T(6755399441055744);

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
            to[i] = grid.step * ((grid.clamped(from[i] / grid.step) + kRoundingShift<T>)-kRoundingShift<T>);
    });
}

/// Adds up in several lanes, which become vector instructions; one sum alone would wait for itself.
template <class T>
double sumOf(const T* values, std::int64_t count) {
    constexpr std::int64_t kLanes = 8;
    std::array<double, kLanes> lanes{};
    std::int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
        for (std::int64_t lane = 0; lane < kLanes; ++lane)
            lanes[static_cast<std::size_t>(lane)] += static_cast<double>(values[i + lane]);
    }
    double sum = 0;
    for (; i < count; ++i)
        sum += static_cast<double>(values[i]);
    for (const double lane : lanes)
        sum += lane;
    return sum;
}

// As far as g++ knows a comparison may trap, so that it keeps a branch for each, which costs ten times the
// rest where values lie on both sides of a bound. What must be inlined for this stands in the loop.
#if defined(__GNUC__) && !defined(__clang__)
#define BITLOOM_COMPARES_FREELY __attribute__((optimize("no-trapping-math")))
#else
#define BITLOOM_COMPARES_FREELY
#endif

/// Of `count` values: gradients of x into `target`, and what each adds to that of the step into `terms`.
template <class T>
BITLOOM_COMPARES_FREELY void differentiateBlock(const T* __restrict from, const T* __restrict upstream,
                                                std::int64_t count, const Grid<T> grid, T* __restrict target,
                                                T* __restrict terms) {
    constexpr T kShift = kRoundingShift<T>;
    for (std::int64_t i = 0; i < count; ++i) {
        const T place = from[i] / grid.step;
        const T below = place < grid.lowest ? grid.lowest : place;
        const T bounded = below > grid.highest ? grid.highest : below;
        const T passed = bounded == place ? T(1) : T(0);
        // Outside, the bound is the end itself, which is what the step is multiplied by.
        terms[i] = upstream[i] * ((bounded + kShift) - kShift - passed * bounded);
        target[i] = passed * upstream[i];
    }
}

#undef BITLOOM_COMPARES_FREELY

/// Gradients of x into `target`; returns that of the step.
template <class T>
double differentiateRounding(const T* from, const T* upstream, std::int64_t count, const Grid<T>& grid,
                             T* target) {
    std::vector<double> sums(static_cast<std::size_t>(weightBlocks(count)));
    forEachWeightBlock(count, [&](std::int64_t block, std::int64_t begin, std::int64_t end) {
        std::array<T, kWeightBlock> terms;
        differentiateBlock(from + begin, upstream + begin, end - begin, grid, target + begin, terms.data());
        sums[static_cast<std::size_t>(block)] = sumOf(terms.data(), end - begin);
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
