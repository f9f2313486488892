#include "engine/qsimd/runtime/dispatch.h"

#include <algorithm>

namespace bitloom::qsimd {
namespace {

/// Modelled cycles of one step of depth over a whole tile: multiply-adds against loads, as many of each a
/// cycle; the lesser of the two hides behind the other but for a twentieth, and one goes to the loop itself.
/// Where registers do not hold all sums, a step's weights and a value, the values are loaded twice
/// (tile_x86.h).
double stepCost(const Microkernel& kernel) {
    const double lanes = kernel.isa == Isa::Avx512 || kernel.isa == Isa::Avx512Vnni ? 16
                         : kernel.isa == Isa::Avx2                                  ? 8
                         : kernel.isa == Isa::Scalar                                ? 1
                                                                                    : 4;
    const double vectors = kernel.channels / lanes;
    const double products = kernel.pixels * vectors;
    const double registers = kernel.isa == Isa::Avx2 ? 16 : 32;
    const double loads = (products + vectors + 1 > registers ? 2 : 1) * kernel.pixels + vectors;
    return std::max(products, loads) + 0.05 * std::min(products, loads) + 1;
}

}  // namespace

Isa strongestIsa() {
    Isa strongest = Isa::Scalar;
    for (const Microkernel& kernel : allMicrokernels())
        if (canRun(kernel.isa) && kernel.isa > strongest) strongest = kernel.isa;
    return strongest;
}

bool allowed(Isa isa, Isa ceiling) {
    return isa <= ceiling && canRun(isa);
}

const Microkernel& chooseMicrokernel(bool bytes, int width, int channels, Isa ceiling) {
    Isa strongest = Isa::Scalar;
    for (const Microkernel& kernel : allMicrokernels()) {
        if ((kernel.bytes != nullptr) == bytes && allowed(kernel.isa, ceiling) && kernel.isa > strongest)
            strongest = kernel.isa;
    }
    const Microkernel* best = nullptr;
    double bestCost = 0;
    for (const Microkernel& kernel : allMicrokernels()) {
        if ((kernel.bytes != nullptr) != bytes || kernel.isa != strongest || kernel.pixels > width) continue;
        const int tiles = (width + kernel.pixels - 1) / kernel.pixels;
        const int blocks = (channels + kernel.channels - 1) / kernel.channels;
        const double cost = tiles * blocks * stepCost(kernel) / kernel.depth;
        if (best != nullptr && cost >= bestCost) continue;
        best = &kernel;
        bestCost = cost;
    }
    if (best != nullptr) return *best;
    // A set without a microkernel for so few pixels leaves them to a weaker one; the scalar set has one
    // pixel.
    return chooseMicrokernel(bytes, width, channels, static_cast<Isa>(static_cast<int>(strongest) - 1));
}

const RowKernel& chooseRowKernel(RowKind kind, bool bytes, Isa ceiling) {
    const RowKernel* best = nullptr;
    for (const RowKernel& kernel : allRowKernels()) {
        if (kernel.kind == kind && (kernel.bytes != nullptr) == bytes && allowed(kernel.isa, ceiling))
            best = &kernel;
    }
    return *best;
}

const Loops& chooseLoops(Isa ceiling) {
    const Loops* best = nullptr;
    for (const Loops& loops : allLoops())
        if (allowed(loops.isa, ceiling)) best = &loops;
    return *best;
}

const Decoder& chooseDecoder(int bits, Isa ceiling) {
    const Decoder* best = nullptr;
    for (const Decoder& decoder : allDecoders())
        if (decoder.bits == bits && allowed(decoder.isa, ceiling)) best = &decoder;
    return *best;
}

}  // namespace bitloom::qsimd
