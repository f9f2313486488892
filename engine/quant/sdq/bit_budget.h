// What binds the bitwidths of a network together (README.md sections 3 and 4). Used on the thread that
// trains.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/quant/options.h"
#include "engine/quant/registry.h"
#include "engine/quant/sdq/bit_chooser.h"
#include "engine/quant/step_hook.h"

namespace bitloom::quant::sdq {

/// The target of `options` as mean bits of the layers `nodes`, weighted by what the budget counts. A usage
/// error below 1, which no layer can go under.
[[nodiscard]] Result<double> targetBits(const graph::Graph& graph, const SdqOptions& options,
                                        const std::vector<std::string>& nodes);

class BitBudget final : public StepHook {
  public:
    /// For the quantizers that choose bits, which outlive it; null when none does. Joins the widths of blocks
    /// where `options` says so. Errors are those of targetBits().
    [[nodiscard]] static Result<std::unique_ptr<StepHook>> make(const graph::Graph& graph,
                                                                const QuantizerOptions& options,
                                                                const QuantizerMap& quantizers);

    void afterBackward(std::int64_t step, std::int64_t steps) override;

    /// Mean bits with every layer at bits(), weighted by cost.
    [[nodiscard]] double meanBits() const;
    /// The same with every layer at bits() with its probability, else one below.
    [[nodiscard]] double expectedBits() const;

  private:
    struct Member {
        Bitwidth* width;
        double cost;  ///< of all layers that follow it; all members together 1
        std::vector<const BitChooser*> layers;

        /// What the next bit less adds to the loss.
        [[nodiscard]] double lossOfLowering() const;
    };
    BitBudget(std::vector<Member> members, double target, double weight)
        : m_members(std::move(members)), m_target(target), m_weight(weight) {}

    void fixWhenMet();
    void takeWhatIsMissing(std::int64_t step, std::int64_t steps);
    [[nodiscard]] const Member& leastLikely() const;
    [[nodiscard]] std::vector<Bitwidth*> cheapestLowerings() const;

    std::vector<Member> m_members;
    double m_target;
    double m_weight;
};

}  // namespace bitloom::quant::sdq
