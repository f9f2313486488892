// The executor's parameters, devices and statistics, and whole networks against references written with
// torch::nn. Single ops are in executor_op_test.cpp.
#include "engine/train/executor.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/functional/padding.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/sgd.h>

#include "engine/graph/zoo/zoo.h"

namespace bitloom::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using torch::Tensor;
namespace nn = torch::nn;

std::unique_ptr<Executor> executorOf(graph::Graph graph, std::uint64_t seed = 1) {
    auto executor = Executor::create(std::move(graph), "cpu");
    EXPECT_TRUE(executor.ok()) << (executor.ok() ? "" : executor.error().message);
    (*executor)->initialize(seed);
    return std::move(executor).value();
}

std::unique_ptr<Executor> executorOf(std::string_view arch, const graph::zoo::ModelOptions& options = {}) {
    return executorOf(graph::zoo::makeModel(arch, options).value());
}

/// conv, batch norm, linear: every kind of parameter in a few hundred scalars.
graph::Graph threeClassGraph() {
    graph::Graph graph("small");
    const graph::Conv2d conv{
        .inChannels = 3, .outChannels = 4, .kernel = {3, 3}, .padding = {1, 1}, .bias = true};
    auto node = graph.add("conv", conv, {graph.add("input", graph::Input{{3, 6, 6}})});
    node = graph.add("bn", graph::BatchNorm2d{.channels = 4}, {node});
    node = graph.add("relu", graph::Relu{}, {node});
    node = graph.add("flatten", graph::Flatten{}, {graph.add("pool", graph::GlobalAvgPool{}, {node})});
    graph.add("fc", graph::Linear{.inFeatures = 4, .outFeatures = 3}, {node});
    return graph;
}

Tensor randomImages(std::vector<std::int64_t> shape, std::uint64_t seed = 7) {
    torch::manual_seed(seed);
    return torch::randn(shape);
}

Tensor classLabels(std::int64_t count, std::int64_t classes) {
    return torch::arange(count) % classes;
}

double relativeError(const Tensor& value, const Tensor& expected) {
    const Tensor wide = expected.detach().to(torch::kFloat64);
    const double norm = wide.norm().item<double>();
    return (value.detach().to(torch::kFloat64) - wide).norm().item<double>() / std::max(norm, 1e-30);
}

// --- a reference ResNet-20, as PyTorch users write it ---

struct ReferenceBlock : nn::Module {
    ReferenceBlock(std::int64_t in, std::int64_t out, std::int64_t stride)
        : planes(out), changes(stride != 1) {
        conv1 = register_module(
            "conv1", nn::Conv2d(nn::Conv2dOptions(in, out, 3).stride(stride).padding(1).bias(false)));
        bn1 = register_module("bn1", nn::BatchNorm2d(out));
        conv2 = register_module("conv2", nn::Conv2d(nn::Conv2dOptions(out, out, 3).padding(1).bias(false)));
        bn2 = register_module("bn2", nn::BatchNorm2d(out));
    }
    Tensor forward(const Tensor& x) {
        const Tensor out = bn2(conv2(torch::relu(bn1(conv1(x)))));
        if (!changes) return torch::relu(out + x);
        using torch::indexing::None;
        using torch::indexing::Slice;
        const Tensor half = x.index({Slice(), Slice(), Slice(None, None, 2), Slice(None, None, 2)});
        const auto pad = nn::functional::PadFuncOptions({0, 0, 0, 0, planes / 4, planes / 4});
        return torch::relu(out + nn::functional::pad(half, pad));
    }
    std::int64_t planes;
    bool changes;
    nn::Conv2d conv1{nullptr}, conv2{nullptr};
    nn::BatchNorm2d bn1{nullptr}, bn2{nullptr};
};

