// The loop behind Trainer. Everything random follows from seeds and counts of steps or passes, so save() and
// restore() need no other random state. libtorch's exceptions become errors here.
#include "engine/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "engine/data/loader.h"
#include "engine/train/activation_reconstruction.h"
#include "engine/train/activation_start.h"
#include "engine/train/deployed_model.h"
#include "engine/train/guarded.h"
#include "engine/train/layer_recorder.h"
#include "engine/train/optimizer.h"
#include "engine/train/parameter_groups.h"
#include "engine/train/progress_meter.h"
#include "engine/train/runtime.h"
#include "engine/train/schedule.h"
#include "engine/train/scoring.h"
#include "engine/train/state_layout.h"
#include "engine/train/training_step.h"

namespace bitloom::train {
namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

data::LoaderOptions loaderOptions(const TrainerData& data, std::uint64_t seed) {
    data::LoaderOptions options;
    options.batchSize = data.batchSize;
    options.normalization = data.normalization;
    options.augment = data.augment;
    options.seed = seed;
    options.threads = data.loaderThreads;
    return options;
}

/// Names the first trained tensor with NaN or infinity: of the layer that is computed first, then of what
/// belongs to no layer.
Status checkFinite(const TrainerState& state, const graph::Graph& graph) {
    std::string broken;
    std::size_t place = graph.nodes().size() + 1;
    for (const auto& [name, tensor] : state.tensors) {
        const bool scores = name.starts_with(kTrainerPart) || name.starts_with(kScoredPart);
        if (scores || tensor.firstNonFinite() < 0) continue;
        // "part/node.parameter", "optimizer/group/node.parameter", "quantizer/node/name".
        const bool ofParameter = name.starts_with(kModelPart) || name.starts_with(kOptimizerPart);
        const std::size_t slash = ofParameter ? name.rfind('/') : name.find('/');
        const std::size_t end = name.rfind(ofParameter ? '.' : '/');
        const auto node = slash < end ? graph.find(name.substr(slash + 1, end - slash - 1)) : std::nullopt;
        const std::size_t at = node ? static_cast<std::size_t>(node->value) : graph.nodes().size();
        if (at >= place) continue;
        place = at;
        broken = name;
    }
    if (broken.empty()) return {};
    return fail("step {}: {} holds NaN or infinity; lower the learning rates", state.step, broken);
}

class LoopTrainer final : public Trainer {
  public:
    LoopTrainer(std::unique_ptr<Executor> executor, std::unique_ptr<Executor> teacher,
                quant::QuantizerMap quantizers, std::vector<std::unique_ptr<quant::StepHook>> hooks,
                const quant::ActivationOptions& activation, quant::ActivationQuantizers activations,
                Sgd optimizer, Scorer scorer, const TrainOptions& options, const TrainerData& data,
                int recordEvery, int bins, const StageSpan& span)
        : m_options(options),
          m_data(data),
          m_recordEvery(recordEvery),
          m_executor(std::move(executor)),
          m_teacher(std::move(teacher)),
          m_quantizers(std::move(quantizers)),
          m_hooks(std::move(hooks)),
          m_activation(activation),
          m_activations(std::move(activations)),
          m_optimizer(std::move(optimizer)),
          m_scorer(std::move(scorer)),
          m_recorder(*m_executor, m_quantizers, bins),
          m_loader(*data.train, loaderOptions(data, options.seed)),
          m_stepsPerEpoch(m_loader.batchesPerEpoch()),
          m_stage(span.stage),
          m_firstStep(span.stepsBefore),
          m_lastStep(span.stepsBefore + stepsOf(options, m_stepsPerEpoch)),
          m_jobSteps(m_lastStep + span.stepsAfter),
          m_step(span.stepsBefore) {
        m_evaluation.step = -1;
    }

    [[nodiscard]] std::int64_t lastStep() const override { return m_lastStep; }
    [[nodiscard]] std::int64_t stepsPerEpoch() const override { return m_stepsPerEpoch; }
    [[nodiscard]] std::int64_t step() const override { return m_step; }
    [[nodiscard]] Result<TrainerState> save() const override;
    [[nodiscard]] Status restore(const TrainerState& state) override;
    [[nodiscard]] Status run(report::ProgressSink& sink, JobControl& control,
                             const SaveCheckpoint& save) override;
    [[nodiscard]] Result<quant::QuantizedModel> quantizedModel() const override;
    [[nodiscard]] Result<double> quantizationError() const override;
    [[nodiscard]] const report::MetricSample& lastEvaluation() const override { return m_evaluation; }

