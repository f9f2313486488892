// The figures of a network as deployed: what a run's summary states.
#pragma once

#include "engine/quant/quantized_model.h"
#include "engine/report/run.h"
#include "engine/train/trainer.h"

namespace bitloom::jobs {

/// Fills bits, sparsity, nonzeroParameters, compressionRate, weightCompression, bitOps, the two of the mean
/// bits, fileBytes, fileCompression, steps and hash; not mse, which needs the quantizers. `state` holds the
/// latent weights that `model` was made from. The bytes are those of the packed safetensors export; unknown
/// for a network that cannot be packed.
void addFigures(report::RunSummary& summary, const quant::QuantizedModel& model,
                const train::TrainerState& state);

/// Fills the figures that follow from summary.bits and the bits of the activations that most layers read
/// (32: float); leaves them unknown where the mean bits are.
void addTableFigures(report::RunSummary& summary, const graph::Graph& graph, double activationBits);

/// Copies the accuracies of an evaluation row and its step; those from before the first of `totalSteps` say
/// nothing of what was trained and are left out.
void addAccuracies(report::RunSummary& summary, const report::MetricSample& row, std::int64_t totalSteps);

}  // namespace bitloom::jobs
