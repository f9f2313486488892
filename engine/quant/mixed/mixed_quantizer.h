// Learned bitwidths over nested Gaussian-mixture codebooks of one layer: DGMS weights, SDQ's choice of how
// many components. The mathematics: README.md.
#pragma once

#include <memory>

#include "engine/quant/dgms/dgms_quantizer.h"
#include "engine/quant/method.h"
#include "engine/quant/quantizer.h"
#include "engine/quant/sdq/bit_chooser.h"

namespace bitloom::quant::mixed {

/// 2^1 to 2^8 components, no value set, one mixture a layer. `where` begins the error.
[[nodiscard]] Status checkComponents(const QuantizerOptions& options, const LayerOptions& layer,
                                     const std::string& where);

class MixedQuantizer final : public Quantizer, public sdq::BitChooser {
  public:
    /// Starts at the bits that request.layer asks for.
    [[nodiscard]] static Result<std::unique_ptr<Quantizer>> make(const MethodRequest& request);

    [[nodiscard]] std::string_view method() const override { return "dgms-mixed"; }
    /// While gradients are recorded, of the sampled width; else of bits().
    [[nodiscard]] torch::Tensor soft(const torch::Tensor& weight) override;
    [[nodiscard]] torch::Tensor hardForward(const torch::Tensor& weight) override;
    [[nodiscard]] QuantizedTensor hard(const torch::Tensor& weight) const override;
    /// DGMS's, of the mixture at bits(); they keep their size when the bits go down.
    [[nodiscard]] std::vector<QuantizerParameter> parameters() override { return m_upper->parameters(); }
    /// The mixture at bits(), without unused components.
    [[nodiscard]] report::LayerSnapshot snapshot(const torch::Tensor& weight) const override;
    /// DGMS's of the mixture at bits(), and "width", "errors" (bits of the mixture, passes since the mixture
    /// below was made, both relative errors), "sensitivity" (its value and passes), "passes" (int64 [1]) and
    /// the lower mixture's "lower/...".
    [[nodiscard]] graph::StateDict state() const override;
    /// The saved mixture may have more components than this one began with.
    [[nodiscard]] Status restore(const graph::StateDict& state) override;

    [[nodiscard]] sdq::Bitwidth& width() override { return *m_width; }
    void share(std::shared_ptr<sdq::Bitwidth> width) override { m_width = std::move(width); }
    [[nodiscard]] double lossOfLowering() const override {
        return m_errors.ofLowering(m_width->bits()) * m_sensitivity.value();
    }

  private:
    MixedQuantizer(const MethodRequest& request, dgms::InitialMixture mixture);
    [[nodiscard]] torch::Tensor quantize(const torch::Tensor& weight, bool hardForward);
    void followWidth(const torch::Tensor& weight);
    [[nodiscard]] std::unique_ptr<dgms::DgmsQuantizer> withMixture(dgms::InitialMixture mixture,
                                                                   int components) const;

    QuantizerOptions m_options;
    stats::Range m_histogramRange;
    std::shared_ptr<sdq::Bitwidth> m_width;
    std::unique_ptr<dgms::DgmsQuantizer> m_upper;  ///< at the width's bits
    std::unique_ptr<dgms::DgmsQuantizer> m_lower;  ///< at one less, made from it
    sdq::WidthErrors m_errors;
    sdq::Sensitivity m_sensitivity;
    std::int64_t m_sinceMerge = 0;
    std::int64_t m_passes = 0;
};

}  // namespace bitloom::quant::mixed
