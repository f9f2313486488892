#include "engine/train/scoring.h"

#include "engine/data/loader.h"

namespace bitloom::train {
namespace {

// Sets the calibration batches apart from the training batches of the same seed.
constexpr std::uint64_t kCalibrationSeed = 0x63616c6962726174u;

}  // namespace

bool isStatistic(std::string_view parameter) {
    return parameter.ends_with(".running_mean") || parameter.ends_with(".running_var");
}

Scorer::Scorer(std::unique_ptr<Executor> executor, TrainerData data, TrainOptions options)
    : m_executor(std::move(executor)), m_data(data), m_options(std::move(options)) {}

Result<Scorer> Scorer::create(const graph::Graph& graph, const TrainerData& data,
                              const TrainOptions& options) {
    BITLOOM_ASSIGN_OR_RETURN(auto executor, Executor::create(graph, options.device));
    return Scorer(std::move(executor), data, options);
}

EvaluationOptions Scorer::evaluationOptions() const {
    EvaluationOptions options;
    options.normalization = m_data.normalization;
    options.batchSize = m_data.batchSize;
    options.threads = m_data.loaderThreads;
    options.images = m_options.evaluateImages;
    return options;
}

Result<Accuracy> Scorer::evaluate(const graph::StateDict& parameters, const EvaluationProgress& progress) {
    BITLOOM_RETURN_IF_ERROR(m_executor->setActivations({}));
    BITLOOM_RETURN_IF_ERROR(m_executor->load(parameters));
    return train::evaluate(*m_executor, *m_data.test, evaluationOptions(), {}, progress);
}

Result<Accuracy> Scorer::evaluate(const quant::QuantizedModel& model, const EvaluationProgress& progress) {
    BITLOOM_RETURN_IF_ERROR(loadDeployed(*m_executor, model));
    return train::evaluate(*m_executor, *m_data.test, evaluationOptions(), {}, progress);
}

Status Scorer::calibrate(quant::QuantizedModel& model, const EvaluationProgress& progress) {
    if (model.layers.empty() || m_options.batchNormBatches == 0) return {};
    BITLOOM_RETURN_IF_ERROR(loadDeployed(*m_executor, model));
    data::LoaderOptions options;
    options.batchSize = m_data.batchSize;
    options.normalization = m_data.normalization;
    options.augment = m_data.augment;
    options.seed = m_options.seed ^ kCalibrationSeed;
    options.threads = m_data.loaderThreads;
    data::Loader loader(*m_data.train, options);
    BITLOOM_RETURN_IF_ERROR(
        reestimateBatchNorm(*m_executor, loader, m_options.batchNormBatches, {}, progress));
    for (auto& [name, tensor] : m_executor->state()) {
        if (isStatistic(name)) model.rest.insert_or_assign(name, tensor);
    }
    return {};
}

}  // namespace bitloom::train
