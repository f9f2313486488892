#include "tests/qsimd/reference_network.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "engine/base/random.h"
#include "engine/graph/zoo/zoo.h"

namespace bitloom::testing {
namespace {

using graph::Shape;
using Values = std::vector<double>;

/// Three extents of an activation; features stand as channels of one pixel.
struct Extent {
    std::int64_t channels;
    std::int64_t height;
    std::int64_t width;
};
Extent extentOf(const Shape& shape) {
    return shape.size() == 3 ? Extent{shape[0], shape[1], shape[2]} : Extent{shape[0], 1, 1};
}

class Reference {
  public:
    Reference(const qsimd::DeployedNetwork& source, const std::vector<float>& image)
        : m_source(source), m_shapes(graph::inferShapes(source.graph).value()) {
        for (std::size_t i = 0; i < source.graph.nodes().size(); ++i) {
            const graph::Node& node = source.graph.nodes()[i];
            m_node = &node;
            m_to = extentOf(m_shapes[i]);
            if (!node.inputs.empty()) {
                m_input = &m_values[static_cast<std::size_t>(node.inputs[0].value)];
                m_from = extentOf(m_shapes[static_cast<std::size_t>(node.inputs[0].value)]);
            }
            Values values = std::holds_alternative<graph::Input>(node.op)
                                ? Values(image.begin(), image.end())
                                : std::visit([this](const auto& op) { return compute(op); }, node.op);
            m_values.push_back(std::move(values));
        }
    }

    std::map<std::string, Values> take() {
        std::map<std::string, Values> all;
        for (std::size_t i = 0; i < m_values.size(); ++i)
            all.emplace(m_source.graph.nodes()[i].name, std::move(m_values[i]));
        return all;
    }

  private:
    [[nodiscard]] double input(std::int64_t c, std::int64_t y, std::int64_t x) const {
        if (y < 0 || x < 0 || y >= m_from.height || x >= m_from.width) return 0;
        return (*m_input)[static_cast<std::size_t>((c * m_from.height + y) * m_from.width + x)];
    }
    [[nodiscard]] Values parameter(const std::string& name) const {
        const auto found = m_source.rest.find(m_node->name + "." + name);
        if (found == m_source.rest.end()) return {};
        const std::vector<float> floats = found->second.toFloats();
        return {floats.begin(), floats.end()};
    }
    [[nodiscard]] Values weights() const {
        const auto found = m_source.quantized.find(m_node->name);
        if (found == m_source.quantized.end()) return parameter("weight");
        const qsimd::CodebookWeights& codebook = found->second;
        const auto components = static_cast<std::size_t>(codebook.components);
        const std::size_t perBook = codebook.indices.size() / (codebook.codebook.size() / components);
        Values values;
        for (std::size_t i = 0; i < codebook.indices.size(); ++i)
            values.push_back(codebook.codebook[i / perBook * components + codebook.indices[i]]);
        return values;
    }
    template <class Compute>
    Values forEach(const Compute& compute) const {
        Values values;
        for (std::int64_t c = 0; c < m_to.channels; ++c) {
            for (std::int64_t y = 0; y < m_to.height; ++y) {
                for (std::int64_t x = 0; x < m_to.width; ++x)
                    values.push_back(compute(c, y, x));
            }
        }
        return values;
    }
    template <class Compute>
    Values map(const Compute& compute) const {
        Values values = *m_input;
        for (double& value : values)
            value = compute(value);
        return values;
    }
    [[nodiscard]] const Values& second() const {
        return m_values[static_cast<std::size_t>(m_node->inputs[1].value)];
    }

