#include "tests/bench/step_bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "engine/base/random.h"
#include "engine/graph/zoo/zoo.h"
#include "engine/train/parameter_groups.h"
#include "engine/train/training_step.h"

namespace bitloom::bench {
namespace {

using Clock = std::chrono::steady_clock;

template <class T>
T orExit(Result<T> result) {
    if (result.ok()) return std::move(result).value();
    fmt::print(stderr, "{}\n", result.error().message);
    std::exit(1);
}

data::ImageShape shapeOf(const graph::Graph& graph) {
    const graph::Shape& shape = graph.inputShape();
    return {static_cast<int>(shape[0]), static_cast<int>(shape[1]), static_cast<int>(shape[2])};
}

}  // namespace

StepBench::StepBench(std::string name, const graph::Graph& graph, const quant::QuantizerOptions& quantizer)
    : m_name(std::move(name)),
      m_executor(orExit(train::Executor::create(graph, "cpu"))),
      m_shape(shapeOf(graph)) {
    m_executor->initialize(1);
    m_quantizers = orExit(quant::makeQuantizers(graph, m_executor->state(), quantizer, 1));
    auto groups = orExit(train::makeParameterGroups(*m_executor, m_quantizers, {}));
    m_optimizer = std::make_unique<train::Sgd>(std::move(groups), /*nesterov=*/false);
}

void StepBench::step(const data::Batch& batch, const train::TrainOptions& options) {
    constexpr double kRateFactor = 0.01;
    const auto start = Clock::now();
    m_optimizer->clearGradients();
    m_optimizer->beginStep(kRateFactor, options.momentum);
    orExit(train::forwardBackward(*m_executor, m_quantizers, batch, m_shape, options));
    m_optimizer->step(kRateFactor, options.momentum);
    m_seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
}

double StepBench::quantile(double q) const {
    std::vector<double> samples = m_seconds;
    std::ranges::sort(samples);
    return samples[static_cast<std::size_t>(std::lround(q * static_cast<double>(samples.size() - 1)))];
}

void StepBench::print() const {
    fmt::print("{:<20} median {:.1f} ms  p10 {:.1f}  p90 {:.1f}\n", m_name, quantile(0.5) * 1e3,
               quantile(0.1) * 1e3, quantile(0.9) * 1e3);
}

data::Batch randomBatch(int count, data::ImageShape shape, int classes) {
    Random random({1});
    data::Batch batch;
    batch.count = count;
    batch.images.resize(static_cast<std::size_t>(count * shape.channels * shape.height * shape.width));
    for (float& pixel : batch.images)
        pixel = static_cast<float>(random.normal());
    for (int i = 0; i < count; ++i)
        batch.labels.push_back(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(classes))));
    return batch;
}

graph::Graph networkOrExit(const std::string& arch, int imageEdge) {
    graph::zoo::ModelOptions options;
    if (imageEdge > 0) options.imageSize = imageEdge;
    return orExit(graph::zoo::makeModel(arch, options));
}

}  // namespace bitloom::bench
