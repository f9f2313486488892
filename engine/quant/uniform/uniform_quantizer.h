// Equally spaced levels with a trained clip, of one layer: LSQ (Esser et al., ICLR 2020) with SDQ's bin
// regulariser (Huang et al., ICML 2022). The mathematics: README.md.
#pragma once

#include <memory>
#include <string>

#include "engine/quant/method.h"
#include "engine/quant/quantizer.h"
#include "engine/stats/histogram.h"

namespace bitloom::quant::uniform {

/// Whether a layer's options ask for 2^bits equally spaced levels; usage errors name `where`, the key's
/// place.
[[nodiscard]] Status checkLevels(const LayerOptions& layer, const std::string& where);

class UniformQuantizer final : public Quantizer {
  public:
    /// The clip starts where it fits request.weight best.
    [[nodiscard]] static Result<std::unique_ptr<Quantizer>> make(const MethodRequest& request);

    [[nodiscard]] std::string_view method() const override { return "uniform"; }
    /// Equal to hardForward(): what is trained is what is deployed.
    [[nodiscard]] torch::Tensor soft(const torch::Tensor& weight) override;
    [[nodiscard]] torch::Tensor hardForward(const torch::Tensor& weight) override { return soft(weight); }
    [[nodiscard]] QuantizedTensor hard(const torch::Tensor& weight) const override;
    /// Group "clip": c, [1].
    [[nodiscard]] std::vector<QuantizerParameter> parameters() override;
    /// A fixed set (report::isFixedSet): the levels, with the share of their weights as pi.
    [[nodiscard]] report::LayerSnapshot snapshot(const torch::Tensor& weight) const override;
    /// "clip" (float32 [1]), "least_clip" (float64 [1]) and "histogram_range" (float64 [2]).
    [[nodiscard]] graph::StateDict state() const override;
    [[nodiscard]] Status restore(const graph::StateDict& state) override;

  private:
    explicit UniformQuantizer(const MethodRequest& request);

    int m_bits;
    double m_binRegulariser;
    float m_leastClip;  // an optimizer step may go no lower
    stats::Range m_histogramRange;
    torch::Tensor m_clip;  // float32 leaf on the CPU
};

}  // namespace bitloom::quant::uniform
