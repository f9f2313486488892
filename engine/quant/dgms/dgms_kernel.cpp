// One source for every instruction set: foreach_target.h compiles this file once a target, the last part
// dispatches.
#include "engine/quant/dgms/dgms_kernel.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/quant/dgms/dgms_kernel.cpp"
// clang-format off: this order is required
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#ifndef BITLOOM_DGMS_KERNEL_ONCE
#define BITLOOM_DGMS_KERNEL_ONCE
namespace bitloom::quant::dgms {

/// Working memory of one thread, kept between calls: a block's active weights, sorted by segment and padded
/// to whole vectors, and per-component temporaries of one vector of weights.
struct Scratch {
    std::vector<std::int32_t> bucket = std::vector<std::int32_t>(kBlockSize);
    std::vector<std::int32_t> active = std::vector<std::int32_t>(kBlockSize + 1);
    std::vector<std::size_t> start;      // of each segment's run in the arrays below, whole vectors
    std::vector<std::size_t> length;     // of each run, without padding
    std::vector<std::int32_t> position;  // in the block
    std::vector<double> weight;
    std::vector<double> gradient;
    std::vector<double> result;
    std::vector<double> temporaries;
    std::vector<double> totals;
};

Scratch& threadScratch() {
    static thread_local Scratch scratch;
    return scratch;
}

}  // namespace bitloom::quant::dgms
#endif

HWY_BEFORE_NAMESPACE();
namespace bitloom::quant::dgms {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<double>;
using V = hn::Vec<D>;

/// e^x for x <= 0 (a rounding error above does no harm), relative error <= 2e-15; below -600 it stays e^-600,
/// which is nothing beside the 1 that every sum here contains, and keeps clear of denormals. NaN stays NaN.
/// x = n ln 2 + y, |y| <= ln 2 / 2; e^y = 1 + y + y^2 q(y), q interpolates at the nine Chebyshev nodes.
HWY_INLINE V expNegative(V x) {
    const D d;
    const hn::RebindToSigned<D> di;
    // Adding 1.5 * 2^52 rounds to an integer in the low mantissa bits; 1023 more makes them a float64
    // exponent field.
    const V magic = hn::Set(d, 0x1.8p52 + 1023);
    x = hn::Max(hn::Set(d, -600.0), x);  // the second operand of a NaN comparison is what comes back
    const V shifted = hn::MulAdd(x, hn::Set(d, 0x1.71547652b82fep0), magic);
    const V n = hn::Sub(shifted, magic);
    V y = hn::NegMulAdd(n, hn::Set(d, 0x1.62e42fefa0000p-1), x);  // ln 2, upper bits
    y = hn::NegMulAdd(n, hn::Set(d, 0x1.cf79abc9e3b3ap-40), y);   // ln 2, the rest
    const V y2 = hn::Mul(y, y);
    const V y4 = hn::Mul(y2, y2);
    const V q01 = hn::MulAdd(hn::Set(d, 0x1.5555555553b78p-3), y, hn::Set(d, 0.5));
    const V q23 = hn::MulAdd(hn::Set(d, 0x1.1111111c478ebp-7), y, hn::Set(d, 0x1.5555555554cb7p-5));
    const V q45 = hn::MulAdd(hn::Set(d, 0x1.a019ada3609f3p-13), y, hn::Set(d, 0x1.6c16c1738ff55p-10));
    const V q67 = hn::MulAdd(hn::Set(d, 0x1.72c72ca338df0p-19), y, hn::Set(d, 0x1.a019c9a5652d3p-16));
    const V low = hn::MulAdd(q23, y2, q01);
    const V high = hn::MulAdd(q67, y2, q45);
    const V q = hn::MulAdd(hn::MulAdd(hn::Set(d, 0x1.2880411bad1aap-22), y4, high), y4, low);
    const V mantissa = hn::Add(hn::MulAdd(q, y2, y), hn::Set(d, 1.0));
    return hn::Mul(mantissa, hn::BitCast(d, hn::ShiftLeft<52>(hn::BitCast(di, shifted))));
}

template <class T>
WeightRange rangeOfAny(const T* weights, std::size_t count) {
    const hn::ScalableTag<T> d;
    const std::size_t lanes = hn::Lanes(d);
    auto low = hn::Set(d, weights[0]);
    auto high = low;
    auto probe = hn::Zero(d);  // NaN as soon as a weight is NaN or infinite
    T tailProbe = 0;
    T tailLow = weights[0];
    T tailHigh = weights[0];
    std::size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
        const auto weight = hn::LoadU(d, weights + i);
        low = hn::Min(low, weight);
        high = hn::Max(high, weight);
        probe = hn::MulAdd(weight, hn::Zero(d), probe);
    }
    for (; i < count; ++i) {
        tailLow = std::min(tailLow, weights[i]);
        tailHigh = std::max(tailHigh, weights[i]);
        tailProbe += weights[i] * T(0);
    }
    return {std::min(hn::GetLane(hn::MinOfLanes(d, low)), tailLow),
            std::max(hn::GetLane(hn::MaxOfLanes(d, high)), tailHigh),
            hn::AllTrue(d, hn::Eq(probe, hn::Zero(d))) && tailProbe == T(0)};
}