struct ReferenceResNet20 : nn::Module {
    ReferenceResNet20() {
        conv1 = register_module("conv1", nn::Conv2d(nn::Conv2dOptions(3, 16, 3).padding(1).bias(false)));
        bn1 = register_module("bn1", nn::BatchNorm2d(16));
        std::int64_t in = 16;
        for (int stage = 0; stage < 3; ++stage) {
            const std::int64_t out = std::int64_t{16} << stage;
            nn::Sequential blocks;
            for (int i = 0; i < 3; ++i) {
                blocks->push_back(ReferenceBlock(in, out, stage > 0 && i == 0 ? 2 : 1));
                in = out;
            }
            stages.push_back(register_module("layer" + std::to_string(stage + 1), blocks));
        }
        linear = register_module("linear", nn::Linear(64, 10));
    }
    Tensor forward(Tensor x) {
        x = torch::relu(bn1(conv1(x)));
        for (nn::Sequential& stage : stages)
            x = stage->forward(x);
        return linear(torch::avg_pool2d(x, x.size(3)).flatten(1));
    }
    nn::Conv2d conv1{nullptr};
    nn::BatchNorm2d bn1{nullptr};
    std::vector<nn::Sequential> stages;
    nn::Linear linear{nullptr};
};

/// The executor's parameters and statistics, by name, in double precision.
void copyState(const Executor& executor, nn::Module& reference) {
    const torch::NoGradGuard guard;
    const graph::StateDict state = executor.state();
    std::size_t copied = 0;
    const auto copy = [&](const auto& named) {
        for (const auto& item : named) {
            const auto found = state.find(item.key());
            ASSERT_NE(found, state.end()) << item.key();
            std::vector<float> values = found->second.toFloats();
            item.value().copy_(torch::from_blob(values.data(), item.value().sizes(), torch::kFloat32));
            ++copied;
        }
    };
    copy(reference.named_parameters());
    copy(reference.named_buffers());
    EXPECT_EQ(copied, state.size());
}

class ResNet20 : public ::testing::Test {
  protected:
    ResNet20() {
        // A first training pass gives the running statistics values other than 0 and 1.
        (void)executor->forward(randomImages({8, 3, 32, 32}, 3), /*training=*/true);
        copyState(*executor, reference);
        reference.to(torch::kFloat64);
    }
    std::unique_ptr<Executor> executor = executorOf("resnet20");
    ReferenceResNet20 reference;
    Tensor images = randomImages({4, 3, 32, 32});
};

TEST_F(ResNet20, MatchesTheReferenceInEvaluation) {
    const torch::NoGradGuard guard;
    reference.eval();
    const Tensor expected = reference.forward(images.to(torch::kFloat64));
    EXPECT_LT(relativeError(executor->forward(images, /*training=*/false), expected), 1e-5);
}

TEST_F(ResNet20, MatchesTheReferenceInTraining) {
    const Tensor labels = classLabels(4, 10);
    const Tensor expected = reference.forward(images.to(torch::kFloat64));
    const Tensor logits = executor->forward(images, /*training=*/true);
    EXPECT_LT(relativeError(logits, expected), 1e-5);
    nn::functional::cross_entropy(logits, labels).backward();
    nn::functional::cross_entropy(expected, labels).backward();
    auto gradients = reference.named_parameters();
    for (const TrainedParameter& parameter : executor->parameters()) {
        ASSERT_TRUE(parameter.tensor.grad().defined()) << parameter.name;
        EXPECT_LT(relativeError(parameter.tensor.grad(), gradients[parameter.name].grad()), 2e-4)
            << parameter.name;
    }
    const graph::StateDict state = executor->state();
    for (const auto& buffer : reference.named_buffers()) {
        std::vector<float> values = state.find(buffer.key())->second.toFloats();
        const Tensor ours = torch::from_blob(values.data(), buffer.value().sizes(), torch::kFloat32);
        EXPECT_LT(relativeError(ours, buffer.value()), 1e-5) << buffer.key();
    }
}

TEST_F(ResNet20, ComputesInBFloat16UntilToldOtherwise) {
    const torch::NoGradGuard guard;
    reference.eval();
    const Tensor expected = reference.forward(images.to(torch::kFloat64));
    executor->setPrecision(Precision::BFloat16);
    const Tensor logits = executor->forward(images, /*training=*/false);
    EXPECT_EQ(logits.scalar_type(), torch::kFloat32);
    EXPECT_LT(relativeError(logits, expected), 0.05);
    EXPECT_GT(relativeError(logits, expected), 1e-4) << "this was float32";
    executor->setPrecision(Precision::Float32);
    EXPECT_LT(relativeError(executor->forward(images, /*training=*/false), expected), 1e-5);
}

