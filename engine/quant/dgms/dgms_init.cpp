#include "engine/quant/dgms/dgms_init.h"

#include <algorithm>
#include <cmath>

#include "engine/quant/dgms/components.h"
#include "engine/stats/kmeans1d.h"

namespace bitloom::quant::dgms {
namespace {

constexpr double kEmpiricalSigma = 0.01;

/// Members' deviation from zero instead of from their centre.
double deviationFromZero(const stats::Clusters& clusters, std::size_t index) {
    const auto count = static_cast<double>(clusters.counts[index]);
    const double centre = clusters.centres[index];
    const double deviation = clusters.deviations[index];
    return std::sqrt(deviation * deviation + count * centre * centre / std::max(count - 1, 1.0));
}

/// Components as they are added.
struct MixtureOfClusters {
    MixtureOfClusters(std::span<const float> values, SigmaInit start)
        : sigma(start),
          total(static_cast<double>(values.size())),
          floor(std::max(kMinSigma, 1e-3 * deviationOf(values))) {}

    void add(double mu, double deviation, double count) {
        mixture.mu.push_back(mu);
        mixture.sigma.push_back(sigma == SigmaInit::Empirical ? kEmpiricalSigma : std::max(deviation, floor));
        mixture.pi.push_back(count / total);
    }
    void add(const stats::Clusters& clusters, std::size_t i) {
        add(clusters.centres[i], clusters.deviations[i], static_cast<double>(clusters.counts[i]));
    }

    SigmaInit sigma;
    double total;
    double floor;
    InitialMixture mixture;
};

}  // namespace

double deviationOf(std::span<const float> values) {
    double mean = 0;
    for (const float value : values)
        mean += value;
    mean /= static_cast<double>(values.size());
    double squares = 0;
    for (const float value : values)
        squares += (value - mean) * (value - mean);
    return std::sqrt(squares / static_cast<double>(std::max<std::size_t>(values.size() - 1, 1)));
}

InitialMixture initialMixture(std::span<const float> values, int components, SigmaInit sigma) {
    const stats::Clusters clusters = stats::kmeans1d(values, components);
    MixtureOfClusters made(values, sigma);
    const std::size_t found = clusters.centres.size();
    const auto closer = [](double a, double b) { return std::abs(a) < std::abs(b); };
    const auto zero =
        static_cast<std::size_t>(std::min_element(clusters.centres.begin(), clusters.centres.end(), closer) -
                                 clusters.centres.begin());
    // With components to spare every distinct value keeps its own centre and zero becomes one more.
    const bool zeroTakesCluster =
        found == static_cast<std::size_t>(components) || clusters.centres[zero] == 0;
    if (zeroTakesCluster) {
        made.add(0, deviationFromZero(clusters, zero), static_cast<double>(clusters.counts[zero]));
    } else {
        made.add(0, 0, 0.5);  // nobody's component yet: less than one member, but its log exists
    }
    for (std::size_t i = 0; i < found; ++i) {
        if (!zeroTakesCluster || i != zero) made.add(clusters, i);
    }
    return made.mixture;
}

InitialMixture mixtureWithoutZero(std::span<const float> values, int components, SigmaInit sigma) {
    const stats::Clusters clusters = stats::kmeans1d(values, components);
    MixtureOfClusters made(values, sigma);
    pad(made.mixture, 1);
    for (std::size_t i = 0; i < clusters.centres.size(); ++i)
        made.add(clusters, i);
    return made.mixture;
}

Result<double> transferScale(const MixtureStart& start, std::span<const float> values) {
    const double deviation = deviationOf(values);
    if (deviation > 0 && start.weightDeviation > 0) return deviation / start.weightDeviation;
    return usageError(
        "its weights{} are all equal, so there is no scale to match; set quantizer.transfer_scale = false, "
        "or transfer = \"\" for this layer",
        deviation > 0 ? " in the run that the mixture comes from" : "");
}

InitialMixture transferredMixture(const MixtureStart& start, double scale) {
    InitialMixture mixture{start.mu, start.sigma, start.pi};
    for (double& mu : mixture.mu)
        mu *= scale;
    for (double& sigma : mixture.sigma)
        sigma = std::max(sigma * scale, kMinSigma);
    return mixture;
}

void pad(InitialMixture& mixture, int components) {
    while (static_cast<int>(mixture.mu.size()) < components) {
        mixture.mu.push_back(0);
        mixture.sigma.push_back(1);
        mixture.pi.push_back(0);
    }
}

}  // namespace bitloom::quant::dgms
