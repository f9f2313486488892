// Compiled once an instruction set by foreach_target.h; the last part dispatches. Every pass is bound by
// memory, so what counts is that each array is read once a pass and sums stay in registers over a block of
// rows.
#include "engine/train/fused_norm_kernels.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/train/fused_norm_kernels.cpp"
// clang-format off: this order is required
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace bitloom::train {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::CappedTag<float, kChannelTile>;
using V = hn::Vec<D>;

constexpr std::int64_t kBlockRows = 64;  // short enough for float sums, and the block stays in the L1 cache

HWY_INLINE V reluGradient(V gradient, V y) {
    const D d;
    return hn::IfThenZeroElse(hn::Le(y, hn::Zero(d)), gradient);
}

void moments(const float* HWY_RESTRICT x, Extent extent, double* HWY_RESTRICT mean,
             double* HWY_RESTRICT squares) {
    const D d;
    std::fill_n(mean, extent.channels, 0.0);
    std::fill_n(squares, extent.channels, 0.0);
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    for (std::int64_t row = 0; row < extent.rows; row += kBlockRows) {
        const std::int64_t rows = std::min(kBlockRows, extent.rows - row);
        for (std::int64_t channel = 0; channel < extent.channels; channel += lanes) {
            const float* block = x + row * extent.channels + channel;
            V sum = hn::Zero(d);
            for (std::int64_t i = 0; i < rows; ++i)
                sum = hn::Add(sum, hn::LoadU(d, block + i * extent.channels));
            const V center = hn::Mul(sum, hn::Set(d, 1.0f / static_cast<float>(rows)));
            V deviations = hn::Zero(d);
            for (std::int64_t i = 0; i < rows; ++i) {
                const V deviation = hn::Sub(hn::LoadU(d, block + i * extent.channels), center);
                deviations = hn::MulAdd(deviation, deviation, deviations);
            }
            HWY_ALIGN float centers[kChannelTile];
            HWY_ALIGN float blockSquares[kChannelTile];
            hn::Store(center, d, centers);
            hn::Store(deviations, d, blockSquares);
            for (std::int64_t k = 0; k < lanes; ++k) {
                mergeMoments(mean[channel + k], squares[channel + k], static_cast<double>(row),
                             static_cast<double>(centers[k]), static_cast<double>(blockSquares[k]),
                             static_cast<double>(rows));
            }
        }
    }
}

template <bool kResidual>
HWY_INLINE void normalizeRows(const float* HWY_RESTRICT x, const float* HWY_RESTRICT residual, Extent extent,
                              const float* HWY_RESTRICT center, const float* HWY_RESTRICT scale,
                              const float* HWY_RESTRICT shift, float* HWY_RESTRICT y) {
    const D d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    for (std::int64_t row = 0; row < extent.rows; ++row) {
        for (std::int64_t channel = 0; channel < extent.channels; channel += lanes) {
            const std::int64_t i = row * extent.channels + channel;
            const V deviation = hn::Sub(hn::LoadU(d, x + i), hn::LoadU(d, center + channel));
            V value = hn::MulAdd(deviation, hn::LoadU(d, scale + channel), hn::LoadU(d, shift + channel));
            if constexpr (kResidual) value = hn::Add(value, hn::LoadU(d, residual + i));
            hn::StoreU(reluGradient(value, value), d, y + i);
        }
    }
}

void normalize(const float* x, const float* residual, Extent extent, const float* center, const float* scale,
               const float* shift, float* y) {
    if (residual != nullptr) {
        normalizeRows<true>(x, residual, extent, center, scale, shift, y);
    } else {
        normalizeRows<false>(x, nullptr, extent, center, scale, shift, y);
    }
}

void gradients(const float* HWY_RESTRICT gradient, const float* HWY_RESTRICT y, const float* HWY_RESTRICT x,
               const float* HWY_RESTRICT center, Extent extent, double* HWY_RESTRICT sum,
               double* HWY_RESTRICT product, float* HWY_RESTRICT masked) {
    const D d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    for (std::int64_t row = 0; row < extent.rows; row += kBlockRows) {
        const std::int64_t rows = std::min(kBlockRows, extent.rows - row);
        for (std::int64_t channel = 0; channel < extent.channels; channel += lanes) {
            const V middle = hn::LoadU(d, center + channel);
            V sums = hn::Zero(d);
            V products = hn::Zero(d);
            for (std::int64_t r = row; r < row + rows; ++r) {
                const std::int64_t i = r * extent.channels + channel;
                const V m = reluGradient(hn::LoadU(d, gradient + i), hn::LoadU(d, y + i));
                sums = hn::Add(sums, m);
                products = hn::MulAdd(m, hn::Sub(hn::LoadU(d, x + i), middle), products);
                if (masked != nullptr) hn::StoreU(m, d, masked + i);
            }
            HWY_ALIGN float blockSum[kChannelTile];
            HWY_ALIGN float blockProduct[kChannelTile];
            hn::Store(sums, d, blockSum);
            hn::Store(products, d, blockProduct);
            for (std::int64_t k = 0; k < lanes; ++k) {
                sum[channel + k] += static_cast<double>(blockSum[k]);
                product[channel + k] += static_cast<double>(blockProduct[k]);
            }
        }
    }
}

void propagate(const float* HWY_RESTRICT gradient, const float* HWY_RESTRICT y, const float* HWY_RESTRICT x,
               Extent extent, const float* HWY_RESTRICT center, const float* HWY_RESTRICT scale,
               const float* HWY_RESTRICT slope, const float* HWY_RESTRICT offset, float* HWY_RESTRICT dx) {
    const D d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    for (std::int64_t row = 0; row < extent.rows; ++row) {
        for (std::int64_t channel = 0; channel < extent.channels; channel += lanes) {
            const std::int64_t i = row * extent.channels + channel;
            const V m = reluGradient(hn::LoadU(d, gradient + i), hn::LoadU(d, y + i));
            const V deviation = hn::Sub(hn::LoadU(d, x + i), hn::LoadU(d, center + channel));
            const V rest =
                hn::MulAdd(deviation, hn::LoadU(d, slope + channel), hn::LoadU(d, offset + channel));
            hn::StoreU(hn::MulAdd(m, hn::LoadU(d, scale + channel), rest), d, dx + i);
        }
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace bitloom::train
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bitloom::train {

HWY_EXPORT(moments);
HWY_EXPORT(normalize);
HWY_EXPORT(gradients);
HWY_EXPORT(propagate);

void computeMoments(const float* x, Extent extent, double* mean, double* squares) {
    HWY_DYNAMIC_DISPATCH(moments)(x, extent, mean, squares);
}

void normalizeRelu(const float* x, const float* residual, Extent extent, const float* center,
                   const float* scale, const float* shift, float* y) {
    HWY_DYNAMIC_DISPATCH(normalize)(x, residual, extent, center, scale, shift, y);
}

void accumulateGradients(const float* gradient, const float* y, const float* x, const float* center,
                         Extent extent, double* sum, double* product, float* masked) {
    HWY_DYNAMIC_DISPATCH(gradients)(gradient, y, x, center, extent, sum, product, masked);
}

void propagateGradient(const float* gradient, const float* y, const float* x, Extent extent,
                       const float* center, const float* scale, const float* slope, const float* offset,
                       float* dx) {
    HWY_DYNAMIC_DISPATCH(propagate)(gradient, y, x, extent, center, scale, slope, offset, dx);
}

}  // namespace bitloom::train
#endif
