// The steps without weights: pooling, elementwise functions, additions, slices and pads, softmax. Real
// numbers are computed one rounding an operation, so all machines agree to the bit. Pure, any thread.
#pragma once

#include <cstddef>

#include "engine/qsimd/kernels/loops.h"
#include "engine/qsimd/runtime/model.h"

namespace bitloom::qsimd {

/// Where a step runs. Thread `thread` of `threads` does its share of output rows; all shares together are the
/// step. `model` has passed validate().
struct Run {
    const Model& model;
    const Loops& loops;
    std::byte* arena;
    int thread = 0;
    int threads = 1;
};
void runStep(const Run& run, const Pool& step);
void runStep(const Run& run, const Elementwise& step);
void runStep(const Run& run, const Combine& step);
void runStep(const Run& run, const Place& step);
void runStep(const Run& run, const Softmax& step);

/// Writes what means 0 around the values of `buffer`: this thread's share.
void fillHalo(const Buffer& buffer, std::byte* arena, int thread, int threads);

/// An image or another activation, [channels][height][width] of real numbers, into its buffer, and back.
void writeValues(const Run& run, const Buffer& buffer, const float* values);
void readValues(const Run& run, const Buffer& buffer, float* values);

}  // namespace bitloom::qsimd
