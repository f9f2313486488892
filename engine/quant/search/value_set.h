// The sets that RDHS and SGT choose weights from. No libtorch; any thread.
#pragma once

#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/quant/options.h"

namespace bitloom::quant::search {

/// The values a weight of this layer may take, ascending, without a scale: layer.values, or the published
/// sets, +-1, +-1/2, ... +-2^(1 - components / 2). `layer` has passed checkValues().
[[nodiscard]] std::vector<double> valuesOf(const LayerOptions& layer);

/// The same set with a largest magnitude of 1, for a scale that is fitted to it. `values` ascending, not all
/// 0.
[[nodiscard]] std::vector<double> ofLargestOne(std::vector<double> values);

/// Whether `values`, ascending, are +-e_1, ... +-e_K with K >= 2: a sign times a magnitude.
[[nodiscard]] bool isSignedSet(const std::vector<double>& values);

/// A usage error that begins with `where`, names the key and what it may be: fewer than 2 or more than 256
/// values, one that float32 cannot hold, two that are equal in float32; without values a number of components
/// that no published set has (they have 2, 4, ... 16).
[[nodiscard]] Status checkValues(const LayerOptions& layer, const std::string& where);

}  // namespace bitloom::quant::search
