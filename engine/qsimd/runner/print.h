// What the runner prints: JSON for programs, a table for people.
#pragma once

#include <string>

#include "engine/qsimd/runner/measure.h"
#include "engine/qsimd/runner/options.h"

namespace bitloom::qsimd {

using Networks = std::vector<std::vector<std::unique_ptr<Network>>>;

[[nodiscard]] std::string timesAsJson(const RunnerOptions& options, const Networks& networks,
                                      const Measurement& measurement);
[[nodiscard]] std::string timesAsText(const RunnerOptions& options, const Networks& networks,
                                      const Measurement& measurement);

/// {"isa", "microkernels": [{"name", "bytes", "pixels", "channels"}], "kernels": [NAME]} of what may run
/// under `ceiling`: microkernels are what a schedule may name, kernels all lines of the registry.
[[nodiscard]] std::string kernelsAsJson(Isa ceiling);

/// One line a step: its name, the hash of its output and, of int8 layers, of its sums. Numbers of 8 bits and
/// sums are hashed as numbers: equal on every machine. Floats are hashed as bits.
[[nodiscard]] std::string hashesAsText(Network& network, const std::vector<float>& image, bool json);

/// `text` in quotes, with what JSON does not allow escaped.
[[nodiscard]] std::string quoted(const std::string& text);

}  // namespace bitloom::qsimd
