// A quantizer whose bits are chosen while it trains.
#pragma once

#include <cmath>
#include <memory>

#include "engine/quant/sdq/bitwidth.h"

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

class BitChooser {
  public:
    virtual ~BitChooser() = default;
    [[nodiscard]] virtual Bitwidth& width() = 0;
    /// What one bit less adds to the relative squared error of the layer's weights, e(b - 1) - e(b); > 0.
    [[nodiscard]] virtual double errorOfLowering() const = 0;
    /// From now on the layer follows `width`, which other layers may follow too. Before the first step.
    virtual void share(std::shared_ptr<Bitwidth> width) = 0;
};

}  // namespace bitloom::quant::sdq