  private:
    /// What one call of run() works with.
    struct Session {
        report::ProgressSink& sink;
        JobControl& control;
        const SaveCheckpoint& saveCheckpoint;
        ProgressMeter meter;
        Clock::time_point saved = Clock::now();
        double pausedSeconds = 0;
    };

    /// Tells the quantizers the epoch that the step after `step` steps belongs to.
    void beginEpoch(std::int64_t step) const;
    [[nodiscard]] TrainerState currentState() const;
    [[nodiscard]] quant::QuantizedModel currentModel() const;
    [[nodiscard]] Status restoreParts(const TrainerState& state);
    [[nodiscard]] Status loop(Session& session);
    [[nodiscard]] Status quantizeActivations(Session& session);
    [[nodiscard]] Result<FoundActivations> findActivations(Session& session);
    [[nodiscard]] Status trainOneStep(Session& session);
    [[nodiscard]] Status evaluateNow(Session& session);
    [[nodiscard]] Result<Accuracy> scoreSoft(const EvaluationProgress& progress);
    [[nodiscard]] Status saveNow(Session& session);
    [[nodiscard]] Status stopped(Session& session);
    [[nodiscard]] bool waitWhilePaused(Session& session) const;
    [[nodiscard]] bool isStart() const { return m_step == m_firstStep; }
    [[nodiscard]] double rateFactorOf(std::int64_t step) const {
        return rateFactor(m_options, step - m_firstStep, m_lastStep - m_firstStep);
    }
    [[nodiscard]] bool isEvaluationStep() const;
    [[nodiscard]] std::int64_t evaluationsAfter(std::int64_t step) const;
    [[nodiscard]] double peakRate() const;
    [[nodiscard]] report::MetricSample metricRow() const;
    void record(Session& session, report::MetricSample row) const;

    TrainOptions m_options;
    TrainerData m_data;
    int m_recordEvery;
    std::unique_ptr<Executor> m_executor;
    std::unique_ptr<Executor> m_teacher;  ///< null: no distillation
    quant::QuantizerMap m_quantizers;
    std::vector<std::unique_ptr<quant::StepHook>> m_hooks;
    quant::ActivationOptions m_activation;
    quant::ActivationQuantizers m_activations;
    Sgd m_optimizer;
    Scorer m_scorer;
    LayerRecorder m_recorder;
    data::Loader m_loader;
    std::int64_t m_stepsPerEpoch;
    int m_stage;
    std::int64_t m_firstStep;
    std::int64_t m_lastStep;
    std::int64_t m_jobSteps;  ///< later stages included

