// A quantizer whose bits are chosen while it trains.
#pragma once

#include <memory>

#include "engine/quant/sdq/bitwidth.h"

namespace bitloom::quant::sdq {

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
