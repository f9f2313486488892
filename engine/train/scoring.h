// Scores networks on a copy of their own, so that scoring cannot touch what trains: neither weights, nor
// batch-norm statistics, nor the position of the training loader. Used on one thread.
#pragma once

#include <memory>

#include "engine/quant/quantized_model.h"
#include "engine/train/evaluation.h"
#include "engine/train/trainer.h"

namespace bitloom::train {

class Scorer {
  public:
    [[nodiscard]] static Result<Scorer> create(const graph::Graph& graph, const TrainerData& data,
                                               const TrainOptions& options);

    /// Accuracy of a network, given by all its parameters, on the first options.evaluateImages test images.
    [[nodiscard]] Result<Accuracy> evaluate(const graph::StateDict& parameters,
                                            const EvaluationProgress& progress);

    /// The same of a deployed network, its activations rounded.
    [[nodiscard]] Result<Accuracy> evaluate(const quant::QuantizedModel& model,
                                            const EvaluationProgress& progress);

    /// Replaces the batch-norm statistics in model.rest by averages over options.batchNormBatches training
    /// batches, the same ones every time, with its activations rounded. Does nothing to a model without
    /// quantized layers or with batchNormBatches == 0.
    [[nodiscard]] Status calibrate(quant::QuantizedModel& model, const EvaluationProgress& progress = {});

    [[nodiscard]] EvaluationOptions evaluationOptions() const;

  private:
    Scorer(std::unique_ptr<Executor> executor, TrainerData data, TrainOptions options);
    std::unique_ptr<Executor> m_executor;
    TrainerData m_data;
    TrainOptions m_options;
};

/// "bn1.running_mean", "bn1.running_var": the statistics that calibration replaces.
[[nodiscard]] bool isStatistic(std::string_view parameter);

}  // namespace bitloom::train
