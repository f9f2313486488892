// Sums over points are taken in one order on the calling thread, everything else by point, so that the number
// of threads changes no bit.
#include "engine/stats/tsne.h"

#include <algorithm>
#include <cmath>

#include "engine/base/random.h"
#include "engine/stats/parallel.h"

namespace bitloom::stats {
namespace {

constexpr std::size_t kPointsAtOnce = 256;
constexpr double kStartDeviation = 1e-4;
constexpr double kEarlyMomentum = 0.5;
constexpr double kMomentum = 0.8;
constexpr double kGainStep = 0.2;    // added while a coordinate keeps its direction
constexpr double kGainFactor = 0.8;  // when it turns
constexpr double kLeastGain = 0.01;

Status checkOptions(const TsneOptions& options, std::size_t count) {
    if (!(options.perplexity >= 2)) return usageError("perplexity {} is below 2", options.perplexity);
    if (static_cast<double>(count) < 3 * options.perplexity) {
        return usageError(
            "{} points are too few for perplexity {}: give at least {}, or a perplexity of at most {}", count,
            options.perplexity, std::ceil(3 * options.perplexity), count / 3);
    }
    if (options.iterations < 1 || options.earlyExaggeration < 1 || options.learningRate < 0)
        return usageError(
            "t-SNE needs at least 1 iteration, an exaggeration of at least 1 and a learning rate above 0");
    if (!(options.theta >= 0 && options.theta <= QuadTree::kGreatestTheta))
        return usageError("theta {} is outside 0 to {}", options.theta, QuadTree::kGreatestTheta);
    return {};
}

Status checkPoints(const PointCloud& points) {
    bool same = true;
    for (std::size_t i = 0; i < points.values.size(); ++i) {
        if (!std::isfinite(points.values[i])) {
            return fail("point {}, dimension {} is {}: features must be finite numbers", i / points.dimension,
                        i % points.dimension, points.values[i]);
        }
        same = same && points.values[i] == points.values[i % points.dimension];
    }
    if (same) return fail("all {} points are the same: there is nothing to lay out", points.count());
    return {};
}

Error cancelled() {
    return {ErrorKind::Cancelled, "t-SNE was cancelled"};
}

PlanePoint meanOf(std::span<const PlanePoint> points) {
    PlanePoint sum;
    for (const PlanePoint& point : points) {
        sum.x += point.x;
        sum.y += point.y;
    }
    const auto count = static_cast<double>(points.size());
    return {sum.x / count, sum.y / count};
}

void centre(std::span<PlanePoint> points) {
    const PlanePoint mean = meanOf(points);
    for (PlanePoint& point : points) {
        point.x -= mean.x;
        point.y -= mean.y;
    }
}

std::vector<PlanePoint> randomStart(std::size_t count, std::uint64_t seed) {
    std::vector<PlanePoint> points(count);
    Random random({seed});
    for (PlanePoint& point : points) {
        point.x = kStartDeviation * random.normal();
        point.y = kStartDeviation * random.normal();
    }
    return points;
}

/// `start` as it is but for its size; a random one where it has none.
std::vector<PlanePoint> scaledStart(std::span<const PlanePoint> start, std::uint64_t seed) {
    std::vector<PlanePoint> points(start.begin(), start.end());
    centre(points);
    double squares = 0;
    for (const PlanePoint& point : points)
        squares += point.x * point.x + point.y * point.y;
    const double deviation = std::sqrt(squares / (2 * static_cast<double>(points.size())));
    if (!(deviation > 0) || !std::isfinite(deviation)) return randomStart(start.size(), seed);
    for (PlanePoint& point : points) {
        point.x *= kStartDeviation / deviation;
        point.y *= kStartDeviation / deviation;
    }
    return points;
}

/// One coordinate of one point, delta-bar-delta.
void advance(double& position, double& velocity, double& gain, double slope, double momentum, double rate) {
    const bool keeps = (slope > 0) != (velocity > 0);
    gain = std::max(kLeastGain, keeps ? gain + kGainStep : gain * kGainFactor);
    velocity = momentum * velocity - rate * gain * slope;
    position += velocity;
}

class Descent {
  public:
    Descent(std::vector<PlanePoint> start, const TsneOptions& options)
        : m_options(options),
          m_rate(options.learningRate > 0
                     ? options.learningRate
                     : std::max(50.0, static_cast<double>(start.size()) / (4 * options.earlyExaggeration))),
          m_points(std::move(start)),
          m_velocities(m_points.size()),
          m_gains(m_points.size(), {1, 1}),
          m_slopes(m_points.size()) {}

