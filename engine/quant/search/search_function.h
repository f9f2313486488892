// Choosing weights as an autograd function: hard values forward, the closed-form gradients of RDHS or SGT
// backward (README.md sections 1 and 3). Computes on the CPU; a weight on another device is copied there and
// back. On the thread that trains.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "engine/quant/quantizer.h"
#include "engine/quant/torch.h"

namespace bitloom::quant::search {

enum class Rule { Rdhs, Sgt };

/// How one forward pass chooses, and what its backward pass does.
struct Choice {
    Rule rule = Rule::Rdhs;
    std::vector<double> values;  ///< q: m of them, ascending
    double temperature = 1;      ///< RDHS: tau, > 0
    bool gradientSign = false;   ///< SGT: the sign of G in place of G
    double noise = 0;            ///< factor of the Gumbel noise, 0: none
    std::uint64_t seed = 0;      ///< of this pass: noise, which backward draws again, and rounding
    double scale = 1;            ///< weights are scale * q_k, and the rules take G as scale * dL/dw

    [[nodiscard]] std::vector<double> weightValues() const;  ///< scale * values
};

/// What a backward pass leaves beside gradients, for the layer's next forward pass.
struct LastPass {
    double gradientNorm =
        std::numeric_limits<double>::quiet_NaN();  ///< L2 norm of dL/dw; NaN before the first
    /// A streamed update chooses anew while a block is in the cache: weights that hold that choice already,
    /// as long as nobody else has written to them or to the logits since.
    const void* chosen = nullptr;
    std::int64_t weightVersion = 0;
    std::int64_t logitsVersion = 0;
};

/// Logits come in two forms, told apart by their number of planes for m values: m - 1, relative to the lowest
/// value's, or, for m >= 4 values +-e, m / 2: the sign's, then the magnitudes' relative to the smallest's
/// (README.md section 4). Functions take both.

/// Logits of random or given values for a weight of `shape`: [planes, shape], each plane in the memory order
/// that the executor keeps weights in (channels-last where there are four dimensions).
[[nodiscard]] torch::Tensor emptyLogits(torch::IntArrayRef shape, std::int64_t planes, torch::Dtype dtype);

/// Writes scale * values[argmax] into `weight` (float32 or float64; it may not require a gradient) and
/// returns it with the gradient function of `logits`, a leaf from emptyLogits() of that shape and dtype, or
/// of float16 beside a float32 weight. Shares the memory of `weight`, so one pass at a time is alive. Saves
/// nothing for backward: the choice and y are computed again from the logits, which therefore may not change
/// in between. While the stream is active, backward streams the gradient (quantizer.h); float16 logits have
/// no other backward pass. Null `stream` or `last`: not wanted.
[[nodiscard]] torch::Tensor chooseWeights(const torch::Tensor& weight, const torch::Tensor& logits,
                                          const Choice& choice, std::shared_ptr<GradientStream> stream,
                                          std::shared_ptr<LastPass> last);

/// Index of each weight's value among `values` in ascending order, in the logits' memory order, as uint8 of
/// the weight's shape.
[[nodiscard]] torch::Tensor chosenIndices(const torch::Tensor& logits, std::int64_t values);

/// sum_k y_k values[k] of each weight, y = softmax(logits / temperature): what the choice relaxes to.
[[nodiscard]] torch::Tensor expectedWeights(const torch::Tensor& logits, const std::vector<double>& values,
                                            double temperature);

}  // namespace bitloom::quant::search
