// Rounding the activations of a finished network (quant/activation/README.md sections 3 and 4): ranges are
// searched, then scales trained block by block against what the block computes in float. On one thread.
#pragma once

#include <string>
#include <vector>

#include "engine/quant/quantized_model.h"
#include "engine/train/activation_start.h"
#include "engine/train/trainer.h"

namespace bitloom::train {

/// Mean |y^ - y|^2.4 over images and pixels, summed over channels, of a block's output.
struct BlockLoss {
    std::string block;    ///< the node it ends in
    double searched = 0;  ///< with the scales of the search
    double trained = 0;   ///< after the last step; the searched scales stay where this is not less
};

struct ReconstructedActivations {
    FoundActivations found;
    std::vector<BlockLoss> losses;  ///< of blocks with trained scales
};

/// Of `model` as it is: its weights and batch norm stay, its own activations are ignored. Images: the first
/// options.images of data.train in an order drawn from `seed`, not augmented. Deterministic. Errors:
/// planActivations'; a usage error where data.train has fewer images; an activation or a loss that is not
/// finite, named; Cancelled when `progress`, which counts steps, says so.
[[nodiscard]] Result<ReconstructedActivations> reconstructActivations(
    const quant::QuantizedModel& model, const quant::ActivationOptions& options, const TrainerData& data,
    std::uint64_t seed, const std::string& device, const EvaluationProgress& progress = {});

/// A usage error where `dataset` has fewer images than options.images and the method looks at any.
[[nodiscard]] Status checkActivationImages(const quant::ActivationOptions& options,
                                           const data::Dataset& dataset);

}  // namespace bitloom::train
