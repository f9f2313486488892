// Time of one t-SNE layout, part by part, on Gaussian clusters.
//
//     bench_tsne [--points 10000] [--dimension 64] [--iterations 1000] [--theta 0.5] [--threads 2]
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

#include "engine/stats/tsne.h"
#include "tests/stats/tsne_data.h"

namespace {

using namespace bitloom::stats;
using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Early exaggeration keeps the gradient from vanishing at the end of a layout.
constexpr double kExaggeration = 12;

/// Relative error of the gradient at `points`.
double gradientError(const Affinities& affinities, const std::vector<PlanePoint>& points,
                     const TsneOptions& options) {
    std::vector<PlanePoint> exact(points.size());
    std::vector<PlanePoint> approximate(points.size());
    const auto start = Clock::now();
    TsneObjective(affinities, 0, options.threads).gradient(points, kExaggeration, exact);
    fmt::print("exact gradient      {:8.3f} s\n", secondsSince(start));
    TsneObjective(affinities, options.theta, options.threads).gradient(points, kExaggeration, approximate);
    double error = 0;
    double norm = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
        error += std::pow(approximate[i].x - exact[i].x, 2) + std::pow(approximate[i].y - exact[i].y, 2);
        norm += std::pow(exact[i].x, 2) + std::pow(exact[i].y, 2);
    }
    return std::sqrt(error / norm);
}

}  // namespace

int main(int argc, char** argv) {
    std::size_t count = 10000;
    std::size_t dimension = 64;
    TsneOptions options;
    options.threads = 2;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view name = argv[i];
        const double value = std::atof(argv[i + 1]);
        if (name == "--points") count = static_cast<std::size_t>(value);
        if (name == "--dimension") dimension = static_cast<std::size_t>(value);
        if (name == "--iterations") options.iterations = static_cast<int>(value);
        if (name == "--theta") options.theta = value;
        if (name == "--threads") options.threads = static_cast<int>(value);
    }
    const Clouds clouds = makeClouds(count, dimension, 10, 0.5, 1);
    bitloom::JobControl control;

    auto start = Clock::now();
    const auto k = static_cast<std::size_t>(3 * options.perplexity);
    const Neighbours neighbours = nearestNeighbours(clouds.points(), k, options.threads, control);
    fmt::print("nearest neighbours  {:8.3f} s\n", secondsSince(start));
    start = Clock::now();
    const Affinities affinities = symmetricAffinities(
        neighbours, conditionalAffinities(neighbours, options.perplexity, options.threads));
    fmt::print("affinities          {:8.3f} s, {} entries\n", secondsSince(start), affinities.values.size());

    start = Clock::now();
    const auto layout = tsne(clouds.points(), options, control);
    if (!layout) {
        fmt::print(stderr, "{}\n", layout.error().message);
        return 1;
    }
    const double whole = secondsSince(start);
    fmt::print("whole layout        {:8.3f} s, {} iterations, {:.4f} nats, {} threads\n", whole,
               options.iterations, layout->divergence, options.threads);
    fmt::print("gradient error at its end, theta {}: {:.2e}\n", options.theta,
               gradientError(affinities, layout->points, options));
}
