// One source for every instruction set: foreach_target.h compiles this file once a target, the last part
// dispatches.
#include "engine/quant/search/search_kernel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/quant/search/search_kernel.cpp"
// This order is required.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>
#include "engine/base/bfloat16-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace bitloom::quant::search {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Calls body(d, i) for the vectors that fill [0, count), then for what is left element by element.
template <class T, class Body>
HWY_INLINE void forEachVector(std::size_t count, const Body& body) {
    const hn::ScalableTag<T> wide;
    const hn::CappedTag<T, 1> narrow;
    const std::size_t lanes = hn::Lanes(wide);
    std::size_t i = 0;
    for (; i + lanes <= count; i += lanes)
        body(wide, i);
    for (; i < count; ++i)
        body(narrow, i);
}

/// 2^x for x <= 0; 0 from -127 down, and within 2^-126 above that up to -126. Of float to 3e-7 (x = -115:
/// 5e-6), in half the time of Highway's Exp, which takes every x: 2^n by its exponent, 2^f by the polynomial
/// of least relative error on [-1/2, 1/2] (7.5e-8; Remez).
template <class D>
HWY_INLINE hn::Vec<D> exp2OfNegative(D d, hn::Vec<D> x) {
    if constexpr (sizeof(hn::TFromD<D>) == 8) {
        return hn::Exp(d, hn::Mul(x, hn::Set(d, 0.693147180559945309)));
    } else {
        const hn::RebindToSigned<D> integers;
        const auto power = hn::Max(x, hn::Set(d, -127.0F));  // whose exponent and fraction are those of 0
        // The lowest bits of a sum with 1.5 * 2^23 are the nearest integer, n.
        const auto shifter = hn::Set(d, 12582912.0F);
        const auto shifted = hn::Add(power, shifter);
        const auto f = hn::Sub(power, hn::Sub(shifted, shifter));
        auto fraction = hn::MulAdd(f, hn::Set(d, 1.327647198e-3F), hn::Set(d, 9.675541334e-3F));
        fraction = hn::MulAdd(f, fraction, hn::Set(d, 5.550713274e-2F));
        fraction = hn::MulAdd(f, fraction, hn::Set(d, 0.2402211972F));
        fraction = hn::MulAdd(f, fraction, hn::Set(d, 0.6931469671F));
        fraction = hn::MulAdd(f, fraction, hn::Set(d, 1.0F));
        const auto exponent = hn::ShiftLeft<23>(hn::BitCast(integers, shifted));
        return hn::BitCast(d, hn::Add(hn::BitCast(integers, fraction), exponent));
    }
}

/// 1 / temperature in the powers of two that exp2OfNegative takes.
template <class T>
T binaryScale(T inverseTemperature) {
    return inverseTemperature * static_cast<T>(1.44269504088896341);
}

/// The largest logit, 0 of value 0 included, and the value that has it.
template <class D>
struct Winner {
    hn::Vec<D> logit;
    hn::Vec<D> value;
};

template <class D, class T>
HWY_INLINE Winner<D> winnerOf(D d, Rows<const T> logits, std::span<const T> values, std::size_t i) {
    Winner<D> winner{hn::Zero(d), hn::Set(d, values[0])};
    for (std::size_t k = 1; k < values.size(); ++k) {
        const auto logit = hn::LoadU(d, logits.first + (k - 1) * logits.stride + i);
        const auto better = hn::Gt(logit, winner.logit);
        winner.logit = hn::IfThenElse(better, logit, winner.logit);
        winner.value = hn::IfThenElse(better, hn::Set(d, values[k]), winner.value);
    }
    return winner;
}

template <class T>
struct Choose {
    Rows<const T> logits;
    std::span<const T> values;
    T* chosen;

    template <class D>
    HWY_INLINE void operator()(D d, std::size_t i) const {
        hn::StoreU(winnerOf(d, logits, values, i).value, d, chosen + i);
    }
};