/// bfloat16 keeps 8 bits, so one rounding is off by 2^-8 at most; over two convolutions a few of these come
/// together. (In deep networks ReLUs that flip make more of it.)
TEST(Executor, GradientsInBFloat16AreThoseOfRoundedValues) {
    graph::Graph graph("small");
    const auto convolution = [](std::int64_t in, std::int64_t stride) {
        return graph::Conv2d{.inChannels = in,
                             .outChannels = 16,
                             .kernel = {3, 3},
                             .stride = {stride, stride},
                             .padding = {1, 1},
                             .bias = true};
    };
    auto node = graph.add("conv1", convolution(3, 1), {graph.add("input", graph::Input{{3, 12, 12}})});
    node = graph.add("relu1", graph::Relu{}, {graph.add("bn1", graph::BatchNorm2d{.channels = 16}, {node})});
    auto branch = graph.add("conv2", convolution(16, 2), {node});
    branch = graph.add("bn2", graph::BatchNorm2d{.channels = 16}, {branch});
    node = graph.add("slice", graph::Slice{.stride = {2, 2}}, {node});
    node = graph.add("relu2", graph::Relu{}, {graph.add("add", graph::Add{}, {branch, node})});
    node = graph.add("flatten", graph::Flatten{}, {graph.add("pool", graph::GlobalAvgPool{}, {node})});
    graph.add("fc", graph::Linear{.inFeatures = 16, .outFeatures = 3}, {node});
    const auto exact = executorOf(graph);
    const auto rounded = executorOf(graph);
    rounded->setPrecision(Precision::BFloat16);
    const Tensor images = randomImages({32, 3, 12, 12});
    const Tensor labels = classLabels(32, 3);
    nn::functional::cross_entropy(exact->forward(images, true), labels).backward();
    nn::functional::cross_entropy(rounded->forward(images, true), labels).backward();
    const std::vector<TrainedParameter> expected = exact->parameters();
    const std::vector<TrainedParameter> parameters = rounded->parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        const Tensor& gradient = parameters[i].tensor.grad();
        ASSERT_EQ(gradient.scalar_type(), torch::kFloat32) << parameters[i].name;
        // A bias before a batch norm has none but rounding.
        if (parameters[i].kind == ParameterKind::Bias && parameters[i].node != "fc") continue;
        EXPECT_LT(relativeError(gradient, expected[i].tensor.grad()), 0.1) << parameters[i].name;
        EXPECT_GT(relativeError(gradient, expected[i].tensor.grad()), 0) << parameters[i].name;
    }
}

// --- parameters ---

TEST(Executor, ListsParametersWithTheirKinds) {
    const auto executor = executorOf(threeClassGraph());
    std::vector<std::string> listed;
    for (const TrainedParameter& parameter : executor->parameters()) {
        EXPECT_TRUE(parameter.tensor.is_leaf() && parameter.tensor.requires_grad()) << parameter.name;
        listed.push_back(parameter.name + " " + std::to_string(static_cast<int>(parameter.kind)));
    }
    EXPECT_THAT(listed, ::testing::ElementsAre("conv.weight 0", "conv.bias 1", "bn.weight 2", "bn.bias 2",
                                               "fc.weight 0", "fc.bias 1"));
    EXPECT_TRUE(executor->weight("conv").is_same(executor->parameters()[0].tensor));
    EXPECT_EQ(executor->graph().arch(), "small");
    EXPECT_TRUE(executor->device().is_cpu());
}

TEST(Executor, InitializesBySeed) {
    EXPECT_EQ(graph::hashState(executorOf(threeClassGraph(), 5)->state()),
              graph::hashState(executorOf(threeClassGraph(), 5)->state()));
    EXPECT_NE(graph::hashState(executorOf(threeClassGraph(), 5)->state()),
              graph::hashState(executorOf(threeClassGraph(), 6)->state()));
}

