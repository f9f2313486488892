// A quantizer whose bits are chosen while it trains.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>

#include "engine/quant/sdq/bitwidth.h"
#include "engine/quant/torch.h"

namespace bitloom::quant::sdq {

/// Relative squared errors |Q(w) - w|^2 / |w|^2 of a layer at two neighbouring widths.
struct WidthErrors {
    int bits = 8;      ///< b, at which they were taken
    double upper = 0;  ///< e(b)
    double lower = 0;  ///< e(b - 1)

    /// What one bit less adds when the width stands at `now`: with each bit the step doubles, its square is
    /// fourfold.
    [[nodiscard]] double ofLowering(int now) const { return (lower - upper) * std::exp2(2 * (bits - now)); }
    /// The quantization-error regulariser's (README.md section 3), of weight lambda_Q = `weight`.
    void addGradient(double weight, Bitwidth& width) const {
        const double beta = width.probability();
        if (width.isOpen()) width.addGradient(weight * beta * (1 - beta) * (upper - lower));
    }
};

/// What a layer's relative squared error costs in loss (README.md section 4): |w|^2 E|G|^2 / N, G = dL/dw of
/// a training pass, N weights, over about the last 100 passes.
class Sensitivity {
  public:
    Sensitivity() = default;
    /// From saved numbers.
    Sensitivity(double value, double passes) : m_value(value), m_passes(passes) {}

    void add(const torch::Tensor& weight, const torch::Tensor& gradient) {
        const torch::NoGradGuard guard;
        const auto squares = [](const torch::Tensor& x) {
            const double norm = x.norm().item<double>();
            return norm * norm;
        };
        m_passes = std::min(m_passes + 1, kPasses);
        m_value +=
            (squares(weight) * squares(gradient) / static_cast<double>(weight.numel()) - m_value) / m_passes;
    }
    /// 1 before the first pass.
    [[nodiscard]] double value() const { return m_passes > 0 ? m_value : 1; }
    [[nodiscard]] double passes() const { return m_passes; }

  private:
    static constexpr double kPasses = 100;
    double m_value = 1;
    double m_passes = 0;
};

class BitChooser {
  public:
    virtual ~BitChooser() = default;
    [[nodiscard]] virtual Bitwidth& width() = 0;
    /// What one bit less adds to the loss, in a unit that all layers share: (e(b - 1) - e(b)) times the
    /// Sensitivity; > 0.
    [[nodiscard]] virtual double lossOfLowering() const = 0;
    /// From now on the layer follows `width`, which other layers may follow too. Before the first step.
    virtual void share(std::shared_ptr<Bitwidth> width) = 0;
};

}  // namespace bitloom::quant::sdq
