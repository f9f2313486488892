#include "engine/quant/sdq/sdq_function.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/quant/uniform/levels.h"
#include "engine/quant/weight_blocks.h"

namespace bitloom::quant::sdq {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using uniform::Levels;

struct Choice : torch::CustomClassHolder {
    WidthPair pair;
    Bitwidth::Sample sample;
    Bitwidth* width = nullptr;
    Sensitivity* sensitivity = nullptr;

    template <class T>
    [[nodiscard]] Levels<T> upper() const {
        return {pair.bits, static_cast<T>(pair.clip)};
    }
    template <class T>
    [[nodiscard]] Levels<T> lower() const {
        return {std::max(pair.bits - 1, 1), static_cast<T>(pair.lowerClip)};
    }
};

class SampleFunction : public torch::autograd::Function<SampleFunction> {
  public:
    static torch::Tensor forward(AutogradContext* context, const torch::Tensor& weight,
                                 const c10::intrusive_ptr<Choice>& choice) {
        const torch::Tensor local = denseOnCpu(weight);
        torch::Tensor result = torch::empty_like(local);
        AT_DISPATCH_FLOATING_TYPES(local.scalar_type(), "sdq_sample", [&] {
            const Levels<scalar_t> levels =
                choice->sample.stays ? choice->upper<scalar_t>() : choice->lower<scalar_t>();
            const auto* from = local.data_ptr<scalar_t>();
            auto* to = result.data_ptr<scalar_t>();
            forEachWeightBlock(local.numel(), [&](std::int64_t, std::int64_t begin, std::int64_t end) {
                for (std::int64_t i = begin; i < end; ++i)
                    to[i] = levels.nearest(from[i]);
            });
        });
        context->save_for_backward({weight});
        context->saved_data["choice"] = c10::IValue::make_capsule(choice);
        return result.to(weight.device());
    }

    static variable_list backward(AutogradContext* context, const variable_list& outputs) {
        const torch::Tensor weight = context->get_saved_variables()[0];
        const auto holder = context->saved_data["choice"].toCapsule();
        const auto& choice = static_cast<const Choice&>(*holder);
        const torch::Tensor local = denseOnCpu(weight);
        const torch::Tensor upstream = arrangedLike(outputs[0], local);
        torch::Tensor gradient = torch::empty_like(local);
        std::vector<double> sums(static_cast<std::size_t>(weightBlocks(local.numel())));
        AT_DISPATCH_FLOATING_TYPES(local.scalar_type(), "sdq_gradient", [&] {
            const Levels<scalar_t> upper = choice.upper<scalar_t>();
            const Levels<scalar_t> lower = choice.lower<scalar_t>();
            const scalar_t clip = choice.sample.stays ? upper.clip() : lower.clip();
            const auto* from = local.data_ptr<scalar_t>();
            const auto* up = upstream.data_ptr<scalar_t>();
            auto* to = gradient.data_ptr<scalar_t>();
            forEachWeightBlock(local.numel(), [&](std::int64_t block, std::int64_t begin, std::int64_t end) {
                double sum = 0;
                for (std::int64_t i = begin; i < end; ++i) {
                    to[i] = std::abs(from[i]) <= clip ? up[i] : scalar_t(0);
                    sum += static_cast<double>(up[i]) *
                           (static_cast<double>(upper.nearest(from[i])) - lower.nearest(from[i]));
                }
                sums[static_cast<std::size_t>(block)] = sum;
            });
        });
        double product = 0;
        for (const double sum : sums)
            product += sum;
        if (choice.sample.slope > 0) {  // else the width is no longer open
            choice.width->addGradient(product * choice.sample.slope);
            choice.sensitivity->add(local, upstream);
        }
        return {gradient.to(weight.device()), torch::Tensor()};
    }
};

}  // namespace

torch::Tensor sampledWeights(const torch::Tensor& weight, const WidthPair& pair,
                             const Bitwidth::Sample& sample, Bitwidth& width, Sensitivity& sensitivity) {
    auto choice = c10::make_intrusive<Choice>();
    choice->pair = pair;
    choice->sample = sample;
    choice->width = &width;
    choice->sensitivity = &sensitivity;
    return SampleFunction::apply(weight, choice);
}

}  // namespace bitloom::quant::sdq
