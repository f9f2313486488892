// Every op kind against libtorch's own operation in double precision: output, gradient of the images and of
// every parameter. Graphs with shared activations check that nothing is overwritten that is still needed.
#include <functional>

#include <gtest/gtest.h>

#include "engine/train/executor.h"

namespace bitloom::train {
namespace {

using graph::Graph;
using graph::NodeId;
using torch::Tensor;

using Parameters = std::map<std::string, Tensor, std::less<>>;  ///< double leaves, by full name
using Reference = std::function<Tensor(const Tensor& images, const Parameters& parameters)>;

/// Compares a training and an evaluation pass of `graph` with `reference` on `batch` random images.
void expectMatches(const Graph& graph, const Reference& training, const Reference& evaluation,
                   std::int64_t batch = 3) {
    auto executor = Executor::create(graph, "cpu").value();
    executor->initialize(3);
    for (const bool isTraining : {true, false}) {
        torch::manual_seed(11);
        const graph::Shape& shape = graph.inputShape();
        Tensor images = torch::randn({batch, shape[0], shape[1], shape[2]});
        Tensor wide = images.to(torch::kFloat64).requires_grad_();
        images.requires_grad_();
        Parameters parameters;
        for (const TrainedParameter& parameter : executor->parameters()) {
            parameter.tensor.mutable_grad() = Tensor();
            // Away from the initial ones and zeros, whose gradients hide mistakes.
            const torch::NoGradGuard guard;
            if (parameter.tensor.dim() == 1) parameter.tensor.add_(torch::randn_like(parameter.tensor), 0.3);
            parameters[parameter.name] = parameter.tensor.detach().to(torch::kFloat64).requires_grad_();
        }
        const Tensor before = images.detach().clone();
        const Tensor output = executor->forward(images, isTraining);
        const Tensor expected = (isTraining ? training : evaluation)(wide, parameters);
        ASSERT_EQ(output.sizes(), expected.sizes());
        EXPECT_TRUE(torch::allclose(output.to(torch::kFloat64), expected, 1e-5, 1e-5))
            << "training " << isTraining;
        EXPECT_TRUE(torch::equal(images, before)) << "the input was overwritten";
        const Tensor seed = torch::randn_like(expected);
        output.backward(seed.to(torch::kFloat32));
        expected.backward(seed);
        EXPECT_TRUE(torch::allclose(images.grad().to(torch::kFloat64), wide.grad(), 1e-4, 1e-5))
            << "training " << isTraining;
        for (const TrainedParameter& parameter : executor->parameters()) {
            EXPECT_TRUE(torch::allclose(parameter.tensor.grad().to(torch::kFloat64),
                                        parameters.at(parameter.name).grad(), 1e-4, 1e-4))
                << parameter.name << ", training " << isTraining;
        }
    }
}

void expectMatches(const Graph& graph, const Reference& reference) {
    expectMatches(graph, reference, reference);
}

/// input -> op
Graph graphOf(const graph::Op& op, const graph::Shape& shape = {4, 6, 8}) {
    Graph graph("probe");
    graph.add("op", op, {graph.add("input", graph::Input{shape})});
    return graph;
}

TEST(ExecutorOps, Conv2d) {
    const graph::Conv2d op{.inChannels = 4,
                           .outChannels = 6,
                           .kernel = {3, 2},
                           .stride = {2, 1},
                           .padding = {1, 0},
                           .dilation = {1, 2},
                           .groups = 2,
                           .bias = true};
    expectMatches(graphOf(op), [](const Tensor& x, const Parameters& p) {
        return torch::conv2d(x, p.at("op.weight"), p.at("op.bias"), {2, 1}, {1, 0}, {1, 2}, 2);
    });
}

TEST(ExecutorOps, PointwiseAndDepthwiseConv2d) {
    expectMatches(graphOf(graph::Conv2d{.inChannels = 4, .outChannels = 3}),
                  [](const Tensor& x, const Parameters& p) { return torch::conv2d(x, p.at("op.weight")); });
    const graph::Conv2d depthwise{.inChannels = 4, .outChannels = 4, .kernel = {3, 3}, .groups = 4};
    expectMatches(graphOf(depthwise), [](const Tensor& x, const Parameters& p) {
        return torch::conv2d(x, p.at("op.weight"), Tensor(), {1, 1}, at::IntArrayRef{0, 0}, {1, 1}, 4);
    });
}

Reference referenceNorm(bool training, double epsilon) {
    return [=](const Tensor& x, const Parameters& p) {
        // The executor's statistics after the one training pass of expectMatches, momentum 1.
        torch::manual_seed(11);
        const Tensor first = torch::randn(x.sizes()).to(torch::kFloat64);
        Tensor mean = first.mean({0, 2, 3});
        Tensor variance = first.var({0, 2, 3}, true);
        return torch::batch_norm(x, p.at("op.weight"), p.at("op.bias"), mean, variance, training, 0.0,
                                 epsilon, false);
    };
}

TEST(ExecutorOps, BatchNorm2d) {
    const graph::BatchNorm2d op{.channels = 4, .epsilon = 0.01, .momentum = 1};
    expectMatches(graphOf(op), referenceNorm(true, 0.01), referenceNorm(false, 0.01));
}

TEST(ExecutorOps, Linear) {
    Graph graph("probe");
    const NodeId flat = graph.add("flatten", graph::Flatten{}, {graph.add("input", graph::Input{{2, 3, 4}})});
    graph.add("op", graph::Linear{.inFeatures = 24, .outFeatures = 5}, {flat});
    expectMatches(graph, [](const Tensor& x, const Parameters& p) {
        return torch::linear(x.flatten(1), p.at("op.weight"), p.at("op.bias"));
    });
    Graph plain("probe");
    const NodeId features =
        plain.add("flatten", graph::Flatten{}, {plain.add("input", graph::Input{{2, 3, 4}})});
    plain.add("op", graph::Linear{.inFeatures = 24, .outFeatures = 5, .bias = false}, {features});
    expectMatches(plain, [](const Tensor& x, const Parameters& p) {
        return torch::linear(x.flatten(1), p.at("op.weight"));
    });
}

TEST(ExecutorOps, Activations) {
    const auto check = [](const graph::Op& op, Tensor (*function)(const Tensor&)) {
        expectMatches(graphOf(op), [=](const Tensor& x, const Parameters&) { return function(x); });
    };
    check(graph::Relu{}, torch::relu);
    check(graph::Relu6{}, [](const Tensor& x) { return torch::clamp(x, 0, 6); });
    check(graph::HardSwish{}, [](const Tensor& x) { return x * torch::clamp(x + 3, 0, 6) / 6; });
    check(graph::HardSigmoid{}, [](const Tensor& x) { return torch::clamp(x + 3, 0, 6) / 6; });
    check(graph::Softmax{}, [](const Tensor& x) { return torch::softmax(x, 1); });
}

TEST(ExecutorOps, Pools) {
    expectMatches(graphOf(graph::MaxPool2d{{3, 2}, {2, 1}, {1, 0}}), [](const Tensor& x, const Parameters&) {
        return torch::max_pool2d(x, {3, 2}, {2, 1}, {1, 0});
    });
    expectMatches(graphOf(graph::AvgPool2d{{3, 2}, {2, 1}, {1, 0}}), [](const Tensor& x, const Parameters&) {
        return torch::avg_pool2d(x, {3, 2}, {2, 1}, {1, 0}, false, /*count_include_pad=*/true);
    });
    expectMatches(graphOf(graph::GlobalAvgPool{}), [](const Tensor& x, const Parameters&) {
        return x.mean({2, 3}, /*keepdim=*/true);
    });
}

TEST(ExecutorOps, Reshaping) {
    expectMatches(graphOf(graph::Flatten{}), [](const Tensor& x, const Parameters&) { return x.flatten(1); });
    expectMatches(graphOf(graph::Pad{1, 2, {3, 4}, {5, 6}}), [](const Tensor& x, const Parameters&) {
        return torch::constant_pad_nd(x, {4, 6, 3, 5, 1, 2});
    });
    expectMatches(graphOf(graph::Slice{{2, 3}}), [](const Tensor& x, const Parameters&) {
        using torch::indexing::None;
        using torch::indexing::Slice;
        return x.index({Slice(), Slice(), Slice(None, None, 2), Slice(None, None, 3)});
    });
}

TEST(ExecutorOps, Joins) {
    const auto join = [](const graph::Op& op) {
        Graph graph("probe");
        const NodeId input = graph.add("input", graph::Input{{4, 6, 8}});
        const NodeId relu = graph.add("relu", graph::Relu{}, {input});
        graph.add("op", op, {input, relu});
        return graph;
    };
    expectMatches(join(graph::Add{}), [](const Tensor& x, const Parameters&) { return x + torch::relu(x); });
    expectMatches(join(graph::Mul{}), [](const Tensor& x, const Parameters&) { return x * torch::relu(x); });
    expectMatches(join(graph::Concat{}), [](const Tensor& x, const Parameters&) {
        return torch::cat({x, torch::relu(x)}, 1);
    });
}

TEST(ExecutorOps, MulWithOneFactorPerChannel) {
    Graph graph("probe");
    const NodeId input = graph.add("input", graph::Input{{4, 6, 8}});
    graph.add("op", graph::Mul{}, {input, graph.add("pool", graph::GlobalAvgPool{}, {input})});
    expectMatches(graph, [](const Tensor& x, const Parameters&) { return x * x.mean({2, 3}, true); });
}

Tensor normalized(const Tensor& x, const Parameters& p, const std::string& name) {
    return torch::batch_norm(x, p.at(name + ".weight"), p.at(name + ".bias"), {}, {}, true, 0.0, 1e-5, false);
}

/// Batch norms whose outputs feed ReLUs and additions in every arrangement, many of them twice.
Graph tangledGraph(std::int64_t channels) {
    Graph graph("tangled");
    const graph::BatchNorm2d op{.channels = channels};
    const NodeId input = graph.add("input", graph::Input{{channels, 6, 8}});
    const NodeId a = graph.add("a", op, {input});
    const NodeId b = graph.add("b", op, {input});
    const NodeId reluA = graph.add("reluA", graph::Relu{}, {a});
    const NodeId sum1 = graph.add("sum1", graph::Add{}, {reluA, b});
    const NodeId relu1 = graph.add("relu1", graph::Relu{}, {sum1});
    const NodeId sum2 = graph.add("sum2", graph::Add{}, {sum1, a});
    const NodeId relu2 = graph.add("relu2", graph::Relu{}, {sum2});
    const NodeId sum3 = graph.add("sum3", graph::Add{}, {relu2, relu1});
    const NodeId c = graph.add("c", op, {sum3});
    const NodeId relu3 = graph.add("relu3", graph::Relu{}, {c});
    const NodeId d = graph.add("d", op, {relu3});
    const NodeId sum4 = graph.add("sum4", graph::Add{}, {d, relu3});
    const NodeId relu4 = graph.add("relu4", graph::Relu{}, {sum4});
    const NodeId e = graph.add("e", op, {relu4});
    const NodeId f = graph.add("f", op, {relu4});
    const NodeId sum5 = graph.add("sum5", graph::Add{}, {e, f});
    const NodeId relu5 = graph.add("relu5", graph::Relu{}, {sum5});
    const NodeId g = graph.add("g", op, {relu5});
    graph.add("sum6", graph::Add{}, {g, g});
    return graph;
}

class TangledGraph : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(TangledGraph, KeepsSharedActivations) {
    const std::int64_t channels = GetParam();
    auto executor = Executor::create(tangledGraph(channels), "cpu").value();
    executor->initialize(3);
    torch::manual_seed(5);
    Parameters p;
    for (const TrainedParameter& parameter : executor->parameters()) {
        const torch::NoGradGuard guard;
        parameter.tensor.add_(torch::randn_like(parameter.tensor), 0.3);
        p[parameter.name] = parameter.tensor.detach().to(torch::kFloat64).requires_grad_();
    }
    Tensor images = torch::randn({5, channels, 6, 8}).requires_grad_();
    Tensor x = images.detach().to(torch::kFloat64).requires_grad_();
    const Tensor a = normalized(x, p, "a");
    const Tensor sum1 = torch::relu(a) + normalized(x, p, "b");
    const Tensor sum3 = torch::relu(sum1 + a) + torch::relu(sum1);
    const Tensor relu3 = torch::relu(normalized(sum3, p, "c"));
    const Tensor relu4 = torch::relu(normalized(relu3, p, "d") + relu3);
    const Tensor relu5 = torch::relu(normalized(relu4, p, "e") + normalized(relu4, p, "f"));
    const Tensor expected = 2 * normalized(relu5, p, "g");
    const Tensor output = executor->forward(images, /*training=*/true);
    EXPECT_TRUE(torch::allclose(output.to(torch::kFloat64), expected, 1e-4, 1e-4));
    const Tensor seed = torch::randn_like(expected);
    output.backward(seed.to(torch::kFloat32));
    expected.backward(seed);
    EXPECT_TRUE(torch::allclose(images.grad().to(torch::kFloat64), x.grad(), 1e-3, 1e-3));
    for (const TrainedParameter& parameter : executor->parameters()) {
        EXPECT_TRUE(torch::allclose(parameter.tensor.grad().to(torch::kFloat64), p.at(parameter.name).grad(),
                                    1e-3, 1e-3))
            << parameter.name;
    }
}

// 16 channels take the fused batch norm, 4 do not.
INSTANTIATE_TEST_SUITE_P(Channels, TangledGraph, ::testing::Values(4, 16));

}  // namespace
}  // namespace bitloom::train
