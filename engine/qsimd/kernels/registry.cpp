#include "engine/qsimd/kernels/registry.h"

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include <initializer_list>
#include <span>

#include "engine/qsimd/kernels/tables.h"

namespace bitloom::qsimd {

const char* isaName(Isa isa) {
    switch (isa) {
        case Isa::Scalar:
            return "scalar";
        case Isa::Avx2:
            return "avx2";
        case Isa::Avx512:
            return "avx512";
        case Isa::Avx512Vnni:
            return "avx512vnni";
        case Isa::Neon:
            return "neon";
        case Isa::NeonDot:
            return "neondot";
        case Isa::NeonI8mm:
            return "neoni8mm";
    }
    return "";
}

bool canRun(Isa isa) {
#if defined(__aarch64__)
    // Bits of Linux's arch/arm64/include/uapi/asm/hwcap.h; older C libraries do not name them all.
    constexpr unsigned long kAsimdDotProduct = 1UL << 20;  // HWCAP_ASIMDDP
    constexpr unsigned long kI8mm = 1UL << 13;             // HWCAP2_I8MM
    switch (isa) {
        case Isa::Scalar:
        case Isa::Neon:
            return true;
        case Isa::NeonDot:
            return (getauxval(AT_HWCAP) & kAsimdDotProduct) != 0;
        case Isa::NeonI8mm:
            return canRun(Isa::NeonDot) && (getauxval(AT_HWCAP2) & kI8mm) != 0;
        default:
            return false;
    }
#else
    switch (isa) {
        case Isa::Scalar:
            return true;
        case Isa::Avx2:
            return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
        case Isa::Avx512:
            return canRun(Isa::Avx2) && __builtin_cpu_supports("avx512f") &&
                   __builtin_cpu_supports("avx512bw");
        case Isa::Avx512Vnni:
            return canRun(Isa::Avx512) && __builtin_cpu_supports("avx512vnni");
        default:
            return false;
    }
#endif
}

namespace {

template <class Entry>
std::vector<Entry> joined(std::initializer_list<std::span<const Entry>> tables) {
    std::vector<Entry> all;
    for (const auto table : tables)
        all.insert(all.end(), table.begin(), table.end());
    return all;
}

}  // namespace

const std::vector<Microkernel>& allMicrokernels() {
#if defined(__aarch64__)
    static const auto all =
        joined({scalarMicrokernels(), neonMicrokernels(), neonDotMicrokernels(), neonI8mmMicrokernels()});
#else
    static const auto all =
        joined({scalarMicrokernels(), avx2Microkernels(), avx512Microkernels(), avx512VnniMicrokernels()});
#endif
    return all;
}

const std::vector<Decoder>& allDecoders() {
#if defined(__aarch64__)
    static const auto all = joined({scalarDecoders(), neonDecoders()});
#else
    static const auto all = joined({scalarDecoders(), avx2Decoders(), avx512Decoders()});
#endif
    return all;
}

const std::vector<RowKernel>& allRowKernels() {
#if defined(__aarch64__)
    static const auto all = joined({scalarRows(), neonRows()});
#else
    static const auto all = joined({scalarRows(), avx2Rows(), avx512Rows()});
#endif
    return all;
}

const std::vector<KernelLine>& allKernels() {
    static const std::vector<KernelLine> all = [] {
        std::vector<KernelLine> lines;
        for (const Microkernel& kernel : allMicrokernels())
            lines.push_back({kernel.name, kernel.isa});
        for (const RowKernel& kernel : allRowKernels())
            lines.push_back({kernel.name, kernel.isa});
        return lines;
    }();
    return all;
}

const std::vector<Loops>& allLoops() {
#if defined(__aarch64__)
    static const std::vector<Loops> all = {scalarLoops(), neonLoops()};
#else
    static const std::vector<Loops> all = {scalarLoops(), avx2Loops(), avx512Loops()};
#endif
    return all;
}

const Microkernel* findMicrokernel(std::string_view name) {
    for (const Microkernel& kernel : allMicrokernels())
        if (name == kernel.name) return &kernel;
    return nullptr;
}

}  // namespace bitloom::qsimd
