// The loops of batch norm + addition + ReLU over rows of channels (channels-last activations), vectorised for
// every instruction set, one thread. Callers split the rows and add the sums up. Activations and their
// gradients are stored as T: float or BFloat16Bits; everything is computed in float.
#pragma once

#include <cstdint>

#include "engine/base/bfloat16.h"

namespace bitloom::train {

/// Channel counts must be a multiple of it.
inline constexpr std::int64_t kChannelTile = 16;

/// A [rows, channels] matrix, contiguous.
struct Extent {
    std::int64_t rows = 0;
    std::int64_t channels = 0;
};

/// Per channel: mean and sum of squared deviations of `x`. Blocks are summed in float and merged in double.
template <class T>
void computeMoments(const T* x, Extent extent, double* mean, double* squares);

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
template <class T>
void normalizeRelu(const T* x, const T* residual, Extent extent, const float* center, const float* scale,
                   const float* shift, T* y);

/// The gradient behind the ReLU, m = gradient where y > 0: adds sums of m and of m (x - center) per channel,
/// and writes m to `masked` unless that is null.
template <class T>
void accumulateGradients(const T* gradient, const T* y, const T* x, const float* center, Extent extent,
                         double* sum, double* product, T* masked);

/// dx = m scale + (x - center) slope + offset, m as above.
template <class T>
void propagateGradient(const T* gradient, const T* y, const T* x, Extent extent, const float* center,
                       const float* scale, const float* slope, const float* offset, T* dx);

}  // namespace bitloom::train
