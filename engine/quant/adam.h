// Adam (Kingma and Ba, 2015) with its usual constants, of a single number.
#pragma once

#include <cmath>

namespace bitloom::quant {

struct AdamMoments {
    double first = 0;   ///< running mean of the gradient
    double second = 0;  ///< running mean of its square

    /// Takes in `gradient`, of update `count` (from 1), and returns what to take from the number.
    [[nodiscard]] double change(double gradient, double rate, double count) {
        constexpr double kFirstDecay = 0.9;
        constexpr double kSecondDecay = 0.999;
        constexpr double kEpsilon = 1e-8;
        first = kFirstDecay * first + (1 - kFirstDecay) * gradient;
        second = kSecondDecay * second + (1 - kSecondDecay) * gradient * gradient;
        const double mean = first / (1 - std::pow(kFirstDecay, count));
        const double square = second / (1 - std::pow(kSecondDecay, count));
        return rate * mean / (std::sqrt(square) + kEpsilon);
    }
};

}  // namespace bitloom::quant
