// What a job says about quantization, [quantizer] of a job file. Plain values; checked by validate().
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/quant/activation/activation_options.h"

namespace bitloom::quant {

enum class SigmaInit { Standard, Empirical };  ///< members' deviation, or 0.01 for all (DGMS Table 5)
enum class Granularity { Layer, Filter };      ///< one mixture a layer, or one per output channel
enum class WeightGradient {
    Exact,
    StraightThrough
};  ///< dPhi/dw as derived, or 1 (dgms/README.md section 6)

enum class SearchStart {
    Posterior,  ///< logits log r_k(w) of the pretrained weights, values scaled to fit them
    Random      ///< as published: uniform but for 1e-5, no scale, whatever the weights are
};

struct LayerOptions {
    std::string method = "dgms";  ///< a name of the registry: "none", "dgms", "rdhs", ...
    int components = 16;          ///< 2 to 256, DGMS: zero included; bits = log2
    /// RDHS and SGT: the set that a weight is chosen from, `components` different finite numbers in any
    /// order. Empty: +-1, +-1/2, ... +-2^(1 - components / 2).
    std::vector<double> values{};
    /// DGMS: a run file with whose mixtures the layer starts; empty: k-means. What starts a training reads it
    /// into QuantizerOptions::starts.
    std::string transfer{};
    /// Multiplies the mu and sigma of `transfer` by std(w) / std(w of the run); false: as published.
    bool transferScale = false;

    bool operator==(const LayerOptions&) const = default;
};

/// The mixture of another layer that one starts from instead of k-means (dgms/README.md section 7).
struct MixtureStart {
    std::vector<double> mu;      ///< [K], mu[0] = 0, the fixed zero; of one without a zero, pi[0] = 0
    std::vector<double> sigma;   ///< [K], > 0
    std::vector<double> pi;      ///< [K]; 0: unused
    double weightDeviation = 0;  ///< std of the weights that it was learned on
};

/// What only RDHS and SGT read (search/README.md).
struct SearchOptions {
    SearchStart start = SearchStart::Posterior;
    double spread = 1;               ///< Posterior: deviation around each value in units of the scale, > 0
    double temperatureRate = 0.97;   ///< RDHS: tau = max(rate^epoch, floor)
    double temperatureFloor = 1e-3;  ///< RDHS: > 0
    double gumbelNoise = 0;          ///< RDHS: factor of the noise on the logits in training, >= 0
    bool gradientSign = false;       ///< SGT: the sign of dL/dw in place of its value
    /// Logits in half precision and one momentum a weight (search/README.md section 4); false: as published.
    bool halfLogits = false;
    /// Sets +-e_1, ... +-e_K take a logit for the sign and one for each magnitude in place of one for each
    /// value.
    bool factored = false;
};

/// What SDQ's target counts (sdq/README.md section 3).
enum class BitBudgetKind { Bits, Bytes, BitOps };

/// What only SDQ reads: its first phase.
struct SdqOptions {
    BitBudgetKind budget = BitBudgetKind::Bits;
    double target = 2;          ///< mean bits a weight, bytes of all weights, or bit operations an image; > 0
    bool perBlock = false;      ///< the layers of a block share one bitwidth
    double errorWeight = 0.3;   ///< lambda_Q, >= 0
    double budgetWeight = 0.3;  ///< lambda_B, >= 0
};

/// QuantizerOptions::strategy: the bits that the stage before ended with.
inline constexpr const char* kLearnedStrategy = "learned";

struct QuantizerOptions {
    LayerOptions layer;  ///< for every layer not overridden
    SigmaInit initSigma = SigmaInit::Standard;
    double temperature = 0.01;  ///< tau, in [1e-3, 1]
    bool trainTemperature = false;
    Granularity granularity = Granularity::Layer;
    bool parity = false;  ///< the published code's forward (epsilon 1e-11) and settings
    WeightGradient weightGradient = WeightGradient::StraightThrough;
    SearchOptions search;
    double binRegulariser = 0;  ///< uniform: lambda_E of the entropy-aware bin regulariser, >= 0
    SdqOptions sdq;
    /// Each layer's bits: a file as jobs/strategy_file.h reads it, or kLearnedStrategy. Empty:
    /// layer.components. What starts a training puts them into `layers`.
    std::string strategy;
    /// The first convolution and every linear layer, whatever `layer` says: uniform levels of so many bits,
    /// outside the average (README.md, Figures); 0: in full precision unless `exclude` is set. `layers` and
    /// `exclude` win.
    int firstLastBits = 0;
    /// Node names left in full precision. Unset: the first convolution and every linear layer.
    std::optional<std::vector<std::string>> exclude;
    std::map<std::string, LayerOptions> layers;  ///< overrides by node name; wins over exclude
    std::map<std::string, MixtureStart> starts;  ///< by node name, of layers that do not start from k-means
    ActivationOptions activation;                ///< [activation], whatever the weights' method
};

}  // namespace bitloom::quant