    void step(TsneObjective& objective, int iteration) {
        const bool early = iteration < m_options.earlyIterations;
        objective.gradient(m_points, early ? m_options.earlyExaggeration : 1, m_slopes);
        const double momentum = early ? kEarlyMomentum : kMomentum;
        for (std::size_t i = 0; i < m_points.size(); ++i) {
            advance(m_points[i].x, m_velocities[i].x, m_gains[i].x, m_slopes[i].x, momentum, m_rate);
            advance(m_points[i].y, m_velocities[i].y, m_gains[i].y, m_slopes[i].y, momentum, m_rate);
        }
        centre(m_points);
    }

    [[nodiscard]] const std::vector<PlanePoint>& points() const { return m_points; }

  private:
    const TsneOptions& m_options;
    double m_rate;
    std::vector<PlanePoint> m_points, m_velocities, m_gains, m_slopes;
};

}  // namespace

TsneObjective::TsneObjective(const Affinities& affinities, double theta, int threads)
    : m_affinities(affinities), m_theta(theta), m_threads(threads), m_repulsions(affinities.count()) {}

double TsneObjective::repel(std::span<const PlanePoint> points) {
    m_tree.build(points);
    m_tree.repulsions(m_theta, m_threads, m_repulsions);
    double z = 0;
    for (const Repulsion& repulsion : m_repulsions)
        z += repulsion.sum;
    return z;
}

void TsneObjective::gradient(std::span<const PlanePoint> points, double exaggeration,
                             std::span<PlanePoint> result) {
    const double z = repel(points);
    parallelFor(m_threads, (points.size() + kPointsAtOnce - 1) / kPointsAtOnce, [&](std::size_t block) {
        const std::size_t end = std::min(points.size(), (block + 1) * kPointsAtOnce);
        for (std::size_t i = block * kPointsAtOnce; i < end; ++i) {
            PlanePoint attraction;
            for (std::size_t place = m_affinities.rows[i]; place < m_affinities.rows[i + 1]; ++place) {
                const PlanePoint& other = points[static_cast<std::size_t>(m_affinities.columns[place])];
                const double dx = points[i].x - other.x;
                const double dy = points[i].y - other.y;
                const double pq = m_affinities.values[place] / (1 + dx * dx + dy * dy);
                attraction.x += pq * dx;
                attraction.y += pq * dy;
            }
            const PlanePoint& force = m_repulsions[i].force;
            result[i] = {4 * (exaggeration * attraction.x - force.x / z),
                         4 * (exaggeration * attraction.y - force.y / z)};
        }
    });
}

double TsneObjective::divergence(std::span<const PlanePoint> points) {
    const double logZ = std::log(repel(points));
    double sum = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
        for (std::size_t place = m_affinities.rows[i]; place < m_affinities.rows[i + 1]; ++place) {
            const double p = m_affinities.values[place];
            if (!(p > 0)) continue;  // p log p -> 0
            const PlanePoint& other = points[static_cast<std::size_t>(m_affinities.columns[place])];
            const double dx = points[i].x - other.x;
            const double dy = points[i].y - other.y;
            sum += p * (std::log(p) + std::log1p(dx * dx + dy * dy) + logZ);
        }
    }
    return sum;
}

Result<TsneLayout> tsne(const PointCloud& points, const TsneOptions& options, JobControl& control,
                        const TsneProgress& progress, std::span<const PlanePoint> start) {
    const std::size_t count = points.count();
    BITLOOM_RETURN_IF_ERROR(checkOptions(options, count));
    BITLOOM_RETURN_IF_ERROR(checkPoints(points));
    if (!start.empty() && start.size() != count)
        return usageError("{} points cannot start from a layout of {}", count, start.size());
    const auto k = std::min(count - 1, static_cast<std::size_t>(3 * options.perplexity));
    const Neighbours neighbours = nearestNeighbours(points, k, options.threads, control);
    if (!control.waitWhilePaused()) return cancelled();
    const Affinities affinities = symmetricAffinities(
        neighbours, conditionalAffinities(neighbours, options.perplexity, options.threads));
    TsneObjective objective(affinities, options.theta, options.threads);
    Descent descent(start.empty() ? randomStart(count, options.seed) : scaledStart(start, options.seed),
                    options);
    for (int iteration = 0; iteration < options.iterations; ++iteration) {
        if (!control.waitWhilePaused()) return cancelled();
        descent.step(objective, iteration);
        if (progress) progress(iteration + 1, descent.points());
    }
    return TsneLayout{descent.points(), objective.divergence(descent.points())};
}

}  // namespace bitloom::stats
