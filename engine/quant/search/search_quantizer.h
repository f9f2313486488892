// RDHS and SGT (Quantization Through Search, Lu et al., ASP-DAC 2023) of one layer: each weight is the value
// of a fixed set with the largest of its trained logits. The mathematics: README.md.
#pragma once

#include <memory>

#include "engine/quant/method.h"
#include "engine/quant/quantizer.h"
#include "engine/quant/search/search_function.h"

namespace bitloom::quant::search {

class SearchQuantizer final : public Quantizer {
  public:
    /// Posterior or random start by request.options.search. An error where no scale fits the weights.
    [[nodiscard]] static Result<std::unique_ptr<Quantizer>> makeRdhs(const MethodRequest& request);
    [[nodiscard]] static Result<std::unique_ptr<Quantizer>> makeSgt(const MethodRequest& request);

    [[nodiscard]] std::string_view method() const override;
    [[nodiscard]] bool hasLatentWeights() const override { return false; }
    /// RDHS: tau = max(rate^epoch, floor).
    void beginEpoch(std::int64_t epoch) override;
    /// Both give the hard weights with the method's gradient, in the memory of `weight`, whose values are
    /// lost. Gumbel noise only while gradients are recorded.
    [[nodiscard]] torch::Tensor soft(const torch::Tensor& weight) override;
    [[nodiscard]] torch::Tensor hardForward(const torch::Tensor& weight) override { return soft(weight); }
    /// Without noise; the values of `weight` do not matter.
    [[nodiscard]] QuantizedTensor hard(const torch::Tensor& weight) const override;
    /// Group "alpha": [m - 1, shape], or [m / 2, shape] of a set that is factored (search_function.h).
    [[nodiscard]] std::vector<QuantizerParameter> parameters() override;
    /// README.md section 5. `weights` are what the choice relaxes to, sum_k y_k q_k, `softWeights` the chosen
    /// ones; components have sigma 0 and the share of their weights as pi.
    [[nodiscard]] report::LayerSnapshot snapshot(const torch::Tensor& weight) const override;
    /// "alpha" (float32), "values" (float64, ascending, without scale), "scale" (float64 [1]) and "passes"
    /// (int64 [1]: training passes so far, which the noise follows from).
    [[nodiscard]] graph::StateDict state() const override;
    [[nodiscard]] Status restore(const graph::StateDict& state) override;

  private:
    SearchQuantizer(const MethodRequest& request, Rule rule, std::vector<double> values, double scale,
                    torch::Tensor logits);
    [[nodiscard]] static Result<std::unique_ptr<Quantizer>> make(const MethodRequest& request, Rule rule);
    [[nodiscard]] std::vector<double> scaledValues() const;

    Rule m_rule;
    SearchOptions m_options;
    std::uint64_t m_seed;
    std::vector<double> m_values;  // ascending, without scale
    double m_scale;
    double m_temperature = 1;
    std::int64_t m_passes = 0;
    torch::Tensor m_logits;  // leaf on the CPU, float16 with SearchOptions::halfLogits, else float32
    std::shared_ptr<GradientStream> m_stream = std::make_shared<GradientStream>();
    std::shared_ptr<LastPass> m_last = std::make_shared<LastPass>();
};

}  // namespace bitloom::quant::search