template <class T>
struct Expect {
    Rows<const T> logits;
    std::span<const T> values;
    T inverseTemperature;
    T* mean;

    template <class D>
    HWY_INLINE void operator()(D d, std::size_t i) const {
        const Winner<D> winner = winnerOf(d, logits, values, i);
        const auto scale = hn::Set(d, binaryScale(inverseTemperature));
        auto total = exp2OfNegative(d, hn::Mul(hn::Neg(winner.logit), scale));
        auto weighted = hn::Mul(total, hn::Set(d, values[0]));
        for (std::size_t k = 1; k < values.size(); ++k) {
            const auto logit = hn::LoadU(d, logits.first + (k - 1) * logits.stride + i);
            const auto share = exp2OfNegative(d, hn::Mul(hn::Sub(logit, winner.logit), scale));
            total = hn::Add(total, share);
            weighted = hn::MulAdd(share, hn::Set(d, values[k]), weighted);
        }
        hn::StoreU(hn::Div(weighted, total), d, mean + i);
    }
};

template <class T>
struct RdhsGradient {
    Rows<const T> logits;
    std::span<const T> values;
    T inverseTemperature;
    const T* gradients;
    Rows<T> result;
    T* expected;

    template <class D>
    HWY_INLINE void operator()(D d, std::size_t i) const {
        values.size() == 2 ? ofTwo(d, i) : ofMany(d, i);
    }

    /// With e = exp(-|logit| / temperature) the loser's y is e / (1 + e), and g_1 - g_0 is
    /// (G / temperature) 2 (q_1 - q_0) e / (1 + e)^2.
    template <class D>
    HWY_INLINE void ofTwo(D d, std::size_t i) const {
        const auto one = hn::Set(d, T(1));
        const auto logit = hn::LoadU(d, logits.first + i);
        const auto scale = hn::Set(d, -binaryScale(inverseTemperature));
        const auto share = exp2OfNegative(d, hn::Mul(hn::Abs(logit), scale));
        const auto inverse = hn::Div(one, hn::Add(one, share));
        const auto ofLoser = hn::Mul(share, inverse);
        const auto slope = hn::Set(d, 2 * inverseTemperature * (values[1] - values[0]));
        const auto factor = hn::Mul(hn::LoadU(d, gradients + i), slope);
        hn::StoreU(hn::Mul(factor, hn::Mul(ofLoser, inverse)), d, result.first + i);
        if (expected == nullptr) return;
        const auto first = hn::Set(d, values[0]);
        const auto second = hn::Set(d, values[1]);
        const auto better = hn::Gt(logit, hn::Zero(d));
        const auto winner = hn::IfThenElse(better, second, first);
        const auto loser = hn::IfThenElse(better, first, second);
        hn::StoreU(hn::MulAdd(hn::Sub(loser, winner), ofLoser, winner), d, expected + i);
    }

