// Made-up benchmarks for the tests of the device view.
#pragma once

#include <string>
#include <vector>

#include "engine/report/bench.h"

namespace bitloom::testing {

/// Times with a spread of 5 % around `medianMs`; no samples give the timing of a family that was not timed.
[[nodiscard]] report::KernelTiming makeTiming(const std::string& family, double medianMs, double macs);

/// `layers` layers named "layer1.0.conv1", "layer1.0.conv2", "layer1.1.conv1" ... The first family takes 1 ms
/// for layer 1, each further one half of that; a layer takes its number times as long. Stable, with a steady
/// clock.
[[nodiscard]] report::BenchResult makeBench(const std::vector<std::string>& families, int layers);

}  // namespace bitloom::testing
