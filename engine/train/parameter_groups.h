// Which tensors train, at which rate, with which decay.
#pragma once

#include <vector>

#include "engine/quant/registry.h"
#include "engine/train/executor.h"
#include "engine/train/optimizer.h"
#include "engine/train/options.h"

namespace bitloom::train {

/// The groups with a rate above 0: latent weights of quantized layers ("weight"), all other weights and
/// biases ("full"), "batchNorm", the quantizers' own ("mu", "sigma", "pi", "tau", "alpha", "clip") and the
/// `steps` of activations ("activationStep").
/// Tensors of frozen groups, and weights whose method has no latent ones, stop requiring gradients, so that
/// none are computed. An error when nothing is left to train or a quantizer has a group without a rate.
[[nodiscard]] Result<std::vector<ParameterGroup>> makeParameterGroups(
    const Executor& executor, const quant::QuantizerMap& quantizers, const TrainOptions& options,
    const std::vector<quant::ActivationStep>& steps = {});

}  // namespace bitloom::train
