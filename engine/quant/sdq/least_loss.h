// Which layers give up bits where a budget is exceeded (README.md section 4). Pure; any thread.
#pragma once

#include <cmath>
#include <span>
#include <vector>

namespace bitloom::quant::sdq {

/// A width that may go down, bit by bit; each bit adds four times what the one before added.
struct BitLoss {
    int most = 0;     ///< bits that it can give
    double cost = 0;  ///< what each of them saves, > 0
    double loss = 0;  ///< what the first one adds, >= 0

    /// What the next bit adds after `taken`.
    [[nodiscard]] double ofNext(int taken) const { return loss * std::exp2(2 * taken); }
};

/// How many bits each of `widths` gives so that together they save `missing` (> 0) with the least loss added,
/// within savings of missing / 16,384; of ways that add the same, the one that saves less. All bits where
/// they do not save as much.
[[nodiscard]] std::vector<int> leastLoss(std::span<const BitLoss> widths, double missing);

}  // namespace bitloom::quant::sdq
