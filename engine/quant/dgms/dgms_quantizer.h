// Differentiable Gaussian Mixture weight Sharing (DGMS, Dong et al., IJCV 2022) of one layer. The
// mathematics: dgms/README.md.
#pragma once

#include <memory>

#include "engine/quant/dgms/dgms_function.h"
#include "engine/quant/dgms/dgms_init.h"
#include "engine/quant/method.h"
#include "engine/quant/quantizer.h"
#include "engine/stats/histogram.h"

namespace bitloom::quant::dgms {

/// request.start, which is there, scaled as request.layer asks.
[[nodiscard]] Result<InitialMixture> transferredMixture(const MethodRequest& request);

class DgmsQuantizer final : public Quantizer {
  public:
    /// Starts from request.start or, without one, k-means of request.weight. Of a checked request the only
    /// error is a scale that cannot be matched.
    [[nodiscard]] static Result<std::unique_ptr<Quantizer>> make(const MethodRequest& request);

    /// One mixture for the layer, from these components; those with pi = 0 are unused.
    [[nodiscard]] static std::unique_ptr<DgmsQuantizer> startingFrom(const InitialMixture& mixture,
                                                                     const QuantizerOptions& options,
                                                                     const stats::Range& histogramRange);
    /// The first mixture as it is now, sigma and pi as they act.
    [[nodiscard]] InitialMixture mixture() const;
    /// Sets the first mixture, which has at least as many components, in place.
    void assign(InitialMixture mixture);

    [[nodiscard]] std::string_view method() const override { return "dgms"; }
    [[nodiscard]] torch::Tensor soft(const torch::Tensor& weight) override;
    [[nodiscard]] torch::Tensor hardForward(const torch::Tensor& weight) override;
    [[nodiscard]] QuantizedTensor hard(const torch::Tensor& weight) const override;
    /// Groups "mu", "sigma" (log sigma), "pi" (log |p|) and, when the temperature is trained, "tau".
    [[nodiscard]] std::vector<QuantizerParameter> parameters() override;
    [[nodiscard]] report::LayerSnapshot snapshot(const torch::Tensor& weight) const override;
    /// "mu", "log_sigma", "log_pi", "tau" (float32) and "histogram_range" (float64 [2]).
    [[nodiscard]] graph::StateDict state() const override;
    [[nodiscard]] Status restore(const graph::StateDict& state) override;

  private:
    DgmsQuantizer(const QuantizerOptions& options, const stats::Range& histogramRange,
                  MixtureTensors mixture);
    void projectParameters();

    std::int64_t m_groups;
    bool m_trainTemperature;
    SoftOptions m_options;
    stats::Range m_histogramRange;
    MixtureTensors m_mixture;  // float32 leaves on the CPU
};

}  // namespace bitloom::quant::dgms