    /// Values are taken relative to the winner's: where y has saturated, q_k - sum y q would cancel to
    /// nothing.
    template <class D>
    HWY_INLINE void ofMany(D d, std::size_t i) const {
        const Winner<D> winner = winnerOf(d, logits, values, i);
        const auto scale = hn::Set(d, binaryScale(inverseTemperature));
        const auto first = exp2OfNegative(d, hn::Mul(hn::Neg(winner.logit), scale));
        const auto firstValue = hn::Sub(hn::Set(d, values[0]), winner.value);
        auto total = first;
        auto weighted = hn::Mul(first, firstValue);
        for (std::size_t k = 1; k < values.size(); ++k) {
            const auto logit = hn::LoadU(d, logits.first + (k - 1) * logits.stride + i);
            const auto share = exp2OfNegative(d, hn::Mul(hn::Sub(logit, winner.logit), scale));
            const auto value = hn::Sub(hn::Set(d, values[k]), winner.value);
            total = hn::Add(total, share);
            weighted = hn::MulAdd(share, value, weighted);
            hn::StoreU(share, d, result.first + (k - 1) * result.stride + i);
        }
        const auto inverse = hn::Div(hn::Set(d, T(1)), total);
        const auto mean = hn::Mul(weighted, inverse);
        if (expected != nullptr) hn::StoreU(hn::Add(mean, winner.value), d, expected + i);
        const auto slope = hn::Mul(hn::Set(d, inverseTemperature), inverse);
        const auto factor = hn::Mul(hn::LoadU(d, gradients + i), slope);
        const auto ofFirst = hn::Mul(first, hn::Sub(firstValue, mean));
        for (std::size_t k = 1; k < values.size(); ++k) {
            T* target = result.first + (k - 1) * result.stride + i;
            const auto value = hn::Sub(hn::Set(d, values[k]), winner.value);
            const auto own = hn::MulSub(hn::LoadU(d, target), hn::Sub(value, mean), ofFirst);
            hn::StoreU(hn::Mul(factor, own), d, target);
        }
    }
};

template <class T>
struct Multiply {
    const T* factors;
    T* target;

    template <class D>
    HWY_INLINE void operator()(D d, std::size_t i) const {
        hn::StoreU(hn::Mul(hn::LoadU(d, target + i), hn::LoadU(d, factors + i)), d, target + i);
    }
};

/// g_k - g_0 in units of G: with the winner w = 0, 1 for every k >= 1; else 0 below w, 1 at w, 2 above.
template <class T>
struct SgtGradient {
    Rows<const T> logits;
    std::size_t values;
    T scale;
    bool signOnly;
    const T* gradients;
    Rows<T> result;

    template <class D>
    HWY_INLINE void operator()(D d, std::size_t i) const {
        const auto zero = hn::Zero(d);
        const auto one = hn::Set(d, T(1));
        auto best = zero;
        auto winner = zero;
        for (std::size_t k = 1; k < values; ++k) {
            const auto logit = hn::LoadU(d, logits.first + (k - 1) * logits.stride + i);
            const auto better = hn::Gt(logit, best);
            best = hn::IfThenElse(better, logit, best);
            winner = hn::IfThenElse(better, hn::Set(d, static_cast<T>(k)), winner);
        }
        auto gradient = hn::LoadU(d, gradients + i);
        if (signOnly) {
            const auto sign = hn::CopySign(one, gradient);
            gradient = hn::IfThenElse(hn::Gt(hn::Abs(gradient), zero), sign, gradient);
        } else {
            gradient = hn::Mul(hn::Set(d, scale), gradient);
        }
        const auto lowest = hn::Eq(winner, zero);
        for (std::size_t k = 1; k < values; ++k) {
            const auto above = hn::Sub(hn::Set(d, static_cast<T>(k + 1)), winner);
            const auto steps = hn::Min(hn::Max(above, zero), hn::Set(d, T(2)));
            const auto factor = hn::IfThenElse(lowest, one, steps);
            hn::StoreU(hn::Mul(factor, gradient), d, result.first + (k - 1) * result.stride + i);
        }
    }
};

template <class D>
HWY_INLINE hn::Vec<D> loadHalf(D d, const Half* from) {
    const hn::Rebind<hwy::float16_t, D> half;
    return hn::PromoteTo(d, hn::LoadU(half, reinterpret_cast<const hwy::float16_t*>(from)));
}

struct Widen {
    const Half* half;
    float* wide;

    template <class D>
    HWY_INLINE void operator()(D d, std::size_t i) const {
        hn::StoreU(loadHalf(d, half + i), d, wide + i);
    }
};

/// What rounding takes from the average is gone after ten more steps, and gradients span many powers of two.
struct Smooth {
    const float* gradients;
    BFloat16Bits* average;
    float momentum;
    bool nesterov;
    float* direction;

