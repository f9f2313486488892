// Points with known neighbours for the tests and the benchmark of t-SNE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/base/random.h"
#include "engine/stats/nearest_neighbours.h"

namespace bitloom::stats {

/// `classes` Gaussian clusters of unit deviation, their centres Gaussian with deviation `spread`; point i
/// belongs to cluster i % classes.
struct Clouds {
    std::vector<float> values;
    std::size_t dimension = 0;
    std::size_t classes = 0;

    [[nodiscard]] PointCloud points() const { return {values, dimension}; }
};

[[nodiscard]] inline Clouds makeClouds(std::size_t count, std::size_t dimension, std::size_t classes,
                                       double spread, std::uint64_t seed) {
    Clouds clouds{std::vector<float>(count * dimension), dimension, classes};
    for (std::size_t i = 0; i < count; ++i) {
        Random centre({seed, 1, i % classes});
        Random offset({seed, 2, i});
        for (std::size_t d = 0; d < dimension; ++d) {
            const double middle = spread * centre.normal();
            clouds.values[i * dimension + d] = static_cast<float>(middle + offset.normal());
        }
    }
    return clouds;
}

}  // namespace bitloom::stats
