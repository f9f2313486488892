#include "engine/report/mixture.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <numbers>

namespace bitloom::report {
namespace {

double logScore(const MixtureComponent& component, double weight) {
    const double d = (weight - component.mu) / component.sigma;
    return std::log(component.pi) - std::log(component.sigma) - 0.5 * d * d;
}

void softmaxInPlace(std::vector<double>& values) {
    assert(!values.empty());
    const double largest = *std::max_element(values.begin(), values.end());
    double sum = 0;
    for (double& value : values)
        sum += value = std::exp(value - largest);
    for (double& value : values)
        value /= sum;
}

}  // namespace

bool isFixedSet(const Mixture& mixture) {
    return !mixture.components.empty() && std::ranges::all_of(mixture.components, [](const auto& component) {
        return component.sigma == 0;
    });
}

double componentDensity(const MixtureComponent& component, double weight) {
    const double d = (weight - component.mu) / component.sigma;
    return component.pi / (component.sigma * std::sqrt(2 * std::numbers::pi)) * std::exp(-0.5 * d * d);
}

double density(const Mixture& mixture, double weight) {
    double sum = 0;
    for (const MixtureComponent& component : mixture.components)
        sum += componentDensity(component, weight);
    return sum;
}

std::vector<double> responsibilities(const Mixture& mixture, double weight) {
    std::vector<double> scores;
    scores.reserve(mixture.components.size());
    for (const MixtureComponent& component : mixture.components)
        scores.push_back(logScore(component, weight));
    softmaxInPlace(scores);
    return scores;
}

std::size_t hardIndex(const Mixture& mixture, double weight) {
    assert(!mixture.components.empty());
    if (isFixedSet(mixture)) {
        const auto nearest = std::ranges::min_element(
            mixture.components, {},
            [weight](const MixtureComponent& component) { return std::abs(component.mu - weight); });
        return static_cast<std::size_t>(nearest - mixture.components.begin());
    }
    std::size_t best = 0;
    double bestScore = logScore(mixture.components[0], weight);
    for (std::size_t k = 1; k < mixture.components.size(); ++k) {
        const double score = logScore(mixture.components[k], weight);
        if (score > bestScore) {
            bestScore = score;
            best = k;
        }
    }
    return best;
}

double softValue(const Mixture& mixture, double weight) {
    std::vector<double> assignment = responsibilities(mixture, weight);
    for (double& value : assignment)
        value /= mixture.temperature;
    softmaxInPlace(assignment);
    double value = 0;
    for (std::size_t k = 0; k < assignment.size(); ++k)
        value += mixture.components[k].mu * assignment[k];
    return value;
}

double hardValue(const Mixture& mixture, double weight) {
    return mixture.components[hardIndex(mixture, weight)].mu;
}

std::int64_t packedWeightBytes(std::int64_t weights, const std::vector<Mixture>& mixtures) {
    constexpr std::int64_t kFloat = sizeof(float);
    if (mixtures.empty()) return weights * kFloat;
    const std::int64_t perMixture = weights / static_cast<std::int64_t>(mixtures.size());
    std::int64_t bits = 0;
    std::int64_t centroids = 0;
    for (const Mixture& mixture : mixtures) {
        const std::size_t components = std::max<std::size_t>(2, mixture.components.size());
        bits += perMixture * static_cast<std::int64_t>(std::bit_width(components - 1));
        centroids += static_cast<std::int64_t>(mixture.components.size());
    }
    return (bits + 7) / 8 + centroids * kFloat;
}

}  // namespace bitloom::report
