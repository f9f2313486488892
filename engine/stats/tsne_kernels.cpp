// See tsne_kernels.h. Compiled once for each instruction set; the best that the processor has is taken.
#include "engine/stats/tsne_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/stats/tsne_kernels.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace bitloom::stats::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// Two sums a lane, over even and odd dimensions, so that one addition need not wait for the other.
void squaredDistancesImpl(const float* point, std::size_t dimension, const float* tile, float* distances) {
    const hn::CappedTag<float, kTile> tag;
    const std::size_t lanes = hn::Lanes(tag);
    for (std::size_t c = 0; c < kTile; c += lanes) {
        auto even = hn::Zero(tag);
        auto odd = hn::Zero(tag);
        std::size_t d = 0;
        for (; d + 1 < dimension; d += 2) {
            const auto a = hn::Sub(hn::Set(tag, point[d]), hn::LoadU(tag, tile + d * kTile + c));
            const auto b = hn::Sub(hn::Set(tag, point[d + 1]), hn::LoadU(tag, tile + (d + 1) * kTile + c));
            even = hn::MulAdd(a, a, even);
            odd = hn::MulAdd(b, b, odd);
        }
        if (d < dimension) {
            const auto a = hn::Sub(hn::Set(tag, point[d]), hn::LoadU(tag, tile + d * kTile + c));
            even = hn::MulAdd(a, a, even);
        }
        hn::StoreU(hn::Add(even, odd), tag, distances + c);
    }
}

template <class Tag>
void repelSome(Tag tag, const RepelledPoints& points, std::size_t first, const RepellingCells& cells) {
    const auto x = hn::LoadU(tag, points.x.data() + first);
    const auto y = hn::LoadU(tag, points.y.data() + first);
    const auto one = hn::Set(tag, 1.0);
    auto forceX = hn::Zero(tag);
    auto forceY = hn::Zero(tag);
    auto sum = hn::Zero(tag);
    for (std::size_t c = 0; c < cells.x.size(); ++c) {
        const auto dx = hn::Sub(x, hn::Set(tag, cells.x[c]));
        const auto dy = hn::Sub(y, hn::Set(tag, cells.y[c]));
        const auto q = hn::Div(one, hn::MulAdd(dx, dx, hn::MulAdd(dy, dy, one)));
        const auto massQ = hn::Mul(hn::Set(tag, cells.mass[c]), q);
        const auto massQ2 = hn::Mul(massQ, q);
        sum = hn::Add(sum, massQ);
        forceX = hn::MulAdd(massQ2, dx, forceX);
        forceY = hn::MulAdd(massQ2, dy, forceY);
    }
    hn::StoreU(forceX, tag, points.forceX.data() + first);
    hn::StoreU(forceY, tag, points.forceY.data() + first);
    hn::StoreU(sum, tag, points.sum.data() + first);
}

void repelImpl(const RepelledPoints& points, const RepellingCells& cells) {
    const hn::CappedTag<double, 8> tag;
    const std::size_t count = points.x.size();
    std::size_t first = 0;
    for (; first + hn::Lanes(tag) <= count; first += hn::Lanes(tag))
        repelSome(tag, points, first, cells);
    for (; first < count; ++first)
        repelSome(hn::CappedTag<double, 1>(), points, first, cells);
}

}  // namespace
}  // namespace bitloom::stats::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bitloom::stats {

HWY_EXPORT(squaredDistancesImpl);
HWY_EXPORT(repelImpl);

void squaredDistances(std::span<const float> point, const float* tile, std::span<float, kTile> distances) {
    HWY_DYNAMIC_DISPATCH(squaredDistancesImpl)(point.data(), point.size(), tile, distances.data());
}

void repel(const RepelledPoints& points, const RepellingCells& cells) {
    HWY_DYNAMIC_DISPATCH(repelImpl)(points, cells);
}

}  // namespace bitloom::stats
#endif  // HWY_ONCE