TEST(Executor, InitializesAsTorchvision) {
    const auto executor = executorOf("resnet20");
    const Tensor conv =
        executor->weight("layer3.1.conv1");  // 36,864 samples: deviation within 2 % at 5 sigma
    const double expected = std::sqrt(2.0 / (64 * 9));
    EXPECT_NEAR(conv.std().item<double>() / expected, 1.0, 0.02);
    EXPECT_NEAR(conv.mean().item<double>() / expected, 0.0, 0.03);
    EXPECT_LE(executor->weight("linear").abs().max().item<double>(), 0.125);
    EXPECT_GT(executor->weight("linear").abs().max().item<double>(), 0.12);
    const graph::StateDict state = executor->state();
    EXPECT_THAT(state.at("bn1.weight").toFloats(), ::testing::Each(1.0f));
    EXPECT_THAT(state.at("bn1.bias").toFloats(), ::testing::Each(0.0f));
    EXPECT_THAT(state.at("bn1.running_mean").toFloats(), ::testing::Each(0.0f));
    EXPECT_THAT(state.at("bn1.running_var").toFloats(), ::testing::Each(1.0f));
}

TEST(Executor, LoadsWhatItSaved) {
    const auto source = executorOf("resnet20");
    (void)source->forward(randomImages({2, 3, 32, 32}), /*training=*/true);
    const graph::StateDict state = source->state();
    EXPECT_EQ(state.at("bn1.num_batches_tracked").toFloats(), std::vector<float>{1.0f});
    const auto target = executorOf(source->graph(), 9);
    const std::vector<TrainedParameter> before = target->parameters();
    ASSERT_TRUE(target->load(state).ok());
    EXPECT_EQ(graph::hashState(target->state()), graph::hashState(state));
    EXPECT_TRUE(target->parameters()[0].tensor.is_same(before[0].tensor)) << "optimizers hold these tensors";
}

TEST(Executor, LoadsRowMajorValues) {
    const auto executor = executorOf(threeClassGraph());
    graph::StateDict state = executor->state();
    std::vector<float> values(4 * 3 * 3 * 3);
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<float>(i);
    state["conv.weight"] = graph::Tensor::fromFloats({4, 3, 3, 3}, values);
    ASSERT_TRUE(executor->load(state).ok());
    EXPECT_EQ(executor->weight("conv").index({2, 1, 0, 2}).item<float>(), 2 * 27 + 1 * 9 + 0 * 3 + 2);
    EXPECT_EQ(executor->state().at("conv.weight").toFloats(), values);
}

TEST(Executor, LoadsOtherTypesAndExtraTensors) {
    const auto executor = executorOf(threeClassGraph());
    graph::StateDict state = executor->state();
    state["fc.bias"] = graph::Tensor::fromInt64({3}, {1, -2, 3});
    state["optimizer.step"] = graph::Tensor::fromInt64({}, {4});
    state.erase("bn.num_batches_tracked");
    ASSERT_TRUE(executor->load(state).ok());
    EXPECT_EQ(executor->state().at("fc.bias").toFloats(), (std::vector<float>{1, -2, 3}));
    EXPECT_EQ(executor->state().at("bn.num_batches_tracked").toFloats(), std::vector<float>{0});
}

TEST(ExecutorErrors, NameMissingTensorsAndChangeNothing) {
    const auto executor = executorOf(threeClassGraph());
    const std::uint64_t before = graph::hashState(executor->state());
    graph::StateDict state = executorOf(threeClassGraph(), 9)->state();
    state.erase("conv.weight");
    state.erase("bn.running_var");
    const Status status = executor->load(state);
    ASSERT_FALSE(status.ok());
    EXPECT_THAT(status.error().message, AllOf(HasSubstr("small"), HasSubstr("lack 2"),
                                              HasSubstr("conv.weight"), HasSubstr("bn.running_var")));
    EXPECT_EQ(graph::hashState(executor->state()), before);
}