WeightRange rangeFloat(const float* weights, std::size_t count) {
    return rangeOfAny(weights, count);
}
WeightRange rangeDouble(const double* weights, std::size_t count) {
    return rangeOfAny(weights, count);
}

std::int32_t cellOf(double position, std::int32_t last) {
    if (!(position > 0)) return 0;  // also NaN, which buildCells sends to a table of one cell
    return position >= last ? last : static_cast<std::int32_t>(position);
}

void classifyTail(const CellTable& cells, const double* weights, std::size_t count, std::int32_t* bucket) {
    const auto last = static_cast<std::int32_t>(cells.bucket.size()) - 1;
    for (std::size_t i = 0; i < count; ++i) {
        bucket[i] =
            cells.bucket[static_cast<std::size_t>(cellOf((weights[i] - cells.low) * cells.scale, last))];
    }
}

void classify(const CellTable& cells, const double* weights, std::size_t count, std::int32_t* bucket) {
    classifyTail(cells, weights, count, bucket);
}

void classify(const CellTable& cells, const float* weights, std::size_t count, std::int32_t* bucket) {
    const hn::ScalableTag<float> df;
    const hn::RebindToSigned<decltype(df)> di;
    const auto low = hn::Set(df, static_cast<float>(cells.low));
    const auto scale = hn::Set(df, static_cast<float>(cells.scale));
    const auto last = hn::Set(di, static_cast<std::int32_t>(cells.bucket.size()) - 1);
    const std::size_t lanes = hn::Lanes(df);
    std::size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
        const auto cell = hn::ConvertTo(di, hn::Mul(hn::Sub(hn::LoadU(df, weights + i), low), scale));
        const auto clamped = hn::Min(hn::Max(cell, hn::Zero(di)), last);
        hn::StoreU(hn::GatherIndex(di, cells.bucket.data(), clamped), di, bucket + i);
    }
    for (; i < count; ++i) {
        const double weight = weights[i];
        classifyTail(cells, &weight, 1, bucket + i);
    }
}

/// Lists the positions of weights in segments; returns how many.
std::size_t listActive(const std::int32_t* bucket, std::size_t count, std::int32_t components,
                       std::int32_t* active) {
    std::size_t found = 0;
    for (std::size_t i = 0; i < count; ++i) {
        active[found] = static_cast<std::int32_t>(i);
        found += bucket[i] >= components ? 1 : 0;
    }
    return found;
}