    std::int64_t m_step;
    double m_loss = report::kNoValue;
    double m_stepSeconds = report::kNoValue;
    double m_startMse = report::kNoValue;  ///< quantization error at step 0
    report::MetricSample m_evaluation;
    std::optional<quant::QuantizedModel> m_scored;  ///< the network of m_evaluation, until the next step
};

Result<TrainerState> LoopTrainer::save() const {
    return guarded(fmt::format("saving step {}", m_step),
                   [&]() -> Result<TrainerState> { return currentState(); });
}

TrainerState LoopTrainer::currentState() const {
    TrainerState state;
    state.step = m_step;
    addPart(state.tensors, kModelPart, m_executor->state());
    for (const auto& [node, quantizer] : m_quantizers) {
        addPart(state.tensors, quantizerPart(node), quantizer->state());
        if (quantizer->isOutsideAverage()) continue;
        const int components = quantizer->hard(m_executor->weight(node)).components;
        state.tensors.insert_or_assign(kComponentsPart + node,
                                       fromDoubles({static_cast<double>(components)}));
    }
    addPart(state.tensors, kActivationPart, m_activations.state());
    addPart(state.tensors, kOptimizerPart, m_optimizer.state());
    addPart(state.tensors, kRangePart, m_recorder.state());
    state.tensors.insert_or_assign(kLossName, fromDoubles({m_loss}));
    state.tensors.insert_or_assign(kStageName, fromDoubles({static_cast<double>(m_stage)}));
    writeEvaluation(state.tensors, m_evaluation);
    if (m_scored) {
        for (const auto& [name, tensor] : m_scored->rest) {
            if (isStatistic(name)) state.tensors.insert_or_assign(kScoredPart + name, tensor);
        }
    }
    return state;
}

Status LoopTrainer::restore(const TrainerState& state) {
    return guarded(fmt::format("restoring step {}", state.step), [&] { return restoreParts(state); });
}

Status LoopTrainer::restoreParts(const TrainerState& state) {
    if (state.step < m_firstStep || state.step > m_lastStep) {
        return fail("the checkpoint is of step {}, this training goes from {} to {}", state.step, m_firstStep,
                    m_lastStep);
    }
    BITLOOM_RETURN_IF_ERROR(m_executor->load(partOf(state.tensors, kModelPart)));
    for (const auto& [node, quantizer] : m_quantizers) {
        if (Status restored = quantizer->restore(partOf(state.tensors, quantizerPart(node))); !restored) {
            return fail("{}: {}", node, restored.error().message);
        }
    }
    BITLOOM_RETURN_IF_ERROR(m_activations.restore(partOf(state.tensors, kActivationPart)));
    BITLOOM_RETURN_IF_ERROR(m_executor->setActivations(m_activations.functions()));
    // Restored quantizers may hold new tensors.
    BITLOOM_ASSIGN_OR_RETURN(
        auto groups, makeParameterGroups(*m_executor, m_quantizers, m_options, m_activations.steps()));
    m_optimizer = Sgd(std::move(groups), m_options.nesterov);
    BITLOOM_RETURN_IF_ERROR(m_optimizer.restore(partOf(state.tensors, kOptimizerPart)));
    m_recorder.restore(partOf(state.tensors, kRangePart));
    m_step = state.step;
    beginEpoch(std::max(m_step - 1, m_firstStep));  // of the last step, as an uninterrupted run has it
    m_stepSeconds = report::kNoValue;
    // A run at step 0 records its start once more, so it scores it once more too.
    m_evaluation = readEvaluation(state.tensors);
    if (m_step == 0) m_evaluation.step = -1;
    const auto loss = state.tensors.find(kLossName);
    const std::vector<double> lossValue =
        loss == state.tensors.end() ? std::vector<double>() : toDoubles(loss->second);
    m_loss = lossValue.empty() ? report::kNoValue : lossValue.front();
    m_scored.reset();
    graph::StateDict statistics = partOf(state.tensors, kScoredPart);
    if (m_evaluation.step == m_step && !statistics.empty()) {
        quant::QuantizedModel model = currentModel();
        addPart(model.rest, "", std::move(statistics));
        m_scored = std::move(model);
    }
    return {};
}

Result<quant::QuantizedModel> LoopTrainer::quantizedModel() const {
    return guarded(fmt::format("quantizing step {}", m_step),
                   [&]() -> Result<quant::QuantizedModel> { return currentModel(); });
}

Result<double> LoopTrainer::quantizationError() const {
    return guarded(fmt::format("measuring step {}", m_step), [&]() -> Result<double> {
        report::ProgressSink silent;
        return m_recorder.record(silent, m_step);
    });
}

quant::QuantizedModel LoopTrainer::currentModel() const {
    if (m_scored) return *m_scored;
    quant::QuantizedModel model =
        hardModel(m_executor->graph(), m_executor->state(), m_quantizers, m_executor->device());
    model.activations = m_activations.deployed();
    return model;
}

std::int64_t LoopTrainer::evaluationsAfter(std::int64_t step) const {
    if (step >= m_lastStep) return 0;
    const std::int64_t every = m_options.evaluateEvery * m_stepsPerEpoch;
    return 1 + (every > 0 ? (m_lastStep - 1) / every - step / every : 0);
}

/// The start shows what quantizing alone costs.
bool LoopTrainer::isEvaluationStep() const {
    if (isStart() && m_step < m_lastStep) return !m_quantizers.empty() && m_options.evaluateEvery > 0;
    return evaluationsAfter(m_step) < evaluationsAfter(m_step - 1);
}

/// Of the weights of the layers that are quantized, where any are.
double LoopTrainer::peakRate() const {
    if (m_quantizers.empty()) return m_options.rates.full;
    const bool latent =
        std::ranges::all_of(m_quantizers, [](const auto& entry) { return entry.second->hasLatentWeights(); });
    return latent ? m_options.rates.weight : m_options.rates.alpha;
}

report::MetricSample LoopTrainer::metricRow() const {
    report::MetricSample row;
    row.step = m_step;
    row.epoch = static_cast<double>(m_step) / static_cast<double>(m_stepsPerEpoch);
    row.loss = m_loss;
    row.learningRate = peakRate() * rateFactorOf(std::max(m_step - 1, m_firstStep));
    row.stepSeconds = m_stepSeconds;
    return row;
}

void LoopTrainer::record(Session& session, report::MetricSample row) const {
    row.quantMse = m_recorder.record(session.sink, m_step);
    session.sink.metric(row);
}

void LoopTrainer::beginEpoch(std::int64_t step) const {
    for (const auto& [node, quantizer] : m_quantizers)
        quantizer->beginEpoch((step - m_firstStep) / m_stepsPerEpoch);
}

Status LoopTrainer::trainOneStep(Session& session) {
    const Clock::time_point start = Clock::now();
    BITLOOM_ASSIGN_OR_RETURN(const data::Batch batch, m_loader.next());
    m_optimizer.clearGradients();
    const double factor = rateFactorOf(m_step);
    const double momentum = momentumAt(m_options, m_step - m_firstStep, m_lastStep - m_firstStep);
    beginEpoch(m_step);
    m_optimizer.beginStep(factor, momentum);
    auto loss =
        forwardBackward(*m_executor, m_quantizers, batch, m_data.train->shape(), m_options, m_teacher.get());
    if (!loss) return fail("step {}: {}", m_step + 1, loss.error().message);
    for (const auto& hook : m_hooks)
        hook->afterBackward(m_step + 1 - m_firstStep, m_lastStep - m_firstStep);
    m_optimizer.step(factor, momentum);
    m_scored.reset();
    m_loss = *loss;
    ++m_step;
    m_stepSeconds = secondsSince(start);
    session.meter.stepTook(m_stepSeconds);
    if (m_step % m_stepsPerEpoch == 0) {
        session.sink.event(
            {m_step, report::EventKind::Epoch, fmt::format("epoch {} done", m_step / m_stepsPerEpoch)});
    }
    const bool first = m_step == m_firstStep + 1;
    if (!isEvaluationStep() && (first || m_step % m_recordEvery == 0)) record(session, metricRow());
    return {};
}

Result<Accuracy> LoopTrainer::scoreSoft(const EvaluationProgress& progress) {
    WeightOverrides soft;
    {
        const torch::NoGradGuard guard;
        soft = trainingWeights(*m_executor, m_quantizers, /*hardForward=*/false);
    }
    m_executor->setPrecision(Precision::Float32);
    return evaluate(*m_executor, *m_data.test, m_scorer.evaluationOptions(), soft, progress);
}

/// LSQ before the first step of a stage, PTQ after the last one of the job.
Status LoopTrainer::quantizeActivations(Session& session) {
    const bool due = m_activation.method == quant::ActivationMethod::Lsq || m_step == m_jobSteps;
    if (m_activations.ready() || m_activations.planned().empty() || !due) return {};
    BITLOOM_ASSIGN_OR_RETURN(const FoundActivations found, findActivations(session));
    for (const std::string& node : found.silent) {
        session.sink.event({m_step, report::EventKind::Warning,
                            fmt::format("the activation {} is 0 for every image looked at", node)});
    }
    BITLOOM_RETURN_IF_ERROR(m_activations.set(found.activations));
    m_scored.reset();
    m_evaluation.step = -1;
    return m_executor->setActivations(m_activations.functions());
}

Result<FoundActivations> LoopTrainer::findActivations(Session& session) {
    const EvaluationProgress progress = [&](std::int64_t, std::int64_t) {
        session.meter.report("quantizing activations", m_step);
        return waitWhilePaused(session);
    };
    if (m_activation.method == quant::ActivationMethod::Lsq) {
        return startActivations(*m_executor, m_quantizers, m_activations.planned(), m_activation, m_options,
                                m_data, progress);
    }
    quant::QuantizedModel model = currentModel();
    BITLOOM_RETURN_IF_ERROR(m_scorer.calibrate(model, progress));
    BITLOOM_ASSIGN_OR_RETURN(const Accuracy exact, m_scorer.evaluate(model, progress));
    session.sink.event({m_step, report::EventKind::Evaluation,
                        fmt::format("top-1 {:.2f} % hard, activations in float", exact.top1)});
    BITLOOM_ASSIGN_OR_RETURN(
        ReconstructedActivations rounded,
        reconstructActivations(model, m_activation, m_data, m_options.seed, m_options.device, progress));
    return std::move(rounded.found);
}

Status LoopTrainer::evaluateNow(Session& session) {
    const Clock::time_point start = Clock::now();
    const double pausedBefore = session.pausedSeconds;
    session.meter.report("evaluating", m_step);
    const EvaluationProgress progress = [&](std::int64_t, std::int64_t) {
        session.meter.report("evaluating", m_step);
        return waitWhilePaused(session);
    };
    // Before the first step batch norm holds the statistics of full precision, with which soft weights have
    // no meaningful accuracy; the hard ones get statistics of their own.
    Accuracy soft;
    if (!isStart() || m_quantizers.empty()) {
        BITLOOM_ASSIGN_OR_RETURN(soft, scoreSoft(progress));
    }
    Accuracy hard = soft;
    m_scored.reset();
    quant::QuantizedModel model = currentModel();
    if (!m_quantizers.empty()) {
        // Scales that were found for a finished network were found for its batch norm.
        if (m_activation.method == quant::ActivationMethod::Ptq) model.activations.clear();
        BITLOOM_RETURN_IF_ERROR(m_scorer.calibrate(model, progress));
        model.activations = m_activations.deployed();
        BITLOOM_ASSIGN_OR_RETURN(hard, m_scorer.evaluate(model, progress));
    }
    const double seconds = secondsSince(start) - (session.pausedSeconds - pausedBefore);
    session.meter.expect(seconds * static_cast<double>(evaluationsAfter(m_step)));
    m_scored = std::move(model);
    m_evaluation = metricRow();
    if (!isStart()) {
        m_evaluation.top1Soft = soft.top1;
        m_evaluation.top5Soft = soft.top5;
    }
    m_evaluation.top1Hard = hard.top1;
    m_evaluation.top5Hard = hard.top5;
    m_evaluation.quantMse = isStart() ? m_startMse : m_recorder.record(session.sink, m_step);
    if (!isStart() || m_stage == 0) session.sink.metric(m_evaluation);
    session.sink.event({m_step, report::EventKind::Evaluation,
                        !isStart() ? fmt::format("top-1 {:.2f} % soft, {:.2f} % hard", soft.top1, hard.top1)
                                   : fmt::format("top-1 {:.2f} % hard, before training", hard.top1)});
    return {};
}

Status LoopTrainer::saveNow(Session& session) {
    const TrainerState state = currentState();
    BITLOOM_RETURN_IF_ERROR(checkFinite(state, m_executor->graph()));
    BITLOOM_RETURN_IF_ERROR(session.saveCheckpoint(state));
    session.saved = Clock::now();
    session.sink.event({m_step, report::EventKind::Checkpoint, "checkpoint saved"});
    return {};
}

Status LoopTrainer::stopped(Session& session) {
    BITLOOM_RETURN_IF_ERROR(saveNow(session));
    return Error{ErrorKind::Cancelled, fmt::format("stopped at step {} of {}", m_step, m_jobSteps)};
}

bool LoopTrainer::waitWhilePaused(Session& session) const {
    if (!session.control.paused()) return !session.control.stopRequested();
    session.sink.event({m_step, report::EventKind::Paused, "paused"});
    session.meter.report("paused", m_step);
    const Clock::time_point start = Clock::now();
    if (!session.control.waitWhilePaused()) return false;
    session.pausedSeconds += secondsSince(start);
    session.sink.event({m_step, report::EventKind::Resumed, "resumed"});
    return true;
}

Status LoopTrainer::loop(Session& session) {
    const auto period = std::chrono::seconds(m_options.checkpointEverySeconds);
    if (m_step == 0 && m_stage == 0) m_startMse = m_recorder.record(session.sink, 0);
    while (true) {
        const Status rounded = quantizeActivations(session);
        if (!rounded && rounded.error().kind == ErrorKind::Cancelled) return stopped(session);
        BITLOOM_RETURN_IF_ERROR(rounded);
        if (isEvaluationStep() && m_evaluation.step != m_step) {
            const Status evaluated = evaluateNow(session);
            if (!evaluated && evaluated.error().kind == ErrorKind::Cancelled) return stopped(session);
            BITLOOM_RETURN_IF_ERROR(evaluated);
        }
        if (m_step == m_lastStep) break;
        if (Clock::now() - session.saved >= period) BITLOOM_RETURN_IF_ERROR(saveNow(session));
        if (!waitWhilePaused(session)) return stopped(session);
        BITLOOM_RETURN_IF_ERROR(trainOneStep(session));
        session.meter.report("training", m_step);
    }
    BITLOOM_RETURN_IF_ERROR(saveNow(session));
    if (m_step == m_jobSteps) {
        session.sink.event(
            {m_step, report::EventKind::Finished, fmt::format("finished after {} steps", m_step)});
    }
    return {};
}

Status LoopTrainer::run(report::ProgressSink& sink, JobControl& control,
                        const SaveCheckpoint& saveCheckpoint) {
    configureTorch(m_options.threads);
    if (m_options.precision == Precision::BFloat16 && !multipliesBFloat16(m_executor->device())) {
        sink.event({m_step, report::EventKind::Warning,
                    "this processor has no bfloat16 instructions: train.precision = \"float32\" is quicker"});
    }
    m_loader.seek(m_step / m_stepsPerEpoch, m_step % m_stepsPerEpoch);
    Session session{sink, control, saveCheckpoint, ProgressMeter(sink, m_jobSteps)};
    return guarded(fmt::format("training from step {}", m_step), [&] { return loop(session); });
}

Result<std::int64_t> classesOf(const graph::Graph& graph) {
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<graph::Shape> shapes, graph::inferShapes(graph));
    return shapes.back().front();
}

