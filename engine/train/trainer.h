// The training loop: executor, quantizers, loader, optimizer, evaluation, snapshots. Reports to a
// ProgressSink, obeys a JobControl within one step, and can be saved and restored so exactly that an
// interrupted run ends with the same bits.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/base/job_control.h"
#include "engine/base/result.h"
#include "engine/data/dataset.h"
#include "engine/graph/graph.h"
#include "engine/quant/options.h"
#include "engine/quant/quantized_model.h"
#include "engine/report/progress_sink.h"
#include "engine/train/options.h"

namespace bitloom::train {

struct TrainerData {
    const data::Dataset* train = nullptr;  ///< outlive the trainer; null where networks are only evaluated
    const data::Dataset* test = nullptr;
    data::Normalization normalization;
    int batchSize = 128;
    bool augment = true;
    int loaderThreads = 1;
};

/// A full-precision network whose outputs the trained one follows.
struct Teacher {
    graph::Graph graph{""};
    graph::StateDict state;  ///< all parameters
};

/// What distillation without one is refused with: a usage error.
[[nodiscard]] Error missingTeacher();

/// Everything needed to continue bit-exactly, but for the teacher, which does not change.
struct TrainerState {
    graph::StateDict tensors;  ///< named as state_layout.h says: "model/...", "quantizer/<node>/...", ...
    std::int64_t step = 0;     ///< steps done, those of earlier stages included
};

/// Where a training stands in its job, when other stages come before and after it. Its schedule, its epochs
/// and what its quantizers count begin at its own first step; everything it reports counts the job's steps.
struct StageSpan {
    int stage = 0;                 ///< 0: the first
    std::int64_t stepsBefore = 0;  ///< of earlier stages
    std::int64_t stepsAfter = 0;   ///< of later stages
};

/// Called on the trainer's thread whenever a checkpoint is due; an error ends the training. It never sees a
/// state with weights that are not finite.
using SaveCheckpoint = std::function<Status(const TrainerState&)>;

class Trainer {
  public:
    /// `state` holds every parameter (empty: Kaiming initialisation from the seed). Initialises quantizers.
    /// Snapshots and a metric row go to the sink every `recordEvery` steps; histograms have `bins` bins.
    /// `teacher` is needed when options.distillation > 0: a network of the same inputs and as many classes.
    /// Of a stage with others before it, neither snapshots nor metrics of its start are sent: they would
    /// stand beside those of the same step that the stage before ended with.
    [[nodiscard]] static Result<std::unique_ptr<Trainer>> create(
        graph::Graph graph, const graph::StateDict& state, const quant::QuantizerOptions& quantizer,
        const TrainOptions& options, const TrainerData& data, int recordEvery, int bins = 256,
        const std::optional<Teacher>& teacher = std::nullopt, const StageSpan& span = {});
    virtual ~Trainer() = default;

    /// Steps done when it is through, those of earlier stages included.
    [[nodiscard]] virtual std::int64_t lastStep() const = 0;
    [[nodiscard]] virtual std::int64_t stepsPerEpoch() const = 0;
    [[nodiscard]] virtual std::int64_t step() const = 0;

    [[nodiscard]] virtual Result<TrainerState> save() const = 0;
    /// `state` comes from a trainer of the same job; errors name what does not fit.
    [[nodiscard]] virtual Status restore(const TrainerState& state) = 0;

    /// Trains to the end (of no steps, only scores the start), or until stop() (an error of kind Cancelled,
    /// after a checkpoint). NaN loss is an error that names the first layer whose output is
    /// not finite. Sends snapshots and the hard accuracy at step 0 (before training; later stages an event),
    /// and metric rows with snapshots at step 1, every `recordEvery`, at evaluations and at the end.
    /// Activations are rounded from a stage's start (LSQ) or before the evaluation after the job's last step
    /// (PTQ), which is preceded by an event with the hard accuracy in float.
    [[nodiscard]] virtual Status run(report::ProgressSink& sink, JobControl& control,
                                     const SaveCheckpoint& save) = 0;

    /// Deployed network with the batch-norm statistics it was last scored with, when that was at this step;
    /// else with those of training.
    [[nodiscard]] virtual Result<quant::QuantizedModel> quantizedModel() const = 0;
    /// Mean squared distance of the quantized weights from what they deploy to, in RDHS and SGT of what they
    /// relax to; NaN where none are quantized.
    [[nodiscard]] virtual Result<double> quantizationError() const = 0;
    /// Metric row of the last evaluation; step -1 before the first.
    [[nodiscard]] virtual const report::MetricSample& lastEvaluation() const = 0;
};

}  // namespace bitloom::train