/// Copies active weights (and gradients, if given) into runs by segment, each padded to whole vectors with
/// its last weight and gradient 0.
template <class T>
void sortBySegment(const MixtureTable& table, const T* weights, const T* gradients, std::size_t found,
                   Scratch& s) {
    const std::size_t lanes = hn::Lanes(D());
    const std::size_t segments = table.cells.segments.size();
    const std::int32_t first = table.components.size();
    s.length.assign(segments, 0);
    s.start.resize(segments);
    for (std::size_t i = 0; i < found; ++i)
        ++s.length[static_cast<std::size_t>(s.bucket[s.active[i]] - first)];
    std::size_t total = 0;
    for (std::size_t segment = 0; segment < segments; ++segment) {
        s.start[segment] = total;
        total += hwy::RoundUpTo(s.length[segment], lanes);
        s.length[segment] = 0;
    }
    if (s.weight.size() < total) {
        s.weight.resize(total);
        s.gradient.resize(total);
        s.result.resize(total);
        s.position.resize(total);
    }
    for (std::size_t i = 0; i < found; ++i) {
        const std::int32_t position = s.active[i];
        const auto segment = static_cast<std::size_t>(s.bucket[position] - first);
        const std::size_t slot = s.start[segment] + s.length[segment]++;
        s.position[slot] = position;
        s.weight[slot] = weights[position];
        if (gradients) s.gradient[slot] = gradients[position];
    }
    for (std::size_t segment = 0; segment < segments; ++segment) {
        const std::size_t end = s.start[segment] + s.length[segment];
        for (std::size_t slot = end; slot < s.start[segment] + hwy::RoundUpTo(s.length[segment], lanes);
             ++slot) {
            s.weight[slot] = s.weight[end - 1];
            s.gradient[slot] = 0;
        }
    }
}

/// Per-component temporaries of one vector of weights, [near][lanes] each.
struct Temporaries {
    Temporaries(std::vector<double>& memory, std::size_t near) : stride(near * hn::Lanes(D())) {
        if (memory.size() < 8 * stride) memory.resize(8 * stride);
        base = memory.data();
    }
    [[nodiscard]] double* posterior() const { return base; }       // u, then r
    [[nodiscard]] double* share() const { return base + stride; }  // exp(r / tau - ...), then phi, then v
    [[nodiscard]] double* distance() const { return base + 2 * stride; }
    [[nodiscard]] double* sums() const { return base + 3 * stride; }  // F, A0, A1, A2
    double* base;
    std::size_t stride;
};

struct SoftVector {
    V value;          // Phi
    V inverseShares;  // 1 / denominator of the second softmax
    V farShare;       // numerator of phi of a far component
};

/// Steps 1 to 3 of dgms/README.md section 2 for one vector of weights. Leaves r, the numerators of phi, and d
/// in `t`.
HWY_INLINE SoftVector evaluate(const Components& components, const Segment& segment, V weight,
                               const Temporaries& t) {
    const D d;
    const std::size_t lanes = hn::Lanes(d);
    const std::size_t near = segment.near.size();
    const V inverseTemperature = hn::Set(d, 1 / components.temperature);
    V best = hn::Set(d, -std::numeric_limits<double>::infinity());
    for (std::size_t j = 0; j < near; ++j) {
        const V distance =
            hn::Mul(hn::Sub(weight, hn::Set(d, segment.mu[j])), hn::Set(d, segment.inverseSigma[j]));
        const V half = hn::Mul(hn::Set(d, 0.5), distance);
        const V u = hn::NegMulAdd(half, distance, hn::Set(d, segment.offset[j]));
        hn::StoreU(distance, d, t.distance() + j * lanes);
        hn::StoreU(u, d, t.posterior() + j * lanes);
        best = hn::Max(best, u);
    }
    const bool hasPhantom = components.phantom > -std::numeric_limits<double>::infinity();
    const V phantom = hn::Set(d, components.phantom);
    const V shift = hn::Max(best, phantom);
    V sum = hasPhantom ? expNegative(hn::Sub(phantom, shift)) : hn::Zero(d);
    for (std::size_t j = 0; j < near; ++j) {
        const V e = expNegative(hn::Sub(hn::LoadU(d, t.posterior() + j * lanes), shift));
        hn::StoreU(e, d, t.posterior() + j * lanes);
        sum = hn::Add(sum, e);
    }
    const V inverseSum = hn::Div(hn::Set(d, 1), sum);
    const V largest = hasPhantom ? hn::Mul(expNegative(hn::Sub(best, shift)), inverseSum) : inverseSum;
    V shares = hn::Zero(d);
    V weighted = hn::Zero(d);
    for (std::size_t j = 0; j < near; ++j) {
        const V r = hn::Mul(hn::LoadU(d, t.posterior() + j * lanes), inverseSum);
        const V share = expNegative(hn::Mul(hn::Sub(r, largest), inverseTemperature));
        hn::StoreU(r, d, t.posterior() + j * lanes);
        hn::StoreU(share, d, t.share() + j * lanes);
        shares = hn::Add(shares, share);
        weighted = hn::MulAdd(share, hn::Set(d, segment.mu[j]), weighted);
    }
    V farShare = hn::Zero(d);
    if (segment.farCount > 0) {
        farShare = expNegative(hn::Neg(hn::Mul(largest, inverseTemperature)));
        shares = hn::MulAdd(farShare, hn::Set(d, segment.farCount), shares);
        weighted = hn::MulAdd(farShare, hn::Set(d, segment.farMu), weighted);
    }
    const V inverseShares = hn::Div(hn::Set(d, 1), shares);
    return {hn::Mul(weighted, inverseShares), inverseShares, farShare};
}

