// The loop of the x86 microkernels, for the operations of one instruction set. Included by files compiled for
// those instructions only, and local to each, so that no code of one is called by the other.
#pragma once

#include <cstring>

#include <immintrin.h>

#include "engine/qsimd/kernels/microkernel.h"

namespace bitloom::qsimd {
namespace {

/// P pixels x V vectors of channels, `Group` of which are multiplied at a time: the weights of a group and a
/// broadcast value need registers beside all sums. `Operations` names a Value of activations, a Weight, a
/// Sum, their Vector, kLanes and kDepth, and does zero, load, broadcast,
/// multiplyAdd and store.
template <class Operations, int P, int V, int Group = V>
void tile(const Fields<typename Operations::Value>& fields, const typename Operations::Weight* weights,
          typename Operations::Sum* sums) {
    using Vector = typename Operations::Vector;
    constexpr int kLanes = Operations::kLanes;
    constexpr int kDepth = Operations::kDepth;
    Vector sum[P][V];  // in registers
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p)
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v)
            sum[p][v] = fields.adds ? Operations::load(sums + (p * V + v) * kLanes) : Operations::zero();
    // One loop over all of the field: rows of few values would spend more on loops within loops than on sums.
    const auto* field = fields.first;
    const std::ptrdiff_t toSegment = fields.segmentStride - fields.run;
    const std::ptrdiff_t toRow = fields.rowStride - (fields.segments - 1) * fields.segmentStride - fields.run;
    int segment = 0;
    int left = fields.run;
    for (int step = fields.rows * fields.segments * fields.run; step > 0; step -= kDepth) {
#pragma GCC unroll 4
        for (int first = 0; first < V; first += Group) {
            // The next group broadcasts anew: kept values would push sums out of the registers.
            if constexpr (Group < V) asm volatile("" ::: "memory");
            Vector weight[Group];
#pragma GCC unroll 4
            for (int v = 0; v < Group; ++v)
                weight[v] = Operations::load(weights + kDepth * kLanes * (first + v));
#pragma GCC unroll 16
            for (int p = 0; p < P; ++p) {
                const Vector value = Operations::broadcast(field + p * fields.pixelStride);
#pragma GCC unroll 4
                for (int v = 0; v < Group; ++v)
                    sum[p][first + v] = Operations::multiplyAdd(value, weight[v], sum[p][first + v]);
            }
        }
        field += kDepth;
        weights += kDepth * kLanes * V;
        left -= kDepth;
        if (left == 0) {
            left = fields.run;
            const bool lastOfRow = ++segment == fields.segments;
            field += lastOfRow ? toRow : toSegment;
            if (lastOfRow) {
                segment = 0;
                weights += fields.weightSkip;
            }
        }
    }
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p)
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v)
            Operations::store(sums + (p * V + v) * kLanes, sum[p][v]);
}

/// Four activations as one number, to be broadcast.
inline std::int32_t fourBytes(const std::uint8_t* bytes) {
    std::int32_t four;
    std::memcpy(&four, bytes, 4);
    return four;
}

}  // namespace
}  // namespace bitloom::qsimd