    Values compute(const graph::Input&) { return {}; }
    Values compute(const graph::Conv2d& op) {
        const Values w = weights();
        const Values bias = parameter("bias");
        const std::int64_t inputs = op.inChannels / op.groups;
        return forEach([&](std::int64_t o, std::int64_t y, std::int64_t x) {
            double sum = bias.empty() ? 0 : bias[static_cast<std::size_t>(o)];
            const std::int64_t first = o / (op.outChannels / op.groups) * inputs;
            for (std::int64_t c = 0; c < inputs; ++c) {
                for (std::int64_t ky = 0; ky < op.kernel[0]; ++ky) {
                    for (std::int64_t kx = 0; kx < op.kernel[1]; ++kx) {
                        const std::int64_t at = ((o * inputs + c) * op.kernel[0] + ky) * op.kernel[1] + kx;
                        sum += w[static_cast<std::size_t>(at)] *
                               input(first + c, y * op.stride[0] - op.padding[0] + ky * op.dilation[0],
                                     x * op.stride[1] - op.padding[1] + kx * op.dilation[1]);
                    }
                }
            }
            return sum;
        });
    }
    Values compute(const graph::Linear& op) {
        const Values w = weights();
        Values values = parameter("bias");
        values.resize(static_cast<std::size_t>(op.outFeatures));
        for (std::size_t o = 0; o < values.size(); ++o) {
            for (std::size_t i = 0; i < m_input->size(); ++i)
                values[o] += w[o * m_input->size() + i] * (*m_input)[i];
        }
        return values;
    }
    Values compute(const graph::BatchNorm2d& op) {
        const Values weight = parameter("weight");
        const Values bias = parameter("bias");
        const Values mean = parameter("running_mean");
        const Values variance = parameter("running_var");
        return forEach([&](std::int64_t c, std::int64_t y, std::int64_t x) {
            const auto i = static_cast<std::size_t>(c);
            return (input(c, y, x) - mean[i]) / std::sqrt(variance[i] + op.epsilon) * weight[i] + bias[i];
        });
    }
    static double relu6(double v) { return std::clamp(v, 0.0, 6.0); }
    Values compute(const graph::Relu&) {
        return map([](double v) { return std::max(v, 0.0); });
    }
    Values compute(const graph::Relu6&) { return map(relu6); }
    Values compute(const graph::HardSwish&) {
        return map([](double v) { return v * relu6(v + 3) / 6; });
    }
    Values compute(const graph::HardSigmoid&) {
        return map([](double v) { return relu6(v + 3) / 6; });
    }
    Values compute(const graph::Add&) {
        Values values = *m_input;
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] += second()[i];
        return values;
    }
    Values compute(const graph::Mul&) {
        const bool onePixel = second().size() == static_cast<std::size_t>(m_to.channels);
        const std::int64_t pixels = m_to.height * m_to.width;
        return forEach([&](std::int64_t c, std::int64_t y, std::int64_t x) {
            const std::int64_t at = c * pixels + y * m_to.width + x;
            return input(c, y, x) * second()[static_cast<std::size_t>(onePixel ? c : at)];
        });
    }
    Values compute(const graph::Concat&) {
        Values values;
        for (const graph::NodeId id : m_node->inputs) {
            const Values& part = m_values[static_cast<std::size_t>(id.value)];
            values.insert(values.end(), part.begin(), part.end());
        }
        return values;
    }
    template <class Pool>
    Values pool(const Pool& op, bool maximum) const {
        return forEach([&](std::int64_t c, std::int64_t y, std::int64_t x) {
            double best = -std::numeric_limits<double>::infinity();
            double sum = 0;
            for (std::int64_t ky = 0; ky < op.kernel[0]; ++ky) {
                for (std::int64_t kx = 0; kx < op.kernel[1]; ++kx) {
                    const std::int64_t iy = y * op.stride[0] - op.padding[0] + ky;
                    const std::int64_t ix = x * op.stride[1] - op.padding[1] + kx;
                    sum += input(c, iy, ix);
                    if (iy >= 0 && ix >= 0 && iy < m_from.height && ix < m_from.width)
                        best = std::max(best, input(c, iy, ix));
                }
            }
            return maximum ? best : sum / static_cast<double>(op.kernel[0] * op.kernel[1]);
        });
    }
    Values compute(const graph::MaxPool2d& op) { return pool(op, true); }
    Values compute(const graph::AvgPool2d& op) { return pool(op, false); }
    Values compute(const graph::GlobalAvgPool&) {
        return pool(graph::AvgPool2d{{m_from.height, m_from.width}, {1, 1}, {0, 0}}, false);
    }
    Values compute(const graph::Flatten&) { return *m_input; }
    Values compute(const graph::Pad& op) {
        return forEach([&](std::int64_t c, std::int64_t y, std::int64_t x) {
            const std::int64_t from = c - op.channelsBefore;
            return from < 0 || from >= m_from.channels ? 0 : input(from, y - op.before[0], x - op.before[1]);
        });
    }
    Values compute(const graph::Slice& op) {
        return forEach([&](std::int64_t c, std::int64_t y, std::int64_t x) {
            return input(c, y * op.stride[0], x * op.stride[1]);
        });
    }
    Values compute(const graph::Softmax&) {
        const double largest = *std::ranges::max_element(*m_input);
        Values values = map([&](double v) { return std::exp(v - largest); });
        double sum = 0;
        for (const double value : values)
            sum += value;
        for (double& value : values)
            value /= sum;
        return values;
    }

    const qsimd::DeployedNetwork& m_source;
    std::vector<Shape> m_shapes;
    std::vector<Values> m_values;
    const graph::Node* m_node = nullptr;
    const Values* m_input = nullptr;
    Extent m_from{};
    Extent m_to{};
};

}  // namespace

std::map<std::string, std::vector<double>> referenceValues(const qsimd::DeployedNetwork& source,
                                                           const std::vector<float>& image) {
    return Reference(source, image).take();
}