void forwardSegment(const Components& components, const Segment& segment, std::size_t start,
                    std::size_t count, Scratch& s) {
    const D d;
    const Temporaries t(s.temporaries, segment.near.size());
    for (std::size_t i = start; i < start + count; i += hn::Lanes(d)) {
        const SoftVector soft = evaluate(components, segment, hn::LoadU(d, &s.weight[i]), t);
        hn::StoreU(soft.value, d, &s.result[i]);
    }
}

HWY_INLINE void accumulate(double* sum, V value) {
    const D d;
    hn::StoreU(hn::Add(hn::LoadU(d, sum), value), d, sum);
}

/// One vector of dgms/README.md section 3: adds to the per-component sums in `t`, to `sumC` and `sumFar`;
/// returns dL/dw.
HWY_INLINE V backwardVector(const Components& components, const Segment& segment, V weight, V gradient,
                            const Temporaries& t, V& sumC, V& sumFar) {
    const D d;
    const std::size_t lanes = hn::Lanes(d);
    const std::size_t near = segment.near.size();
    const SoftVector soft = evaluate(components, segment, weight, t);
    V c = hn::Zero(d);
    for (std::size_t j = 0; j < near; ++j) {
        const V phi = hn::Mul(hn::LoadU(d, t.share() + j * lanes), soft.inverseShares);
        const V v = hn::Mul(phi, hn::Sub(hn::Set(d, segment.mu[j]), soft.value));
        accumulate(t.sums() + j * lanes, hn::Mul(gradient, phi));
        hn::StoreU(v, d, t.share() + j * lanes);
        c = hn::MulAdd(hn::LoadU(d, t.posterior() + j * lanes), v, c);
    }
    sumC = hn::MulAdd(gradient, c, sumC);
    sumFar = hn::MulAdd(gradient, hn::Mul(soft.farShare, soft.inverseShares), sumFar);
    const V scaled = hn::Mul(gradient, hn::Set(d, 1 / components.temperature));
    V slope = hn::Zero(d);
    for (std::size_t j = 0; j < near; ++j) {
        const V v = hn::LoadU(d, t.share() + j * lanes);
        const V distance = hn::LoadU(d, t.distance() + j * lanes);
        const V a = hn::Mul(hn::Mul(hn::LoadU(d, t.posterior() + j * lanes), hn::Sub(v, c)), scaled);
        const V ad = hn::Mul(a, distance);
        accumulate(t.sums() + t.stride + j * lanes, a);
        accumulate(t.sums() + 2 * t.stride + j * lanes, ad);
        accumulate(t.sums() + 3 * t.stride + j * lanes, hn::Mul(ad, distance));
        slope = hn::NegMulAdd(ad, hn::Set(d, segment.inverseSigma[j]), slope);
    }
    return slope;
}

