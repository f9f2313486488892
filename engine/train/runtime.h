// libtorch's process-wide switches, set the one way that makes results repeatable.
#pragma once

namespace bitloom::train {

/// Thread count (0: all cores), deterministic algorithms, denormals flushed to zero. Call on the thread that
/// computes, before it does: thread count and denormal mode belong to the calling thread.
void configureTorch(int threads);

}  // namespace bitloom::train
