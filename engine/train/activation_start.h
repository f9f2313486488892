// The step sizes that LSQ starts from (quant/activation/README.md section 5). On the trainer's thread.
#pragma once

#include "engine/quant/registry.h"
#include "engine/train/evaluation.h"
#include "engine/train/trainer.h"

namespace bitloom::train {

/// How activations are to be rounded, found from images.
struct FoundActivations {
    quant::ActivationMap activations;
    std::vector<std::string> silent;  ///< that were 0 for every image
};

/// Looks at what the network computes in training mode, with the weights that a step would train and
/// activations in float, on training batches of options.images images in all. `executor` and `quantizers` are
/// only read. Errors name an activation that is not finite; Cancelled when `progress`, which counts images,
/// says so.
[[nodiscard]] Result<FoundActivations> startActivations(const Executor& executor,
                                                        const quant::QuantizerMap& quantizers,
                                                        const std::vector<quant::PlannedActivation>& planned,
                                                        const quant::ActivationOptions& options,
                                                        const TrainOptions& training, const TrainerData& data,
                                                        const EvaluationProgress& progress);

}  // namespace bitloom::train