void backwardSegment(const MixtureTable& table, std::size_t index, std::size_t start, std::size_t count,
                     Scratch& s, double* sums) {
    const D d;
    const std::size_t lanes = hn::Lanes(d);
    const Segment& segment = table.cells.segments[index];
    const Temporaries t(s.temporaries, segment.near.size());
    std::fill_n(t.sums(), 4 * t.stride, 0.0);
    V sumC = hn::Zero(d);
    V sumFar = hn::Zero(d);
    for (std::size_t i = start; i < start + count; i += lanes) {
        const V slope = backwardVector(table.components, segment, hn::LoadU(d, &s.weight[i]),
                                       hn::LoadU(d, &s.gradient[i]), t, sumC, sumFar);
        hn::StoreU(slope, d, &s.result[i]);
    }
    const SumLayout layout(table);
    for (std::size_t kind = 0; kind < 4; ++kind) {
        for (std::size_t j = 0; j < segment.near.size(); ++j) {
            const V lanesSum = hn::LoadU(d, t.sums() + kind * t.stride + j * lanes);
            sums[kind * layout.components + static_cast<std::size_t>(segment.near[j])] +=
                hn::GetLane(hn::SumOfLanes(d, lanesSum));
        }
    }
    sums[layout.c()] += hn::GetLane(hn::SumOfLanes(d, sumC));
    sums[layout.far() + index] += hn::GetLane(hn::SumOfLanes(d, sumFar));
}

/// F_k += G for weights in constant cells. Four tables, because successive weights often share a bucket and
/// each addition would wait for the one before.
template <class T>
void sumConstantCells(const T* gradients, std::size_t count, std::size_t components, std::size_t buckets,
                      Scratch& s, double* sums) {
    s.totals.assign(4 * buckets, 0.0);
    double* totals = s.totals.data();
    std::size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        for (std::size_t lane = 0; lane < 4; ++lane) {
            totals[lane * buckets + static_cast<std::size_t>(s.bucket[i + lane])] += gradients[i + lane];
        }
    }
    for (; i < count; ++i)
        totals[s.bucket[i]] += gradients[i];
    for (std::size_t k = 0; k < components; ++k) {
        sums[k] += (totals[k] + totals[buckets + k]) + (totals[2 * buckets + k] + totals[3 * buckets + k]);
    }
}

template <class T>
void copyResults(const Scratch& s, T* target) {
    for (std::size_t segment = 0; segment < s.start.size(); ++segment) {
        for (std::size_t slot = s.start[segment]; slot < s.start[segment] + s.length[segment]; ++slot) {
            target[s.position[slot]] = static_cast<T>(s.result[slot]);
        }
    }
}

template <class T>
void forwardBlock(const MixtureTable& table, const T* weights, std::size_t count, T* soft) {
    Scratch& s = threadScratch();
    classify(table.cells, weights, count, s.bucket.data());
    const double* value = table.cells.value.data();
    for (std::size_t i = 0; i < count; ++i)
        soft[i] = static_cast<T>(value[s.bucket[i]]);
    const std::size_t found = listActive(s.bucket.data(), count, table.components.size(), s.active.data());
    sortBySegment<T>(table, weights, nullptr, found, s);
    for (std::size_t segment = 0; segment < s.start.size(); ++segment) {
        forwardSegment(table.components, table.cells.segments[segment], s.start[segment], s.length[segment],
                       s);
    }
    copyResults(s, soft);
}

/// The deployed value of one weight outside of constant cells. In parity mode the phantom component may hide
/// the best one from the near list. What is not finite stays so.
double hardValue(const Components& components, const Segment& segment, double weight) {
    if (!std::isfinite(weight)) return weight;
    if (std::isfinite(components.phantom)) return components.mu[components.hardIndex(weight)];
    double best = -std::numeric_limits<double>::infinity();
    double value = std::numeric_limits<double>::quiet_NaN();
    for (std::size_t j = 0; j < segment.near.size(); ++j) {
        const double score = components.score(segment.near[j], weight);
        if (score > best) {
            best = score;
            value = segment.mu[j];
        }
    }
    return value;
}

template <class T>
void hardBlock(const MixtureTable& table, const T* weights, std::size_t count, T* hard) {
    Scratch& s = threadScratch();
    classify(table.cells, weights, count, s.bucket.data());
    const std::int32_t components = table.components.size();
    for (std::size_t i = 0; i < count; ++i) {
        const std::int32_t bucket = s.bucket[i];
        hard[i] = static_cast<T>(
            bucket < components
                ? table.cells.value[bucket]
                : hardValue(table.components, table.cells.segments[bucket - components], weights[i]));
    }
}