    template <class D>
    HWY_INLINE void operator()(D d, std::size_t i) const {
        using namespace bitloom::HWY_NAMESPACE;
        const auto gradient = hn::LoadU(d, gradients + i);
        const auto factor = hn::Set(d, momentum);
        const auto sum = hn::MulAdd(factor, loadBFloat16(d, average + i), gradient);
        const auto kept = roundToBFloat16(d, sum);
        storeBFloat16(d, kept, average + i);
        hn::StoreU(nesterov ? hn::MulAdd(factor, kept, gradient) : kept, d, direction + i);
    }
};

/// Adding uniform bits below the last one that half precision keeps, then cutting them off, rounds up as
/// often as the remainder is large. Below 2^-14, where half precision keeps fewer, the conversion rounds to
/// nearest.
struct Descend {
    Rows<Half> logits;
    Rows<const float> gradients;
    std::size_t planes;
    float rate;
    float decay;
    std::uint32_t seed;

    /// Up to four rows share a random number, 13 of its 32 bits each: the lowest of one are the highest of
    /// the next, which decide rarely.
    template <class D>
    HWY_INLINE void operator()(D d, std::size_t i) const {
        const hn::RebindToUnsigned<D> bits;
        for (std::size_t k = 0; k < planes; k += 4) {
            const auto random = randomOf(bits, i, k);
            step(d, k, i, hn::ShiftRight<19>(random));
            if (k + 1 < planes) step(d, k + 1, i, lowest(bits, hn::ShiftRight<12>(random)));
            if (k + 2 < planes) step(d, k + 2, i, lowest(bits, hn::ShiftRight<6>(random)));
            if (k + 3 < planes) step(d, k + 3, i, lowest(bits, random));
        }
    }

    static constexpr std::uint32_t kCutBits =
        0x1FFF;  ///< of float's mantissa, those that half has no room for

    template <class D>
    static HWY_INLINE hn::Vec<D> lowest(D d, hn::Vec<D> random) {
        return hn::And(random, hn::Set(d, kCutBits));
    }

    template <class D>
    HWY_INLINE void step(D d, std::size_t k, std::size_t i, hn::Vec<hn::RebindToUnsigned<D>> random) const {
        const hn::RebindToUnsigned<D> bits;
        const hn::Rebind<hwy::float16_t, D> half;
        Half* target = logits.first + k * logits.stride + i;
        const auto logit = loadHalf(d, target);
        const auto gradient = hn::LoadU(d, gradients.first + k * gradients.stride + i);
        const auto direction = hn::MulAdd(hn::Set(d, decay), logit, gradient);
        const auto moved = hn::NegMulAdd(hn::Set(d, rate), direction, logit);
        const auto edge = hn::Set(d, 65504.0F);
        const auto kept = hn::Min(hn::Max(moved, hn::Neg(edge)), edge);
        // The edge, without any of the bits that are cut, stays what it is.
        const auto up = hn::Add(hn::BitCast(bits, kept), random);
        const auto cut = hn::BitCast(d, hn::AndNot(hn::Set(bits, kCutBits), up));
        hn::StoreU(hn::DemoteTo(half, cut), half, reinterpret_cast<hwy::float16_t*>(target));
    }

    /// 32 bits of element i of row k: an integer hash of two rounds (constants: C. Wellons, hash-prospector).
    template <class D>
    HWY_INLINE hn::Vec<D> randomOf(D d, std::size_t i, std::size_t k) const {
        const auto place = static_cast<std::uint32_t>(i) + 0x9E3779B9U * static_cast<std::uint32_t>(k);
        // Iota of a variable start goes through memory in Highway 1.0.
        auto x = hn::Add(hn::Iota(d, 0U), hn::Set(d, seed + place));
        x = hn::Mul(hn::Xor(x, hn::ShiftRight<16>(x)), hn::Set(d, 0x21F0AAADU));
        x = hn::Mul(hn::Xor(x, hn::ShiftRight<15>(x)), hn::Set(d, 0x735A2D97U));
        return hn::Xor(x, hn::ShiftRight<15>(x));
    }
};

