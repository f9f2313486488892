// The ways in which a layer may run, as far as kernels obey them, and which of them are worth timing: what
// cannot gain is rejected, the rest is ranked by a small model of work and caches. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/jobs/schedule_cache.h"
#include "engine/qsimd/runtime/dispatch.h"

namespace bitloom::jobs {

/// A microkernel that may run, as a runner lists it.
struct TileKernel {
    std::string name;
    bool bytes = false;
    int pixels = 1;
    int channels = 1;
};

/// What a convolution's schedule depends on. Counts of one group.
struct TunedShape {
    bool bytes = false;   ///< int8 activations
    bool packed = false;  ///< weights wait as indices that may also be decoded when they are loaded
    bool padded = false;
    int bits = 0;  ///< of an index
    int width = 1;
    int height = 1;
    int channels = 1;
    int taps = 1;          ///< weights of an output channel
    int inputRow = 1;      ///< values of a row of the input
    int windowHeight = 1;  ///< rows of the window
    int stride = 1;        ///< of rows
};
[[nodiscard]] TunedShape tunedShape(const qsimd::Model& model, const qsimd::Convolution& step);

/// Bytes of a core's caches: least sizes of cores in use, as no device says its own.
struct CoreCaches {
    std::size_t first = std::size_t{32} << 10U;
    std::size_t second = std::size_t{512} << 10U;
};

/// Relative time of a schedule with microkernel `kernel`: multiply-adds with those that edges waste, loads
/// beside them, decoding, and what reading activations or panels again from a slower cache costs.
[[nodiscard]] double modelledTime(const TunedShape& shape, const TileKernel& kernel,
                                  const qsimd::Schedule& schedule, const CoreCaches& caches);

/// Most candidates of a layer that are ever timed.
inline constexpr std::size_t kMostCandidates = 40;

/// Microkernels, each with every split of `threads` threads and padding kept or skipped; the best first.
[[nodiscard]] std::vector<qsimd::Schedule> kernelSchedules(const TunedShape& shape,
                                                           const std::vector<TileKernel>& kernels,
                                                           int threads, const CoreCaches& caches);

/// `base`, which runs `kernel`, with another distance of prefetching, size of parts, or float weights decoded
/// early: one of them each; the best first.
[[nodiscard]] std::vector<qsimd::Schedule> schedulesAround(const TunedShape& shape, const TileKernel& kernel,
                                                           const qsimd::Schedule& base,
                                                           const CoreCaches& caches);

/// As a runner's schedule says it: "int8_neondot_8x8 rows skip ahead=2".
[[nodiscard]] Candidate candidateOf(const qsimd::Schedule& schedule);

}  // namespace bitloom::jobs
