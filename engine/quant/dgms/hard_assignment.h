// Hard assignment (dgms/README.md section 2 step 4) of many weights: cells that only one component can win
// are looked up, the others compare the few that can. Gives exactly Components::hardIndex. No libtorch; any
// thread.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/quant/dgms/components.h"

namespace bitloom::quant::dgms {

class HardAssigner {
  public:
    /// For weights in [low, high]; others are right too, only slower. Keeps a reference to `components`.
    HardAssigner(const Components& components, double low, double high, int cells);

    [[nodiscard]] std::uint8_t index(double weight) const;

  private:
    const Components& m_components;
    double m_low = 0;
    double m_high = 0;
    double m_scale = 0;
    std::vector<std::uint32_t> m_start;      // of each cell's candidates, and one past the last
    std::vector<std::uint8_t> m_candidates;  // ascending within a cell
};

}  // namespace bitloom::quant::dgms
