#include "engine/jobs/training_session.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "engine/base/random.h"
#include "engine/jobs/mixture_transfer.h"
#include "engine/jobs/strategy_file.h"
#include "engine/quant/activation/activation_plan.h"
#include "engine/record/run_reader.h"
#include "engine/train/activation_reconstruction.h"
#include "engine/train/deployed_model.h"
#include "engine/train/schedule.h"
#include "engine/train/state_layout.h"

namespace bitloom::jobs {
namespace {

/// A run teaches what it deploys.
Result<NetworkSource> openTeacher(const std::string& path, report::ProgressSink& sink) {
    if (!record::RunReader::open(path)) return NetworkSource::open({.weights = path});
    BITLOOM_ASSIGN_OR_RETURN(const RecordedRun run, readRecordedRun(path, sink));
    BITLOOM_ASSIGN_OR_RETURN(quant::QuantizedModel model, deployedNetwork(run, path));
    return NetworkSource(std::move(model));
}

/// What the job's distillation follows: its own file, or the weights that the run starts from.
Result<std::optional<train::Teacher>> loadTeacher(const JobSpec& job, const Network& network,
                                                  const Datasets& datasets, report::ProgressSink& sink) {
    if (!distils(job)) return std::optional<train::Teacher>();
    if (!job.model.teacher.empty()) {
        BITLOOM_ASSIGN_OR_RETURN(NetworkSource source, openTeacher(job.model.teacher, sink));
        BITLOOM_ASSIGN_OR_RETURN(const std::int64_t taught, source.classes());
        BITLOOM_ASSIGN_OR_RETURN(const auto shapes, graph::inferShapes(network.graph));
        const std::int64_t learned = shapes.back().front();
        if (taught != learned) {
            return usageError(
                "{}: the teacher tells {} classes apart, {} learns {}; take a model.teacher of {} classes, "
                "or set train.distillation = 0",
                job.model.teacher, taught, network.graph.arch(), learned, learned);
        }
        source.setClasses(static_cast<int>(taught));
        BITLOOM_ASSIGN_OR_RETURN(Network teacher, source.build(*datasets.train, job.data.source));
        return std::optional(train::Teacher{std::move(teacher.graph), std::move(teacher.state)});
    }
    if (network.state.empty()) return train::missingTeacher();
    return std::optional(train::Teacher{network.graph, network.state});
}

/// Of what a stage draws at random; the first one's is the job's.
std::uint64_t seedOf(std::uint64_t seed, std::size_t stage) {
    return stage == 0 ? seed : Random({seed, stage}).next();
}

}  // namespace

void TrainingSession::setJob(JobSpec job) {
    m_job = std::move(job);
    m_stages = stagesOf(m_job);
    std::int64_t end = 0;
    const std::int64_t stepsPerEpoch = m_datasets.train->size() / m_job.data.batch;
    for (std::size_t i = 0; i < m_stages.size(); ++i) {
        m_stages[i].train.seed = seedOf(m_job.train.seed, i);
        end += train::stepsOf(m_stages[i].train, stepsPerEpoch);
        m_ends.push_back(end);
    }
}

std::string TrainingSession::nameOf(std::size_t stage) const {
    if (m_job.stages.empty()) return "quantizer";
    return fmt::format("stage {} ({})", stage + 1, m_job.stages[stage].name);
}

Result<TrainingSession> TrainingSession::start(JobSpec job, report::ProgressSink& sink) {
    TrainingSession session;
    BITLOOM_ASSIGN_OR_RETURN(JobInputs inputs, loadInputs(job));
    session.m_network = std::move(inputs.network);
    session.m_datasets = std::move(inputs.datasets);
    BITLOOM_RETURN_IF_ERROR(applyStrategies(job, session.m_network.graph));
    session.setJob(std::move(job));
    BITLOOM_RETURN_IF_ERROR(session.checkStages());
    BITLOOM_RETURN_IF_ERROR(session.checkLaterTransfers(sink));
    BITLOOM_ASSIGN_OR_RETURN(session.m_teacher,
                             loadTeacher(session.m_job, session.m_network, session.m_datasets, sink));
    BITLOOM_RETURN_IF_ERROR(
        session.beginStage(0, session.m_network.state, session.m_stages.front().quantizer, sink));
    return session;
}

Result<TrainingSession> TrainingSession::resume(const RecordedRun& run, const CheckpointFolder& folder,
                                                report::ProgressSink& sink) {
    if (!run.state) return start(run.spec, sink);
    TrainingSession session;
    session.m_network.graph = run.graph;
    BITLOOM_ASSIGN_OR_RETURN(session.m_datasets, openDatasets(run.spec.data, imageSizeOf(run.graph)));
    session.setJob(run.spec);
    if (distils(session.m_job)) {
        BITLOOM_ASSIGN_OR_RETURN(session.m_teacher, folder.teacher());
    }
    const graph::StateDict start = train::partOf(run.state->tensors, train::kModelPart);
    if (run.state->step == 0 && !run.spec.model.weights.empty()) session.m_network.state = start;
    const auto stage = static_cast<std::size_t>(train::stageOf(run.state->tensors));
    if (stage >= session.m_stages.size()) {
        return fail("{}: the checkpoint is of stage {}, its job has {}; it belongs to another job",
                    run.info.path, stage + 1, session.m_stages.size());
    }
    BITLOOM_RETURN_IF_ERROR(session.makeTrainer(
        stage, start, train::optionsOf(session.m_stages[stage].quantizer, run.state->tensors)));
    BITLOOM_RETURN_IF_ERROR(session.m_trainer->restore(*run.state));
    return session;
}

Status TrainingSession::checkLayers(const quant::QuantizerOptions& options) const {
    BITLOOM_ASSIGN_OR_RETURN([[maybe_unused]] const auto layers, quant::planLayers(m_network.graph, options));
    BITLOOM_ASSIGN_OR_RETURN([[maybe_unused]] const auto activations,
                             quant::planActivations(m_network.graph, options.activation));
    return train::checkActivationImages(options.activation, *m_datasets.train);
}

/// Before the stage that learns them has run: whether this one could take as many bits as that starts with.
Status TrainingSession::checkLearnedBits(std::size_t stage) const {
    if (stage == 0) {
        return usageError(
            "{}: strategy = \"learned\" takes the bits that the stage before ended with, and there is "
            "none before; put a stage with method = \"sdq\" before it, or name a file of bits",
            nameOf(stage));
    }
    if (!m_stages[stage].quantizer.layer.transfer.empty()) {
        return usageError(
            "{}: with strategy = \"learned\" mixtures take the bits of the stage before and are found anew; "
            "set quantizer.transfer for the whole job or for the stage that learns the bits",
            nameOf(stage));
    }
    const quant::QuantizerOptions& before = m_stages[stage - 1].quantizer;
    BITLOOM_ASSIGN_OR_RETURN(const auto planned, quant::planLayers(m_network.graph, before));
    if (std::ranges::all_of(planned, &quant::PlannedLayer::outsideAverage)) {
        return usageError("{}: strategy = \"learned\", but {} quantizes no layer", nameOf(stage),
                          nameOf(stage - 1));
    }
    Strategy most{m_network.graph.arch(), {}};
    for (const quant::PlannedLayer& layer : planned) {
        const auto last = static_cast<unsigned>(layer.options.components - 1);
        if (!layer.outsideAverage) most.bits[layer.node] = std::bit_width(last);
    }
    quant::QuantizerOptions options = m_stages[stage].quantizer;
    BITLOOM_RETURN_IF_ERROR(applyStrategy(most, nameOf(stage), m_network.graph, options));
    if (const Status possible = checkLayers(options); !possible) {
        return usageError("{}: strategy = \"learned\" may keep the bits that {} starts with: {}",
                          nameOf(stage), nameOf(stage - 1), possible.error().message);
    }
    return {};
}

Status TrainingSession::checkStages() const {
    using quant::ActivationMethod;
    const ActivationMethod last = m_stages.back().quantizer.activation.method;
    for (std::size_t i = 0; i < m_stages.size(); ++i) {
        const quant::QuantizerOptions& options = m_stages[i].quantizer;
        if (const Status possible = checkLayers(options); !possible) {
            const std::string where = m_job.stages.empty() ? "" : nameOf(i) + ": ";
            return Error{possible.error().kind, where + possible.error().message};
        }
        if (options.activation.method == ActivationMethod::Ptq && last == ActivationMethod::None) {
            return usageError(
                "{}: activation.method = \"ptq\" rounds activations after a job's last step; say so in {}",
                nameOf(i), nameOf(m_stages.size() - 1));
        }
        if (options.strategy == quant::kLearnedStrategy) BITLOOM_RETURN_IF_ERROR(checkLearnedBits(i));
    }
    return {};
}

Status TrainingSession::makeTrainer(std::size_t stage, const graph::StateDict& start,
                                    const quant::QuantizerOptions& quantizer) {
    train::StageSpan span;
    span.stage = static_cast<int>(stage);
    span.stepsBefore = stage == 0 ? 0 : m_ends[stage - 1];
    span.stepsAfter = m_ends.back() - m_ends[stage];
    const JobSpec& spec = m_stages[stage];
    m_stage = stage;
    BITLOOM_ASSIGN_OR_RETURN(m_trainer,
                             train::Trainer::create(m_network.graph, start, quantizer, spec.train,
                                                    trainerData(m_datasets, spec.data), spec.record.every,
                                                    spec.record.bins, m_teacher, span));
    return {};
}

/// A mistake in a later stage's transfer shows before hours of training: whatever has one has known bits.
Status TrainingSession::checkLaterTransfers(report::ProgressSink& sink) const {
    for (std::size_t i = 1; i < m_stages.size(); ++i) {
        quant::QuantizerOptions options = m_stages[i].quantizer;
        const auto transfers = readTransfers(m_network.graph, options, sink);
        if (!transfers) {
            return Error{transfers.error().kind, fmt::format("{}: {}", nameOf(i), transfers.error().message)};
        }
    }
    return {};
}

/// The trainer of a stage at its start, its quantizers with the mixtures of other runs where they ask for
/// them.
Status TrainingSession::beginStage(std::size_t stage, const graph::StateDict& start,
                                   quant::QuantizerOptions quantizer, report::ProgressSink& sink) {
    BITLOOM_ASSIGN_OR_RETURN(const auto transfers, readTransfers(m_network.graph, quantizer, sink));
    BITLOOM_RETURN_IF_ERROR(makeTrainer(stage, start, quantizer));
    if (transfers.empty()) return {};
    if (!start.empty()) {
        logTransfers(transfers, quantizer, start, sink);
        return {};
    }
    BITLOOM_ASSIGN_OR_RETURN(const train::TrainerState random, m_trainer->save());
    logTransfers(transfers, quantizer, train::partOf(random.tensors, train::kModelPart), sink);
    return {};
}

Result<CodebookSizes> TrainingSession::codebookSizes(const quant::QuantizedModel& current) const {
    CodebookSizes sizes;
    const auto add = [&](const std::string& node, int mixtures, int components, bool outside) {
        CodebookSize& size = sizes[node];
        size.outsideAverage = outside;
        size.mixtures = std::max(size.mixtures, mixtures);
        size.components = std::max(size.components, components);
    };
    for (const auto& [node, layer] : current.layers)
        add(node, layer.groups, layer.components, current.outsideAverage.contains(node));
    std::map<std::string, std::int64_t> outputs;
    for (const graph::ParameterSpec& parameter : m_network.graph.parameters()) {
        if (!parameter.shape.empty()) outputs[parameter.name] = parameter.shape.front();
    }
    for (std::size_t i = m_stage + 1; i < m_stages.size(); ++i) {
        const bool filters = m_stages[i].quantizer.granularity == quant::Granularity::Filter;
        BITLOOM_ASSIGN_OR_RETURN(const auto planned,
                                 quant::planLayers(m_network.graph, m_stages[i].quantizer));
        for (const quant::PlannedLayer& layer : planned) {
            const bool perFilter = filters && !layer.outsideAverage;
            add(layer.node, perFilter ? static_cast<int>(outputs[layer.node + ".weight"]) : 1,
                layer.options.components, layer.outsideAverage);
        }
    }
    return sizes;
}

Status TrainingSession::beginNextStage(report::ProgressSink& sink) {
    const std::size_t next = m_stage + 1;
    sink.progress({"initialising " + nameOf(next), m_trainer->step(), totalSteps(), 0, report::kNoValue});
    quant::QuantizerOptions options = m_stages[next].quantizer;
    if (options.strategy == quant::kLearnedStrategy) {
        BITLOOM_ASSIGN_OR_RETURN(const quant::QuantizedModel model, m_trainer->quantizedModel());
        BITLOOM_RETURN_IF_ERROR(applyStrategy(strategyOf(model), nameOf(next), m_network.graph, options));
    }
    BITLOOM_ASSIGN_OR_RETURN(const train::TrainerState ended, m_trainer->save());
    BITLOOM_RETURN_IF_ERROR(
        beginStage(next, train::partOf(ended.tensors, train::kModelPart), std::move(options), sink));
    const std::string text = fmt::format("{} of {} begins", nameOf(next), m_stages.size());
    sink.event({m_trainer->step(), report::EventKind::Stage, text});
    sink.log(text);
    return {};
}

Status TrainingSession::run(report::ProgressSink& sink, JobControl& control,
                            const train::SaveCheckpoint& save) {
    while (true) {
        BITLOOM_RETURN_IF_ERROR(m_trainer->run(sink, control, save));
        if (m_stage + 1 == m_stages.size()) return {};
        BITLOOM_RETURN_IF_ERROR(beginNextStage(sink));
    }
}

}  // namespace bitloom::jobs
