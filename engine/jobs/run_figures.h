// The figures of a network as deployed: what a run's summary states.
#pragma once

#include "engine/quant/quantized_model.h"
#include "engine/report/run.h"
#include "engine/train/trainer.h"

namespace bitloom::jobs {

/// Fills bits, sparsity, nonzeroParameters, compressionRate, fileBytes, fileCompression, mse and hash.
/// `state` holds the latent weights that `model` was made from. The bytes are those of a file really written.
[[nodiscard]] Status addFigures(report::RunSummary& summary, const quant::QuantizedModel& model,
                                const train::TrainerState& state);

/// Copies the accuracies of an evaluation row.
void addAccuracies(report::RunSummary& summary, const report::MetricSample& row);

}  // namespace bitloom::jobs