/// Null without distillation.
Result<std::unique_ptr<Executor>> makeTeacher(const std::optional<Teacher>& teacher,
                                              const graph::Graph& student, const TrainOptions& options) {
    if (options.distillation == 0) return std::unique_ptr<Executor>();
    if (!teacher) return missingTeacher();
    BITLOOM_ASSIGN_OR_RETURN(const std::int64_t taught, classesOf(teacher->graph));
    BITLOOM_ASSIGN_OR_RETURN(const std::int64_t learned, classesOf(student));
    if (taught != learned || teacher->graph.inputShape() != student.inputShape()) {
        return usageError(
            "the teacher {} takes {} and tells {} classes apart, {} takes {} and tells {}; choose another "
            "model.teacher",
            teacher->graph.arch(), graph::toText(teacher->graph.inputShape()), taught, student.arch(),
            graph::toText(student.inputShape()), learned);
    }
    BITLOOM_ASSIGN_OR_RETURN(auto executor, Executor::create(teacher->graph, options.device));
    BITLOOM_RETURN_IF_ERROR(executor->load(teacher->state));
    return executor;
}

}  // namespace

Error missingTeacher() {
    return usageError(
        "train.distillation needs a teacher; start from pretrained weights (model.weights) or name "
        "model.teacher");
}

