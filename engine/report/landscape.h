// The loss around two networks' weights, on a square grid along two random directions. Value structs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/report/snapshot.h"

namespace bitloom::report {

/// Row-major, [size, size]: row by beta, column by alpha, both ascending. NaN where nothing was computed yet.
struct LossSurface {
    std::vector<double> loss;  ///< mean cross-entropy, nats; infinite where the network's outputs overflow
    std::vector<double> top1;  ///< per cent
};

struct Landscape {
    std::string arch;
    std::string origin;       ///< "run.h5"
    std::int64_t images = 0;  ///< that every point was scored on
    std::int64_t seed = 0;    ///< of the directions
    /// False: `quantized` moves deployed weights, in any layer, as RDHS and SGT have no others, or none is
    /// quantized.
    bool quantizedAnew = true;
    bool pretrained = true;  ///< false: `fullPrecision` is of the random numbers that training began with
    int size = 0;            ///< odd; the weights themselves lie in the middle
    double range = 1;        ///< alpha and beta go from -range to range; 1: a filter's own norm
    int done = 0;            ///< points of the grid, each for both networks
    LossSurface fullPrecision;
    LossSurface quantized;

    [[nodiscard]] int points() const { return size * size; }
    /// alpha of a column or beta of a row.
    [[nodiscard]] double coordinate(int place) const {
        return size < 2 ? 0 : range * (2.0 * place / (size - 1) - 1);
    }
    [[nodiscard]] std::size_t at(int row, int column) const {
        return static_cast<std::size_t>(row) * static_cast<std::size_t>(size) +
               static_cast<std::size_t>(column);
    }
    [[nodiscard]] std::size_t centre() const { return at(size / 2, size / 2); }
};

}  // namespace bitloom::report
