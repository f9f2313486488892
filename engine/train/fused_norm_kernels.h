// The loops of batch norm + addition + ReLU over rows of channels (channels-last activations), vectorised for
// every instruction set, one thread. Callers split the rows and add the sums up.
#pragma once

#include <cstdint>

namespace bitloom::train {

/// Channel counts must be a multiple of it.
inline constexpr std::int64_t kChannelTile = 16;

/// A [rows, channels] matrix, contiguous.
struct Extent {
    std::int64_t rows = 0;
    std::int64_t channels = 0;
};

/// Per channel: mean and sum of squared deviations of `x`. Blocks are summed in float and merged in double.
void computeMoments(const float* x, Extent extent, double* mean, double* squares);

/// Merges mean and squared deviations of `rows` further rows into those of `seen` rows (Chan, Golub, LeVeque
/// 1979).
inline void mergeMoments(double& mean, double& squares, double seen, double rowsMean, double rowsSquares,
                         double rows) {
    const double delta = rowsMean - mean;
    const double share = rows / (seen + rows);
    mean += delta * share;
    squares += rowsSquares + delta * delta * seen * share;
}

/// Per channel: y = relu((x - center) scale + shift + residual). `residual` may be null. NaN stays NaN.
void normalizeRelu(const float* x, const float* residual, Extent extent, const float* center,
                   const float* scale, const float* shift, float* y);

/// The gradient behind the ReLU, m = gradient where y > 0: adds sums of m and of m (x - center) per channel,
/// and writes m to `masked` unless that is null.
void accumulateGradients(const float* gradient, const float* y, const float* x, const float* center,
                         Extent extent, double* sum, double* product, float* masked);

/// dx = m scale + (x - center) slope + offset, m as above.
void propagateGradient(const float* gradient, const float* y, const float* x, Extent extent,
                       const float* center, const float* scale, const float* slope, const float* offset,
                       float* dx);

}  // namespace bitloom::train
