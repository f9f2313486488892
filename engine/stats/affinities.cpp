#include "engine/stats/affinities.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "engine/stats/parallel.h"

namespace bitloom::stats {
namespace {

constexpr int kMostBisections = 200;
constexpr double kEntropyTolerance = 1e-6;  // nats
constexpr std::size_t kBisectedAtOnce = 64;

/// Fills the row for `beta` and returns its entropy in nats. Distances count from the nearest neighbour's,
/// which changes nothing but keeps exp() from vanishing.
double fillRow(std::span<const float> squared, double beta, std::span<double> row) {
    const double nearest = squared.front();
    double sum = 0;
    double weighted = 0;
    for (std::size_t j = 0; j < row.size(); ++j) {
        const double beyond = squared[j] - nearest;
        row[j] = std::exp(-beta * beyond);
        sum += row[j];
        weighted += row[j] * beyond;
    }
    for (double& p : row)
        p /= sum;
    return std::log(sum) + beta * weighted / sum;
}

void bisect(std::span<const float> squared, double entropy, std::span<double> row) {
    double low = 0;
    double high = std::numeric_limits<double>::infinity();
    double beta = 1;
    for (int round = 0; round < kMostBisections; ++round) {
        const double excess = fillRow(squared, beta, row) - entropy;
        if (std::abs(excess) < kEntropyTolerance) return;
        (excess > 0 ? low : high) = beta;
        beta = std::isinf(high) ? 2 * low : (low + high) / 2;
        if (!std::isfinite(beta) || beta == low || beta == high) return;
    }
}

}  // namespace

std::vector<double> conditionalAffinities(const Neighbours& neighbours, double perplexity, int threads) {
    const std::size_t k = neighbours.k;
    const std::size_t count = neighbours.index.size() / k;
    const double entropy = std::log(perplexity);
    std::vector<double> conditional(count * k);
    parallelFor(threads, (count + kBisectedAtOnce - 1) / kBisectedAtOnce, [&](std::size_t block) {
        const std::size_t end = std::min(count, (block + 1) * kBisectedAtOnce);
        for (std::size_t i = block * kBisectedAtOnce; i < end; ++i) {
            bisect(std::span(neighbours.squaredDistances).subspan(i * k, k), entropy,
                   std::span(conditional).subspan(i * k, k));
        }
    });
    return conditional;
}

Affinities symmetricAffinities(const Neighbours& neighbours, const std::vector<double>& conditional) {
    const std::size_t k = neighbours.k;
    const std::size_t count = neighbours.index.size() / k;
    const double share = 0.5 / static_cast<double>(count);
    std::vector<std::vector<std::pair<std::int32_t, double>>> terms(count);
    for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t place = i * k; place < (i + 1) * k; ++place) {
            const std::int32_t j = neighbours.index[place];
            const double p = share * conditional[place];
            terms[i].emplace_back(j, p);
            terms[static_cast<std::size_t>(j)].emplace_back(static_cast<std::int32_t>(i), p);
        }
    }
    Affinities affinities;
    affinities.rows.push_back(0);
    for (auto& row : terms) {
        std::ranges::sort(row);
        for (const auto& [column, p] : row) {
            const bool again =
                affinities.columns.size() > affinities.rows.back() && affinities.columns.back() == column;
            if (again) {
                affinities.values.back() += p;
            } else {
                affinities.columns.push_back(column);
                affinities.values.push_back(p);
            }
        }
        affinities.rows.push_back(affinities.columns.size());
        row = {};
    }
    return affinities;
}

}  // namespace bitloom::stats
