#include "engine/qsimd/runtime/dispatch.h"

namespace bitloom::qsimd {
namespace {

/// Modelled cycles of one step of depth over a whole tile: multiply-adds against loads, as many of each a
/// cycle; the lesser of the two hides behind the other but for a twentieth.
double stepCost(const Microkernel& kernel) {
    const double lanes = kernel.isa == Isa::Avx512 || kernel.isa == Isa::Avx512Vnni ? 16
                         : kernel.isa == Isa::Avx2                                  ? 8
                         : kernel.isa == Isa::Scalar                                ? 1
                                                                                    : 4;
    const double vectors = kernel.channels / lanes;
    const double products = kernel.pixels * vectors;
    const double loads = kernel.pixels + vectors;
    return products > loads ? products + 0.05 * loads : loads + 0.05 * products;
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
