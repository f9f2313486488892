// bfloat16 in Highway code: read as float32 and written back. For sources that foreach_target.h compiles once
// an instruction set, which include it once for each; hence the guard that toggles.
#include "engine/base/bfloat16.h"

#if defined(BITLOOM_ENGINE_BASE_BFLOAT16_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef BITLOOM_ENGINE_BASE_BFLOAT16_INL_H
#undef BITLOOM_ENGINE_BASE_BFLOAT16_INL_H
#else
#define BITLOOM_ENGINE_BASE_BFLOAT16_INL_H
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace bitloom::HWY_NAMESPACE {

/// `d` is a tag of float; `from` need not be aligned.
template <class D>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> loadBFloat16(D d, const BFloat16Bits* HWY_RESTRICT from) {
    namespace hn = hwy::HWY_NAMESPACE;
    const hn::Repartition<std::uint32_t, D> bits;
    const hn::Rebind<BFloat16Bits, D> half;
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(bits, hn::LoadU(half, from))));
}

/// `value` to the nearest bfloat16, as a float32.
template <class D>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> roundToBFloat16(D d, hwy::HWY_NAMESPACE::Vec<D> value) {
    namespace hn = hwy::HWY_NAMESPACE;
    const hn::Repartition<std::uint32_t, D> bits;
    const auto exact = hn::BitCast(bits, value);
    const auto odd = hn::And(hn::ShiftRight<16>(exact), hn::Set(bits, 1));
    const auto rounded = hn::Add(exact, hn::Add(odd, hn::Set(bits, 0x7fff)));  // of NaN it could be infinity
    const auto quietNaN = hn::Set(bits, 0x7fc00000);
    const auto kept = hn::IfThenElse(hn::RebindMask(bits, hn::IsNaN(value)), quietNaN, rounded);
    return hn::BitCast(d, hn::And(kept, hn::Set(bits, 0xffff0000)));
}

/// `rounded` is of roundToBFloat16(); `to` need not be aligned.
template <class D>
HWY_INLINE void storeBFloat16(D /*d*/, hwy::HWY_NAMESPACE::Vec<D> rounded, BFloat16Bits* HWY_RESTRICT to) {
    namespace hn = hwy::HWY_NAMESPACE;
    const hn::Repartition<std::int32_t, D> integers;
    const hn::Repartition<std::uint32_t, D> bits;
    const hn::Rebind<BFloat16Bits, D> half;
    const auto upper = hn::ShiftRight<16>(hn::BitCast(bits, rounded));
    hn::StoreU(hn::DemoteTo(half, hn::BitCast(integers, upper)), half, to);
}

}  // namespace bitloom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
