// What a job says about quantization, [quantizer] of a job file. Plain values; checked by validate().
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.h"

namespace bitloom::quant {

enum class SigmaInit { Standard, Empirical };  ///< members' deviation, or 0.01 for all (DGMS Table 5)
enum class Granularity { Layer, Filter };      ///< one mixture a layer, or one per output channel
enum class WeightGradient {
    Exact,
    StraightThrough
};  ///< dPhi/dw as derived, or 1 (dgms/README.md section 6)

struct LayerOptions {
    std::string method = "dgms";  ///< "dgms" or "none"
    int components = 16;          ///< 2 to 256, zero included; bits = log2
};

struct QuantizerOptions {
    LayerOptions layer;  ///< for every layer not overridden
    SigmaInit initSigma = SigmaInit::Standard;
    double temperature = 0.01;  ///< tau, in [1e-3, 1]
    bool trainTemperature = false;
    Granularity granularity = Granularity::Layer;
    bool parity = false;  ///< the published code's forward (epsilon 1e-11) and settings
    WeightGradient weightGradient = WeightGradient::StraightThrough;
    /// Node names left in full precision. Unset: the first convolution and every linear layer.
    std::optional<std::vector<std::string>> exclude;
    std::map<std::string, LayerOptions> layers;  ///< overrides by node name; wins over exclude
};

}  // namespace bitloom::quant