template <class T>
void backwardBlock(const MixtureTable& table, const T* weights, const T* gradients, std::size_t count,
                   double* sums, T* weightGradients) {
    Scratch& s = threadScratch();
    classify(table.cells, weights, count, s.bucket.data());
    sumConstantCells(gradients, count, table.components.mu.size(), table.cells.value.size(), s, sums);
    const std::size_t found = listActive(s.bucket.data(), count, table.components.size(), s.active.data());
    sortBySegment<T>(table, weights, gradients, found, s);
    for (std::size_t segment = 0; segment < s.start.size(); ++segment) {
        if (s.length[segment] > 0) {
            backwardSegment(table, segment, s.start[segment], s.length[segment], s, sums);
        }
    }
    if (weightGradients) {
        std::fill_n(weightGradients, count, T(0));
        copyResults(s, weightGradients);
    }
}

void forwardFloat(const MixtureTable& table, const float* weights, std::size_t count, float* soft) {
    forwardBlock(table, weights, count, soft);
}
void forwardDouble(const MixtureTable& table, const double* weights, std::size_t count, double* soft) {
    forwardBlock(table, weights, count, soft);
}
void hardFloat(const MixtureTable& table, const float* weights, std::size_t count, float* hard) {
    hardBlock(table, weights, count, hard);
}
void hardDouble(const MixtureTable& table, const double* weights, std::size_t count, double* hard) {
    hardBlock(table, weights, count, hard);
}
void backwardFloat(const MixtureTable& table, const float* weights, const float* gradients, std::size_t count,
                   double* sums, float* weightGradients) {
    backwardBlock(table, weights, gradients, count, sums, weightGradients);
}
void backwardDouble(const MixtureTable& table, const double* weights, const double* gradients,
                    std::size_t count, double* sums, double* weightGradients) {
    backwardBlock(table, weights, gradients, count, sums, weightGradients);
}

const char* targetName() {
    return hwy::TargetName(HWY_TARGET);
}

}  // namespace HWY_NAMESPACE
}  // namespace bitloom::quant::dgms
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bitloom::quant::dgms {

HWY_EXPORT(rangeFloat);
HWY_EXPORT(rangeDouble);
HWY_EXPORT(forwardFloat);
HWY_EXPORT(forwardDouble);
HWY_EXPORT(hardFloat);
HWY_EXPORT(hardDouble);
HWY_EXPORT(backwardFloat);
HWY_EXPORT(backwardDouble);
HWY_EXPORT(targetName);

WeightRange rangeOf(const float* weights, std::size_t count) {
    return HWY_DYNAMIC_DISPATCH(rangeFloat)(weights, count);
}

WeightRange rangeOf(const double* weights, std::size_t count) {
    return HWY_DYNAMIC_DISPATCH(rangeDouble)(weights, count);
}

void softForward(const MixtureTable& table, const float* weights, std::size_t count, float* soft) {
    HWY_DYNAMIC_DISPATCH(forwardFloat)(table, weights, count, soft);
}

void softForward(const MixtureTable& table, const double* weights, std::size_t count, double* soft) {
    HWY_DYNAMIC_DISPATCH(forwardDouble)(table, weights, count, soft);
}

void hardForward(const MixtureTable& table, const float* weights, std::size_t count, float* hard) {
    HWY_DYNAMIC_DISPATCH(hardFloat)(table, weights, count, hard);
}

void hardForward(const MixtureTable& table, const double* weights, std::size_t count, double* hard) {
    HWY_DYNAMIC_DISPATCH(hardDouble)(table, weights, count, hard);
}

void softBackward(const MixtureTable& table, const float* weights, const float* gradients, std::size_t count,
                  double* sums, float* weightGradients) {
    HWY_DYNAMIC_DISPATCH(backwardFloat)(table, weights, gradients, count, sums, weightGradients);
}

void softBackward(const MixtureTable& table, const double* weights, const double* gradients,
                  std::size_t count, double* sums, double* weightGradients) {
    HWY_DYNAMIC_DISPATCH(backwardDouble)(table, weights, gradients, count, sums, weightGradients);
}

const char* kernelTarget() {
    return HWY_DYNAMIC_DISPATCH(targetName)();
}

}  // namespace bitloom::quant::dgms
#endif