TEST(ExecutorErrors, NameWrongShapesAndChangeNothing) {
    const auto executor = executorOf(threeClassGraph());
    const std::uint64_t before = graph::hashState(executor->state());
    graph::StateDict state = executorOf(threeClassGraph(), 9)->state();
    state["fc.weight"].shape = {4, 3};
    const Status status = executor->load(state);
    ASSERT_FALSE(status.ok());
    EXPECT_THAT(status.error().message,
                AllOf(HasSubstr("'fc.weight'"), HasSubstr("[4, 3]"), HasSubstr("[3, 4]")));
    EXPECT_EQ(graph::hashState(executor->state()), before);
}

TEST(ExecutorErrors, NameAnImpossibleGraph) {
    graph::Graph graph("wrong");
    graph.add("bn", graph::BatchNorm2d{.channels = 4}, {graph.add("input", graph::Input{{3, 4, 4}})});
    const auto executor = Executor::create(std::move(graph), "cpu");
    ASSERT_FALSE(executor.ok());
    EXPECT_THAT(executor.error().message, HasSubstr("'bn'"));
}

TEST(ExecutorErrors, NameUnknownDevices) {
    for (const char* device : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:0x", "CPU"}) {
        const auto executor = Executor::create(threeClassGraph(), device);
        ASSERT_FALSE(executor.ok()) << device;
        EXPECT_EQ(executor.error().kind, ErrorKind::Usage) << device;
        EXPECT_THAT(executor.error().message, HasSubstr("use \"cpu\"")) << device;
    }
}

TEST(ExecutorErrors, NameTheRemedyForAnAbsentDevice) {
    const auto executor = Executor::create(threeClassGraph(), "cuda:127");
    ASSERT_FALSE(executor.ok());
    EXPECT_EQ(executor.error().kind, ErrorKind::NoDevice);
    EXPECT_THAT(executor.error().message, AllOf(HasSubstr("'cuda:127'"), HasSubstr("\"cpu\"")));
}

TEST(Executor, KnowsWhichDevicesAreHere) {
    EXPECT_TRUE(hasDevice("cpu"));
    EXPECT_FALSE(hasDevice("cuda:127"));
    EXPECT_EQ(hasDevice("cuda"), torch::cuda::device_count() > 0);
}

TEST(Executor, ComputesOnCudaAsOnCpu) {
    if (torch::cuda::device_count() == 0) GTEST_SKIP() << "no CUDA device, or a libtorch without CUDA";
    auto cuda = Executor::create(threeClassGraph(), "cuda");
    ASSERT_TRUE(cuda.ok()) << cuda.error().message;
    const auto cpu = executorOf(threeClassGraph());
    ASSERT_TRUE((*cuda)->load(cpu->state()).ok());
    const Tensor images = randomImages({5, 3, 6, 6});
    const Tensor expected = cpu->forward(images, /*training=*/true);
    const Tensor logits = (*cuda)->forward(images, /*training=*/true);
    EXPECT_TRUE(logits.is_cuda());
    EXPECT_LT(relativeError(logits.cpu(), expected), 1e-4);
}

// --- forward ---

TEST(Executor, UsesOverridesInPlaceOfWeights) {
    const auto executor = executorOf(threeClassGraph());
    const auto other = executorOf(threeClassGraph(), 2);
    const Tensor images = randomImages({5, 3, 6, 6});
    graph::StateDict state = executor->state();
    state["conv.weight"] = other->state().at("conv.weight");
    state["bn.weight"] = graph::Tensor::fromFloats({4}, {1, 2, 3, 4});
    const auto expected = executorOf(threeClassGraph());
    ASSERT_TRUE(expected->load(state).ok());

    const Tensor conv = other->weight("conv").detach().clone().requires_grad_();
    const Tensor norm = torch::tensor({1.0f, 2.0f, 3.0f, 4.0f}).requires_grad_();
    const Tensor logits = executor->forward(images, /*training=*/true, {{"conv", conv}, {"bn", norm}});
    const Tensor reference = expected->forward(images, /*training=*/true);
    EXPECT_TRUE(torch::equal(logits, reference));
    logits.square().sum().backward();
    reference.square().sum().backward();
    EXPECT_TRUE(torch::equal(conv.grad(), expected->weight("conv").grad()));
    EXPECT_TRUE(torch::equal(norm.grad(), expected->weight("bn").grad()));
    EXPECT_FALSE(executor->weight("conv").grad().defined());
    EXPECT_TRUE(executor->weight("fc").grad().defined());
}