Result<std::unique_ptr<Trainer>> Trainer::create(graph::Graph graph, const graph::StateDict& state,
                                                 const quant::QuantizerOptions& quantizer,
                                                 const TrainOptions& options, const TrainerData& data,
                                                 int recordEvery, int bins,
                                                 const std::optional<Teacher>& teacher,
                                                 const StageSpan& span) {
    if (data.train->size() < data.batchSize) {
        return usageError("data.batch is {} but the training set has {} images; lower data.batch",
                          data.batchSize, data.train->size());
    }
    BITLOOM_RETURN_IF_ERROR(checkActivationImages(quantizer.activation, *data.train));
    configureTorch(options.threads);
    return guarded("starting the training", [&]() -> Result<std::unique_ptr<Trainer>> {
        BITLOOM_ASSIGN_OR_RETURN(Scorer scorer, Scorer::create(graph, data, options));
        BITLOOM_ASSIGN_OR_RETURN(auto taught, makeTeacher(teacher, graph, options));
        BITLOOM_ASSIGN_OR_RETURN(auto executor, Executor::create(std::move(graph), options.device));
        if (state.empty()) {
            executor->initialize(options.seed);
        } else {
            BITLOOM_RETURN_IF_ERROR(executor->load(state));
        }
        BITLOOM_ASSIGN_OR_RETURN(
            quant::QuantizerMap quantizers,
            quant::makeQuantizers(executor->graph(), executor->state(), quantizer, options.seed));
        BITLOOM_ASSIGN_OR_RETURN(auto hooks, quant::makeStepHooks(executor->graph(), quantizer, quantizers));
        BITLOOM_ASSIGN_OR_RETURN(auto activations,
                                 quant::ActivationQuantizers::make(executor->graph(), quantizer.activation));
        BITLOOM_ASSIGN_OR_RETURN(auto groups,
                                 makeParameterGroups(*executor, quantizers, options, activations.steps()));
        return std::unique_ptr<Trainer>(std::make_unique<LoopTrainer>(
            std::move(executor), std::move(taught), std::move(quantizers), std::move(hooks),
            quantizer.activation, std::move(activations), Sgd(std::move(groups), options.nesterov),
            std::move(scorer), options, data, recordEvery, bins, span));
    });
}

}  // namespace bitloom::train
