// t-SNE: points of many dimensions laid out in the plane so that neighbours stay neighbours (van der Maaten
// and Hinton, "Visualizing data using t-SNE", JMLR 2008).
//
// Affinities are exact over the nearest 3 x perplexity neighbours; the repulsion is Barnes and Hut's (van der
// Maaten, "Accelerating t-SNE using tree-based algorithms", JMLR 2014), computed for whole leaves of the tree
// in SIMD lanes. Measured on 10,000 points of 64 dimensions (tests/bench/bench_tsne): see
// engine/stats/README.md for what it was chosen over.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/base/job_control.h"
#include "engine/base/result.h"
#include "engine/stats/affinities.h"
#include "engine/stats/nearest_neighbours.h"
#include "engine/stats/quad_tree.h"

namespace bitloom::stats {

struct TsneOptions {
    double perplexity = 30;         ///< effective number of neighbours, in [2, count / 3]
    double earlyExaggeration = 12;  ///< factor on p_ij in the first iterations, >= 1
    int earlyIterations = 250;
    int iterations = 1000;    ///< in all, at least 1
    double learningRate = 0;  ///< 0: max(50, count / (4 early_exaggeration)) (Belkina et al. 2019)
    double theta = 0.5;       ///< of Barnes and Hut, [0, QuadTree::kGreatestTheta]; 0: exact, O(count^2)
    std::uint64_t seed = 0;   ///< of the random start
    int threads = 1;          ///< changes the time, never the result
};

struct TsneLayout {
    std::vector<PlanePoint> points;  ///< as many as given, their mean at 0
    double divergence = 0;           ///< Kullback-Leibler divergence of Q from P, nats; NaN before the end
};

/// After each iteration, on the calling thread: how many are done, and the points so far.
using TsneProgress = std::function<void(int done, std::span<const PlanePoint> points)>;

/// Gradient descent with momentum (0.5, after early exaggeration 0.8) and gains (Jacobs 1988) from a random
/// start of deviation 1e-4, or from `start`, one point each, scaled to that deviation: it then decides where
/// clusters come to lie, but nothing is held apart that the affinities do not separate.
///
/// Errors: fewer than 3 x perplexity points; options out of range; a number that is not finite (named by
/// point and dimension); points that are all the same. Cancelled within one iteration once control.stop() was
/// called. Blocks; uses `options.threads` threads.
[[nodiscard]] Result<TsneLayout> tsne(const PointCloud& points, const TsneOptions& options,
                                      JobControl& control, const TsneProgress& progress = {},
                                      std::span<const PlanePoint> start = {});

/// The objective and its gradient, for descent and tests.
class TsneObjective {
  public:
    /// `affinities` outlives it.
    TsneObjective(const Affinities& affinities, double theta, int threads);

    /// dC/dy_i = 4 (sum_j a p_ij q_ij (y_i - y_j) - sum_j q_ij^2 (y_i - y_j) / Z), with q_ij = 1 / (1 + |y_i
    /// - y_j|^2), Z = sum_k,l q_kl and the exaggeration a (van der Maaten 2014, equations 3 to 5). One vector
    /// a point.
    void gradient(std::span<const PlanePoint> points, double exaggeration, std::span<PlanePoint> result);

    /// C = sum_ij p_ij log(p_ij Z / q_ij), nats.
    [[nodiscard]] double divergence(std::span<const PlanePoint> points);

  private:
    /// Fills m_repulsions and returns Z.
    double repel(std::span<const PlanePoint> points);

    const Affinities& m_affinities;
    double m_theta;
    int m_threads;
    QuadTree m_tree;
    std::vector<Repulsion> m_repulsions;
};

}  // namespace bitloom::stats