void widenFloat(const Half* half, std::size_t count, float* wide) {
    forEachVector<float>(count, Widen{half, wide});
}
void smoothFloat(const float* gradients, BFloat16Bits* average, float momentum, bool nesterov,
                 std::size_t count, float* direction) {
    forEachVector<float>(count, Smooth{gradients, average, momentum, nesterov, direction});
}
double squaresFloat(const float* values, std::size_t count) {
    const hn::ScalableTag<double> d;
    const hn::Rebind<float, decltype(d)> single;
    const std::size_t lanes = hn::Lanes(d);
    auto even = hn::Zero(d);
    auto odd = hn::Zero(d);
    std::size_t i = 0;
    for (; i + 2 * lanes <= count; i += 2 * lanes) {
        const auto first = hn::PromoteTo(d, hn::LoadU(single, values + i));
        const auto second = hn::PromoteTo(d, hn::LoadU(single, values + i + lanes));
        even = hn::MulAdd(first, first, even);
        odd = hn::MulAdd(second, second, odd);
    }
    double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
    for (; i < count; ++i)
        sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    return sum;
}
void descendFloat(Rows<Half> logits, Rows<const float> gradients, std::size_t planes, float rate, float decay,
                  std::uint32_t seed, std::size_t count) {
    forEachVector<float>(count, Descend{logits, gradients, planes, rate, decay, seed});
}
void chooseFloat(Rows<const float> logits, std::span<const float> values, std::size_t count, float* chosen) {
    forEachVector<float>(count, Choose<float>{logits, values, chosen});
}
void chooseDouble(Rows<const double> logits, std::span<const double> values, std::size_t count,
                  double* chosen) {
    forEachVector<double>(count, Choose<double>{logits, values, chosen});
}
void expectFloat(Rows<const float> logits, std::span<const float> values, float temperature,
                 std::size_t count, float* mean) {
    forEachVector<float>(count, Expect<float>{logits, values, 1 / temperature, mean});
}
void expectDouble(Rows<const double> logits, std::span<const double> values, double temperature,
                  std::size_t count, double* mean) {
    forEachVector<double>(count, Expect<double>{logits, values, 1 / temperature, mean});
}
void rdhsFloat(Rows<const float> logits, std::span<const float> values, float temperature,
               const float* gradients, std::size_t count, Rows<float> result, float* mean) {
    forEachVector<float>(count,
                         RdhsGradient<float>{logits, values, 1 / temperature, gradients, result, mean});
}
void rdhsDouble(Rows<const double> logits, std::span<const double> values, double temperature,
                const double* gradients, std::size_t count, Rows<double> result, double* mean) {
    forEachVector<double>(count,
                          RdhsGradient<double>{logits, values, 1 / temperature, gradients, result, mean});
}
void multiplyFloat(const float* factors, std::size_t count, float* target) {
    forEachVector<float>(count, Multiply<float>{factors, target});
}
void multiplyDouble(const double* factors, std::size_t count, double* target) {
    forEachVector<double>(count, Multiply<double>{factors, target});
}
void sgtFloat(Rows<const float> logits, std::size_t values, float scale, bool signOnly,
              const float* gradients, std::size_t count, Rows<float> result) {
    forEachVector<float>(count, SgtGradient<float>{logits, values, scale, signOnly, gradients, result});
}
void sgtDouble(Rows<const double> logits, std::size_t values, double scale, bool signOnly,
               const double* gradients, std::size_t count, Rows<double> result) {
    forEachVector<double>(count, SgtGradient<double>{logits, values, scale, signOnly, gradients, result});
}

}  // namespace HWY_NAMESPACE
}  // namespace bitloom::quant::search
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bitloom::quant::search {

HWY_EXPORT(widenFloat);
HWY_EXPORT(smoothFloat);
HWY_EXPORT(squaresFloat);
HWY_EXPORT(descendFloat);
HWY_EXPORT(chooseFloat);
HWY_EXPORT(chooseDouble);
HWY_EXPORT(expectFloat);
HWY_EXPORT(expectDouble);
HWY_EXPORT(rdhsFloat);
HWY_EXPORT(rdhsDouble);
HWY_EXPORT(multiplyFloat);
HWY_EXPORT(multiplyDouble);
HWY_EXPORT(sgtFloat);
HWY_EXPORT(sgtDouble);

void choose(Rows<const float> logits, std::span<const float> values, std::size_t count, float* chosen) {
    HWY_DYNAMIC_DISPATCH(chooseFloat)(logits, values, count, chosen);
}
void choose(Rows<const double> logits, std::span<const double> values, std::size_t count, double* chosen) {
    HWY_DYNAMIC_DISPATCH(chooseDouble)(logits, values, count, chosen);
}

void expect(Rows<const float> logits, std::span<const float> values, float temperature, std::size_t count,
            float* mean) {
    HWY_DYNAMIC_DISPATCH(expectFloat)(logits, values, temperature, count, mean);
}
void expect(Rows<const double> logits, std::span<const double> values, double temperature, std::size_t count,
            double* mean) {
    HWY_DYNAMIC_DISPATCH(expectDouble)(logits, values, temperature, count, mean);
}

void rdhsGradient(Rows<const float> logits, std::span<const float> values, float temperature,
                  const float* gradients, std::size_t count, Rows<float> result, float* mean) {
    HWY_DYNAMIC_DISPATCH(rdhsFloat)(logits, values, temperature, gradients, count, result, mean);
}
void rdhsGradient(Rows<const double> logits, std::span<const double> values, double temperature,
                  const double* gradients, std::size_t count, Rows<double> result, double* mean) {
    HWY_DYNAMIC_DISPATCH(rdhsDouble)(logits, values, temperature, gradients, count, result, mean);
}

void sgtGradient(Rows<const float> logits, std::size_t values, float scale, bool signOnly,
                 const float* gradients, std::size_t count, Rows<float> result) {
    HWY_DYNAMIC_DISPATCH(sgtFloat)(logits, values, scale, signOnly, gradients, count, result);
}
void sgtGradient(Rows<const double> logits, std::size_t values, double scale, bool signOnly,
                 const double* gradients, std::size_t count, Rows<double> result) {
    HWY_DYNAMIC_DISPATCH(sgtDouble)(logits, values, scale, signOnly, gradients, count, result);
}

void widen(const Half* half, std::size_t count, float* wide) {
    HWY_DYNAMIC_DISPATCH(widenFloat)(half, count, wide);
}

void multiply(const float* factors, std::size_t count, float* target) {
    HWY_DYNAMIC_DISPATCH(multiplyFloat)(factors, count, target);
}
void multiply(const double* factors, std::size_t count, double* target) {
    HWY_DYNAMIC_DISPATCH(multiplyDouble)(factors, count, target);
}
void smooth(const float* gradients, BFloat16Bits* average, float momentum, bool nesterov, std::size_t count,
            float* direction) {
    HWY_DYNAMIC_DISPATCH(smoothFloat)(gradients, average, momentum, nesterov, count, direction);
}
double sumOfSquares(const float* values, std::size_t count) {
    return HWY_DYNAMIC_DISPATCH(squaresFloat)(values, count);
}
void descend(Rows<Half> logits, Rows<const float> gradients, std::size_t planes, float rate, float decay,
             std::uint32_t seed, std::size_t count) {
    HWY_DYNAMIC_DISPATCH(descendFloat)(logits, gradients, planes, rate, decay, seed, count);
}

}  // namespace bitloom::quant::search
#endif
