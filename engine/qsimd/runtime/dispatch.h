// Which code a step runs with on this processor. Decided once when a network is prepared, from what cpuid or
// HWCAP allows; a schedule (the tuner's result) may name another microkernel a layer. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "engine/qsimd/kernels/registry.h"
#include "engine/qsimd/runtime/model.h"

namespace bitloom::qsimd {

enum class Split : std::uint8_t { Rows, Channels };

/// The strongest instruction set of this processor.
[[nodiscard]] Isa strongestIsa();

/// How one layer runs; defaults are chosen by a model of the machine.
struct Schedule {
    std::string microkernel;     ///< empty: choose
    std::optional<Split> split;  ///< none: choose
    bool skipPadding = true;     ///< leave out rows of the window that lie in the padding
};

struct Dispatch {
    Isa ceiling = strongestIsa();                                  ///< nothing stronger is used
    std::map<std::pair<Family, std::string>, Schedule> schedules;  ///< of Convolution::family and layer
};

/// Whether code of `isa` may run under `ceiling` on this processor.
[[nodiscard]] bool allowed(Isa isa, Isa ceiling);

/// The microkernel with the least modelled time for an output of `width` pixels a row and `channels`
/// channels (of one group).
[[nodiscard]] const Microkernel& chooseMicrokernel(bool bytes, int width, int channels, Isa ceiling);

[[nodiscard]] const Loops& chooseLoops(Isa ceiling);
[[nodiscard]] const Decoder& chooseDecoder(int bits, Isa ceiling);

}  // namespace bitloom::qsimd
