// SDQ's first phase (Huang et al., ICML 2022) of one layer: equally spaced levels whose number is learned.
// The mathematics: README.md.
#pragma once

#include <memory>

#include "engine/quant/method.h"
#include "engine/quant/quantizer.h"
#include "engine/quant/sdq/bit_chooser.h"
#include "engine/quant/sdq/sdq_function.h"
#include "engine/stats/histogram.h"

namespace bitloom::quant::sdq {

class SdqQuantizer final : public Quantizer, public BitChooser {
  public:
    /// Starts at the bits that request.layer asks for.
    [[nodiscard]] static Result<std::unique_ptr<Quantizer>> make(const MethodRequest& request);

    [[nodiscard]] std::string_view method() const override { return "sdq"; }
    /// While gradients are recorded, at the sampled width; else at bits().
    [[nodiscard]] torch::Tensor soft(const torch::Tensor& weight) override;
    [[nodiscard]] torch::Tensor hardForward(const torch::Tensor& weight) override { return soft(weight); }
    [[nodiscard]] QuantizedTensor hard(const torch::Tensor& weight) const override;
    /// None: widths are trained by the budget, clips are searched.
    [[nodiscard]] std::vector<QuantizerParameter> parameters() override { return {}; }
    /// A fixed set (report::isFixedSet): the levels at bits().
    [[nodiscard]] report::LayerSnapshot snapshot(const torch::Tensor& weight) const override;
    /// "width", "clips" (bits they were searched at, clip, lower clip, passes since, both relative errors),
    /// "sensitivity" (its value and passes), "histogram_range" (float64) and "passes" (int64 [1]: training
    /// passes so far).
    [[nodiscard]] graph::StateDict state() const override;
    [[nodiscard]] Status restore(const graph::StateDict& state) override;

    [[nodiscard]] Bitwidth& width() override { return *m_width; }
    [[nodiscard]] double lossOfLowering() const override {
        return m_errors.ofLowering(m_width->bits()) * m_sensitivity.value();
    }
    void share(std::shared_ptr<Bitwidth> width) override { m_width = std::move(width); }

  private:
    explicit SdqQuantizer(const MethodRequest& request);
    void searchClips(const torch::Tensor& weight);

    double m_errorWeight;
    std::shared_ptr<Bitwidth> m_width;
    WidthPair m_pair;
    std::int64_t m_sinceSearch = 0;
    WidthErrors m_errors;
    Sensitivity m_sensitivity;
    std::int64_t m_passes = 0;
    stats::Range m_histogramRange;
};

}  // namespace bitloom::quant::sdq
