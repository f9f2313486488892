#include "engine/quant/dgms/components.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace bitloom::quant::dgms {

double Components::score(int k, double weight) const {
    const double d = (weight - mu[k]) * inverseSigma[k];
    return offset[k] - 0.5 * d * d;
}

int Components::hardIndex(double weight) const {
    int best = 0;
    double bestScore = score(0, weight);
    for (int k = 1; k < size(); ++k) {
        const double candidate = score(k, weight);
        if (candidate > bestScore) {
            bestScore = candidate;
            best = k;
        }
    }
    return best;
}

Components makeComponents(const double* mu, const double* logSigma, const double* logPi, int components,
                          double temperature, bool parity) {
    Components result;
    const auto size = static_cast<std::size_t>(components);
    result.mu.assign(size, 0);
    std::copy(mu, mu + components - 1, result.mu.begin() + 1);
    const double largest = *std::max_element(logPi, logPi + components);
    double sum = 0;
    for (std::size_t k = 0; k < size; ++k)
        sum += std::exp(logPi[k] - largest);
    const double logSum = largest + std::log(sum);
    for (std::size_t k = 0; k < size; ++k) {
        const double sigma = std::max(std::exp(logSigma[k]), kMinSigma);
        result.sigma.push_back(sigma);
        result.inverseSigma.push_back(1 / sigma);
        result.pi.push_back(std::exp(logPi[k] - logSum));
        result.offset.push_back(logPi[k] - logSum - std::log(sigma));
    }
    result.temperature = std::clamp(temperature, kMinTemperature, kMaxTemperature);
    // u leaves out the factor 1 / sqrt(2 pi) that all densities share, so the constant carries its inverse.
    if (parity) result.phantom = std::log(1e-11) + 0.5 * std::log(2 * std::numbers::pi);
    return result;
}

}  // namespace bitloom::quant::dgms
