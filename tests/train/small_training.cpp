#include "tests/train/small_training.h"

#include <stdexcept>

#include "engine/base/random.h"

namespace bitloom::train {

Result<int> QuadrantImages::read(std::int64_t index, std::span<std::uint8_t> pixels) const {
    if (index == m_broken) return fail("image {} is broken", index);
    const int label = static_cast<int>(index % 4);
    Random random({m_seed, static_cast<std::uint64_t>(index)});
    for (std::size_t i = 0; i < pixels.size(); ++i) {
        const std::size_t row = i / 8 % 8;
        const std::size_t column = i % 8;
        const bool bright = static_cast<int>(row / 4 * 2 + column / 4) == label;
        pixels[i] = static_cast<std::uint8_t>(random.below(100) + (bright ? 150 : 0));
    }
    return label;
}

graph::Graph smallGraph() {
    graph::Graph graph("small");
    graph::NodeId last = graph.add("input", graph::Input{{3, 8, 8}});
    const auto conv = [](std::int64_t in, std::int64_t out) {
        graph::Conv2d op;
        op.inChannels = in;
        op.outChannels = out;
        op.kernel = {3, 3};
        op.padding = {1, 1};
        return op;
    };
    last = graph.add("conv1", conv(3, 8), {last});
    last = graph.add("bn1", graph::BatchNorm2d{8}, {last});
    last = graph.add("relu1", graph::Relu{}, {last});
    last = graph.add("conv2", conv(8, 12), {last});
    last = graph.add("bn2", graph::BatchNorm2d{12}, {last});
    last = graph.add("relu2", graph::Relu{}, {last});
    last = graph.add("pool", graph::MaxPool2d{{4, 4}, {4, 4}}, {last});
    last = graph.add("flatten", graph::Flatten{}, {last});
    graph.add("fc", graph::Linear{48, 4}, {last});
    return graph;
}

SmallTraining::SmallTraining() {
    quantizer.layer.components = 8;
    options.epochs = 2;
    options.rates.weight = options.rates.full = options.rates.batchNorm = 0.05;
    options.threads = 1;
    options.batchNormBatches = 3;
    options.checkpointEverySeconds = 86400;
}

Result<std::unique_ptr<Trainer>> SmallTraining::tryMake(const graph::StateDict& state) const {
    TrainerData data;
    data.train = &train;
    data.test = &test;
    data.normalization = normalization;
    data.batchSize = batch;
    data.augment = false;
    return Trainer::create(smallGraph(), state, quantizer, options, data, recordEvery);
}

std::unique_ptr<Trainer> SmallTraining::make(const graph::StateDict& state) const {
    auto trainer = tryMake(state);
    if (!trainer) throw std::runtime_error(trainer.error().message);
    return std::move(trainer).value();
}

SaveCheckpoint KeptCheckpoint::callback() {
    return [this](const TrainerState& newest) -> Status {
        state = newest;
        ++saves;
        return {};
    };
}

std::uint64_t trainedHash(const TrainerState& state) {
    graph::StateDict parts;
    for (const auto& [name, tensor] : state.tensors) {
        if (name != "trainer/evaluation") parts.emplace(name, tensor);
    }
    return graph::hashState(parts);
}

}  // namespace bitloom::train