std::vector<float> randomImage(const graph::Graph& graph, std::uint64_t seed) {
    Random random({seed, 77});
    std::vector<float> image(static_cast<std::size_t>(graph::elementCount(graph.inputShape())));
    for (float& value : image)
        value = static_cast<float>(random.normal());
    return image;
}

graph::Graph graphOfEverything() {
    using namespace graph;
    Graph g("everything");
    const auto conv = [&](const std::string& name, NodeId input, Conv2d op) {
        return g.add(name, op, {input});
    };
    const auto norm = [&](const std::string& name, NodeId input, std::int64_t channels) {
        return g.add(name, BatchNorm2d{.channels = channels}, {input});
    };
    NodeId x = g.add("input", Input{{3, 19, 23}});
    x = conv("stem", x,
             {.inChannels = 3,
              .outChannels = 8,
              .kernel = {7, 7},
              .stride = {2, 2},
              .padding = {3, 3},
              .bias = true});
    x = g.add("stem.relu6", Relu6{}, {x});
    NodeId y = conv("depthwise", x,
                    {.inChannels = 8, .outChannels = 8, .kernel = {3, 3}, .padding = {1, 1}, .groups = 8});
    y = g.add("depthwise.swish", HardSwish{}, {norm("depthwise.norm", y, 8)});
    NodeId z = conv("grouped", y,
                    {.inChannels = 8,
                     .outChannels = 12,
                     .kernel = {3, 3},
                     .padding = {2, 2},
                     .dilation = {2, 2},
                     .groups = 2});
    z = g.add("grouped.relu", Relu{}, {norm("grouped.norm", z, 12)});
    NodeId wide = conv("wide", x, {.inChannels = 8, .outChannels = 12, .kernel = {1, 3}, .padding = {0, 1}});
    wide = g.add("sum", Add{}, {norm("wide.norm", wide, 12), z});
    wide = g.add("sum.relu", Relu{}, {wide});
    NodeId gate = g.add("gate.pool", GlobalAvgPool{}, {wide});
    gate = g.add("gate.sigmoid", HardSigmoid{},
                 {conv("gate", gate, {.inChannels = 12, .outChannels = 12, .bias = true})});
    NodeId gated = g.add("gated", Mul{}, {wide, gate});
    gated = g.add("gated.pool", MaxPool2d{{3, 3}, {2, 2}, {1, 1}}, {gated});
    NodeId side = g.add("side.pool", AvgPool2d{{3, 3}, {2, 2}, {1, 1}}, {x});
    NodeId all = g.add("all", Concat{}, {gated, side});
    NodeId cut = g.add("cut", Slice{.stride = {2, 2}}, {all});
    NodeId main =
        conv("main", all,
             {.inChannels = 20, .outChannels = 24, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}});
    NodeId padded = g.add("padded", Pad{.channelsBefore = 2, .channelsAfter = 2}, {cut});
    main = g.add("main.sum", Add{}, {norm("main.norm", main, 24), padded});
    main = g.add("main.relu", Relu{}, {main});
    main = conv("last", main, {.inChannels = 24, .outChannels = 5, .kernel = {1, 1}});
    main = g.add("flat", Flatten{}, {main});
    const std::int64_t features = graph::elementCount(graph::inferShapes(g).value().back());
    main = g.add("linear", Linear{.inFeatures = features, .outFeatures = 10}, {main});
    g.add("softmax", Softmax{}, {main});
    return g;
}

qsimd::DeployedNetwork sourceOf(const graph::Graph& graph, int components, std::uint64_t seed) {
    auto source = qsimd::randomNetwork(graph, components, seed);
    EXPECT_TRUE(source.ok()) << (source.ok() ? "" : source.error().message);
    return std::move(*source);
}

graph::Graph zooGraph(const std::string& arch, std::int64_t imageSize) {
    graph::zoo::ModelOptions options;
    if (imageSize > 0) options.imageSize = imageSize;
    auto graph = graph::zoo::makeModel(arch, options);
    EXPECT_TRUE(graph.ok()) << (graph.ok() ? "" : graph.error().message);
    return std::move(*graph);
}

void makeFilterWise(qsimd::DeployedNetwork& source) {
    for (auto& [name, weights] : source.quantized) {
        const auto node = source.graph.find(name);
        const auto outputs = std::get<graph::Conv2d>(source.graph.node(*node).op).outChannels;
        std::vector<float> books;
        for (std::int64_t o = 0; o < outputs; ++o) {
            for (const float value : weights.codebook)
                books.push_back(value * (0.5F + 0.125F * static_cast<float>(o % 5)));
        }
        weights.codebook = std::move(books);
    }
}

}  // namespace bitloom::testing
