#include "engine/quant/mixed/mixture_merge.h"

#include <algorithm>
#include <cmath>
#include <compare>

namespace bitloom::quant::mixed {
namespace {

struct Part {
    double pi;
    double mu;
    double square;  ///< second moment about 0
    bool anchored;  ///< the fixed zero
};

/// Squared error that putting both on one value adds.
double costOf(const Part& a, const Part& b) {
    if (a.anchored) return b.pi * b.mu * b.mu;
    if (b.anchored) return a.pi * a.mu * a.mu;
    return a.pi * b.pi / (a.pi + b.pi) * (a.mu - b.mu) * (a.mu - b.mu);
}

Part together(const Part& a, const Part& b) {
    const double pi = a.pi + b.pi;
    const bool anchored = a.anchored || b.anchored;
    return {pi, anchored ? 0 : (a.pi * a.mu + b.pi * b.mu) / pi, (a.pi * a.square + b.pi * b.square) / pi,
            anchored};
}

}  // namespace

dgms::InitialMixture mergedTo(const dgms::InitialMixture& mixture, int bits) {
    const bool keepsZero = hasZero(bits);
    std::vector<Part> parts;
    for (std::size_t k = 0; k < mixture.mu.size(); ++k) {
        const double mu = mixture.mu[k];
        if (mixture.pi[k] <= 0) continue;
        parts.push_back(
            {mixture.pi[k], mu, mixture.sigma[k] * mixture.sigma[k] + mu * mu, keepsZero && k == 0});
    }
    // An order of NaN too: what diverged is for the loss to tell.
    std::ranges::sort(parts,
                      [](const Part& a, const Part& b) { return std::is_lt(std::strong_order(a.mu, b.mu)); });
    while (parts.size() > std::size_t{1} << bits) {
        std::size_t best = 0;
        for (std::size_t i = 1; i + 1 < parts.size(); ++i) {
            if (costOf(parts[i], parts[i + 1]) < costOf(parts[best], parts[best + 1])) best = i;
        }
        parts[best] = together(parts[best], parts[best + 1]);
        parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
    dgms::InitialMixture merged{{0}, {1}, {0}};
    for (const Part& part : parts) {
        const double sigma = std::sqrt(std::max(part.square - part.mu * part.mu, 0.0));
        if (part.anchored) {
            merged.sigma[0] = sigma;
            merged.pi[0] = part.pi;
            continue;
        }
        merged.mu.push_back(part.mu);
        merged.sigma.push_back(sigma);
        merged.pi.push_back(part.pi);
    }
    return merged;
}

}  // namespace bitloom::quant::mixed
