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

/// A number of a schedule that is left to the runtime.
inline constexpr int kChoose = -1;

/// How one layer runs; defaults are chosen by a model of the machine. No value of any member changes a
/// result.
struct Schedule {
    std::string microkernel{};     ///< empty: choose
    std::optional<Split> split{};  ///< none: choose
    bool skipPadding = true;       ///< leave out rows of the window that lie in the padding
    /// kB of packed weights that are fetched ahead of those being decoded; 0: none; kChoose: those of the
    /// next panel while tiles use the present one.
    int aheadKb = kChoose;
    /// kB of a panel that a few tiles use before any of them takes the next part; 0: all of it; kChoose: 64
    /// of float panels that were not packed, all of others.
    int partKb = kChoose;
    int tiles = 0;  ///< that all channels are computed for before the next tiles; 0: all of the layer
    bool decoded =
        false;  ///< packed weights are decoded when the network is prepared: 2 to 8 times the memory
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

/// Of the strongest instruction set that has one; `bytes`: for int8 activations.
[[nodiscard]] const RowKernel& chooseRowKernel(RowKind kind, bool bytes, Isa ceiling);

[[nodiscard]] const Loops& chooseLoops(Isa ceiling);
[[nodiscard]] const Decoder& chooseDecoder(int bits, Isa ceiling);

}  // namespace bitloom::qsimd
