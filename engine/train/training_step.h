// One forward and backward pass, and the diagnosis when it goes wrong. Free functions on the trainer's
// thread.
#pragma once

#include <string>

#include "engine/data/loader.h"
#include "engine/quant/registry.h"
#include "engine/train/executor.h"
#include "engine/train/options.h"

namespace bitloom::train {

/// The weights a training pass runs with: Phi(w) of every quantized layer. With `hardForward` the values are
/// Psi(w) and the gradients Phi's (dgms/README.md section 6).
[[nodiscard]] WeightOverrides trainingWeights(const Executor& executor, const quant::QuantizerMap& quantizers,
                                              bool hardForward);

/// (1 - d) cross-entropy + d T^2 KL(teacher || student) at temperature T, means over the batch in nats; d =
/// options.distillation, T^2 keeps the size of the gradients (Hinton et al. 2015). Without `teacher` d is 0.
/// Both networks compute in options.precision, and keep it. Gradients are added to what the leaves hold. A
/// loss that is not finite is an error that names the layer whose output is the first that is not, in the
/// order of computing, else the parameter nearest to the output whose gradient is not; gradient streams are
/// ended first.
[[nodiscard]] Result<double> forwardBackward(Executor& executor, const quant::QuantizerMap& quantizers,
                                             const data::Batch& batch, data::ImageShape shape,
                                             const TrainOptions& options, Executor* teacher = nullptr);

}  // namespace bitloom::train