TEST(Executor, RefusesOverridesOfUnknownNodes) {
    const auto executor = executorOf(threeClassGraph());
    EXPECT_THROW((void)executor->forward(randomImages({1, 3, 6, 6}), false, {{"conv9", torch::ones({1})}}),
                 c10::Error);
}

TEST(Executor, UpdatesStatisticsOnlyInTraining) {
    const auto executor = executorOf(threeClassGraph());
    const std::uint64_t before = graph::hashState(executor->state());
    (void)executor->forward(randomImages({5, 3, 6, 6}), /*training=*/false);
    EXPECT_EQ(graph::hashState(executor->state()), before);
    (void)executor->forward(randomImages({5, 3, 6, 6}), /*training=*/true);
    EXPECT_NE(graph::hashState(executor->state()), before);
}

TEST(Executor, AveragesStatisticsPlainly) {
    const auto executor = executorOf(threeClassGraph());
    (void)executor->forward(randomImages({5, 3, 6, 6}, 99), /*training=*/true);
    executor->beginStatistics();
    Tensor mean = torch::zeros({4}, torch::kFloat64);
    Tensor variance = torch::zeros({4}, torch::kFloat64);
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
        const Tensor images = randomImages({5, 3, 6, 6}, seed);
        (void)executor->forward(images, /*training=*/true);
        const graph::StateDict state = executor->state();
        std::vector<float> bias = state.at("conv.bias").toFloats();
        const Tensor values = torch::conv2d(images, executor->weight("conv"), torch::tensor(bias), 1, 1)
                                  .detach()
                                  .to(torch::kFloat64);
        mean += values.mean({0, 2, 3}) / 3;
        variance += values.var({0, 2, 3}, /*unbiased=*/true) / 3;
    }
    executor->endStatistics();
    const graph::StateDict state = executor->state();
    EXPECT_LT(relativeError(torch::tensor(state.at("bn.running_mean").toFloats()), mean), 1e-5);
    EXPECT_LT(relativeError(torch::tensor(state.at("bn.running_var").toFloats()), variance), 1e-5);
}

TEST(Executor, GivesTheSameBitsTwice) {
    const auto train = [] {
        const auto executor = executorOf("resnet20");
        std::vector<Tensor> tensors;
        for (const TrainedParameter& parameter : executor->parameters())
            tensors.push_back(parameter.tensor);
        torch::optim::SGD optimizer(tensors, torch::optim::SGDOptions(0.1).momentum(0.9));
        for (std::uint64_t step = 0; step < 2; ++step) {
            optimizer.zero_grad();
            const Tensor logits = executor->forward(randomImages({16, 3, 32, 32}, step), /*training=*/true);
            nn::functional::cross_entropy(logits, classLabels(16, 10)).backward();
            optimizer.step();
        }
        return graph::hashState(executor->state());
    };
    EXPECT_EQ(train(), train());
}

TEST(Executor, RunsEveryZooNetworkForwardAndBackward) {
    for (const std::string& arch : graph::zoo::modelNames()) {
        if (arch == "resnet34" || arch.starts_with("resnet44"))
            continue;  // deeper twins of others in the list
        const auto executor = executorOf(arch, {.classes = 5, .imageSize = 32});
        const Tensor logits = executor->forward(randomImages({2, 3, 32, 32}), /*training=*/true);
        ASSERT_EQ(logits.sizes().vec(), (std::vector<std::int64_t>{2, 5})) << arch;
        logits.square().sum().backward();
        for (const TrainedParameter& parameter : executor->parameters()) {
            ASSERT_TRUE(parameter.tensor.grad().defined()) << arch << " " << parameter.name;
        }
    }
}

}  // namespace
}  // namespace bitloom::train
