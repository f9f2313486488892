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

#include "engine/base/bfloat16-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace bitloom::train {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::CappedTag<float, kChannelTile>;
using V = hn::Vec<D>;

constexpr std::int64_t kBlockRows = 64;  // short enough for float sums, and the block stays in the L1 cache

HWY_INLINE V load(const float* HWY_RESTRICT from) {
    return hn::LoadU(D(), from);
}

HWY_INLINE V load(const BFloat16Bits* HWY_RESTRICT from) {
    return bitloom::HWY_NAMESPACE::loadBFloat16(D(), from);
}

HWY_INLINE void store(V value, float* HWY_RESTRICT to) {
    hn::StoreU(value, D(), to);
}

HWY_INLINE void store(V value, BFloat16Bits* HWY_RESTRICT to) {
    using namespace bitloom::HWY_NAMESPACE;
    storeBFloat16(D(), roundToBFloat16(D(), value), to);
}

HWY_INLINE V reluGradient(V gradient, V y) {
    const D d;
    return hn::IfThenZeroElse(hn::Le(y, hn::Zero(d)), gradient);
}

template <class T>
HWY_INLINE void moments(const T* HWY_RESTRICT x, Extent extent, double* HWY_RESTRICT mean,
                        double* HWY_RESTRICT squares) {
    const D d;
    std::fill_n(mean, extent.channels, 0.0);
    std::fill_n(squares, extent.channels, 0.0);
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    for (std::int64_t row = 0; row < extent.rows; row += kBlockRows) {
        const std::int64_t rows = std::min(kBlockRows, extent.rows - row);
        for (std::int64_t channel = 0; channel < extent.channels; channel += lanes) {
            const T* block = x + row * extent.channels + channel;
            V sum = hn::Zero(d);
            for (std::int64_t i = 0; i < rows; ++i)
                sum = hn::Add(sum, load(block + i * extent.channels));
            const V center = hn::Mul(sum, hn::Set(d, 1.0f / static_cast<float>(rows)));
            V deviations = hn::Zero(d);
            for (std::int64_t i = 0; i < rows; ++i) {
                const V deviation = hn::Sub(load(block + i * extent.channels), center);
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

template <bool kResidual, class T>
HWY_INLINE void normalizeRows(const T* HWY_RESTRICT x, const T* HWY_RESTRICT residual, Extent extent,
                              const float* HWY_RESTRICT center, const float* HWY_RESTRICT scale,
                              const float* HWY_RESTRICT shift, T* HWY_RESTRICT y) {
    const D d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    for (std::int64_t row = 0; row < extent.rows; ++row) {
        for (std::int64_t channel = 0; channel < extent.channels; channel += lanes) {
            const std::int64_t i = row * extent.channels + channel;
            const V deviation = hn::Sub(load(x + i), hn::LoadU(d, center + channel));
            V value = hn::MulAdd(deviation, hn::LoadU(d, scale + channel), hn::LoadU(d, shift + channel));
            if constexpr (kResidual) value = hn::Add(value, load(residual + i));
            store(reluGradient(value, value), y + i);
        }
    }
}

template <class T>
HWY_INLINE void normalize(const T* x, const T* residual, Extent extent, const float* center,
                          const float* scale, const float* shift, T* y) {
    if (residual != nullptr) {
        normalizeRows<true>(x, residual, extent, center, scale, shift, y);
    } else {
        normalizeRows<false, T>(x, nullptr, extent, center, scale, shift, y);
    }
}

template <class T>
HWY_INLINE void gradients(const T* HWY_RESTRICT gradient, const T* HWY_RESTRICT y, const T* HWY_RESTRICT x,
                          const float* HWY_RESTRICT center, Extent extent, double* HWY_RESTRICT sum,
                          double* HWY_RESTRICT product, T* HWY_RESTRICT masked) {
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
                const V m = reluGradient(load(gradient + i), load(y + i));
                sums = hn::Add(sums, m);
                products = hn::MulAdd(m, hn::Sub(load(x + i), middle), products);
                if (masked != nullptr) store(m, masked + i);
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

template <class T>
HWY_INLINE void propagate(const T* HWY_RESTRICT gradient, const T* HWY_RESTRICT y, const T* HWY_RESTRICT x,
                          Extent extent, const float* HWY_RESTRICT center, const float* HWY_RESTRICT scale,
                          const float* HWY_RESTRICT slope, const float* HWY_RESTRICT offset,
                          T* HWY_RESTRICT dx) {
    const D d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    for (std::int64_t row = 0; row < extent.rows; ++row) {
        for (std::int64_t channel = 0; channel < extent.channels; channel += lanes) {
            const std::int64_t i = row * extent.channels + channel;
            const V m = reluGradient(load(gradient + i), load(y + i));
            const V deviation = hn::Sub(load(x + i), hn::LoadU(d, center + channel));
            const V rest =
                hn::MulAdd(deviation, hn::LoadU(d, slope + channel), hn::LoadU(d, offset + channel));
            store(hn::MulAdd(m, hn::LoadU(d, scale + channel), rest), dx + i);
        }
    }
}

// One function a storage type: what HWY_EXPORT can name.
#define BITLOOM_FOR_STORAGE(Name, T)                                                                    \
    void moments##Name(const T* x, Extent extent, double* mean, double* squares) {                      \
        moments(x, extent, mean, squares);                                                              \
    }                                                                                                   \
    void normalize##Name(const T* x, const T* residual, Extent extent, const float* center,             \
                         const float* scale, const float* shift, T* y) {                                \
        normalize(x, residual, extent, center, scale, shift, y);                                        \
    }                                                                                                   \
    void gradients##Name(const T* gradient, const T* y, const T* x, const float* center, Extent extent, \
                         double* sum, double* product, T* masked) {                                     \
        gradients(gradient, y, x, center, extent, sum, product, masked);                                \
    }                                                                                                   \
    void propagate##Name(const T* gradient, const T* y, const T* x, Extent extent, const float* center, \
                         const float* scale, const float* slope, const float* offset, T* dx) {          \
        propagate(gradient, y, x, extent, center, scale, slope, offset, dx);                            \
    }
BITLOOM_FOR_STORAGE(Float, float)
BITLOOM_FOR_STORAGE(BFloat16, BFloat16Bits)
#undef BITLOOM_FOR_STORAGE

}  // namespace HWY_NAMESPACE
}  // namespace bitloom::train
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bitloom::train {

#define BITLOOM_DISPATCH(Name, T)                                                                           \
    HWY_EXPORT(moments##Name);                                                                              \
    HWY_EXPORT(normalize##Name);                                                                            \
    HWY_EXPORT(gradients##Name);                                                                            \
    HWY_EXPORT(propagate##Name);                                                                            \
    template <>                                                                                             \
    void computeMoments(const T* x, Extent extent, double* mean, double* squares) {                         \
        HWY_DYNAMIC_DISPATCH(moments##Name)(x, extent, mean, squares);                                      \
    }                                                                                                       \
    template <>                                                                                             \
    void normalizeRelu(const T* x, const T* residual, Extent extent, const float* center,                   \
                       const float* scale, const float* shift, T* y) {                                      \
        HWY_DYNAMIC_DISPATCH(normalize##Name)(x, residual, extent, center, scale, shift, y);                \
    }                                                                                                       \
    template <>                                                                                             \
    void accumulateGradients(const T* gradient, const T* y, const T* x, const float* center, Extent extent, \
                             double* sum, double* product, T* masked) {                                     \
        HWY_DYNAMIC_DISPATCH(gradients##Name)(gradient, y, x, center, extent, sum, product, masked);        \
    }                                                                                                       \
    template <>                                                                                             \
    void propagateGradient(const T* gradient, const T* y, const T* x, Extent extent, const float* center,   \
                           const float* scale, const float* slope, const float* offset, T* dx) {            \
        HWY_DYNAMIC_DISPATCH(propagate##Name)(gradient, y, x, extent, center, scale, slope, offset, dx);    \
    }
BITLOOM_DISPATCH(Float, float)
BITLOOM_DISPATCH(BFloat16, BFloat16Bits)
#undef BITLOOM_DISPATCH

}  // namespace bitloom::train
#endif
