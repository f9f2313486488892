// Accuracy of a network on a dataset, and re-estimation of batch-norm statistics for given weights.
#pragma once

#include <functional>
#include <vector>

#include "engine/base/job_control.h"
#include "engine/base/result.h"
#include "engine/data/loader.h"
#include "engine/quant/quantized_model.h"
#include "engine/train/executor.h"

namespace bitloom::train {

struct Accuracy {
    double top1 = 0;  ///< per cent
    double top5 = 0;  ///< per cent; 100 when there are at most 5 classes
    double loss = 0;  ///< mean cross-entropy, nats
    std::int64_t images = 0;
    double seconds = 0;
};

struct EvaluationOptions {
    data::Normalization normalization;
    int batchSize = 500;
    int threads = 1;          ///< that load images
    std::int64_t images = 0;  ///< 0: all; otherwise the first so many
};

/// Makes `executor`, of model.graph, compute `model`: its weights, its activations rounded.
[[nodiscard]] Status loadDeployed(Executor& executor, const quant::QuantizedModel& model);

/// Batches of a dataset in its order, every image once, not augmented.
[[nodiscard]] data::LoaderOptions plainBatches(const EvaluationOptions& options);

/// A batch's images as a tensor [count, C, H, W] over the batch's own memory: `batch` must outlive it.
[[nodiscard]] torch::Tensor imagesOf(data::Batch& batch, const graph::Shape& image);

/// An error where `dataset` is empty or its images are none that `graph` takes.
[[nodiscard]] Status checkDataset(const graph::Graph& graph, const data::Dataset& dataset);

/// Called after each batch with the images (or batches) done and the total; returning false cancels.
using EvaluationProgress = std::function<bool(std::int64_t done, std::int64_t total)>;

/// Evaluation mode, no augmentation. A cancelled evaluation is an error of kind Cancelled.
[[nodiscard]] Result<Accuracy> evaluate(Executor& executor, const data::Dataset& dataset,
                                        const EvaluationOptions& options, const WeightOverrides& weights = {},
                                        const EvaluationProgress& progress = {});

/// Images of a dataset in memory, as networks take them, for what scores them many times over.
class KeptImages {
  public:
    /// None where they take more than this many bytes.
    static constexpr std::int64_t kMostBytes = std::int64_t{1} << 30;

    /// Of the images that evaluate() would score with the same options. An error where one cannot be read.
    [[nodiscard]] static Result<KeptImages> read(const data::Dataset& dataset,
                                                 const EvaluationOptions& options);
    /// Nothing was kept: they are too many.
    [[nodiscard]] bool isEmpty() const { return m_batches.empty(); }

  private:
    friend Result<Accuracy> evaluate(Executor&, KeptImages&, const WeightOverrides&,
                                     const EvaluationProgress&);

    std::vector<data::Batch> m_batches;
    std::int64_t m_images = 0;
};

/// The same of images that were kept; not isEmpty().
[[nodiscard]] Result<Accuracy> evaluate(Executor& executor, KeptImages& images,
                                        const WeightOverrides& weights = {},
                                        const EvaluationProgress& progress = {});

/// Replaces the running statistics by plain averages over the next `batches` batches of `loader` with
/// `weights` in place. `progress` counts batches; cancelled, it is an error of kind Cancelled and the
/// statistics are those of the batches so far.
[[nodiscard]] Status reestimateBatchNorm(Executor& executor, data::Loader& loader, int batches,
                                         const WeightOverrides& weights,
                                         const EvaluationProgress& progress = {});

}  // namespace bitloom::train
