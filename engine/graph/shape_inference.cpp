// Output shapes of every node, and with them the validity of every attribute: a graph that passes here can be
// executed. Limits keep products of extents far from overflow, so a graph from an untrusted file is safe to
// count.
#include <algorithm>
#include <cmath>
#include <span>

#include "engine/graph/graph.h"

namespace bitloom::graph {
namespace {

constexpr std::int64_t kMaxExtent = std::int64_t{1} << 24;    ///< of an attribute or a dimension
constexpr std::int64_t kMaxElements = std::int64_t{1} << 31;  ///< of an activation or a weight

using Inputs = std::span<const Shape* const>;

bool within(const Size2& size, std::int64_t low) {
    return std::all_of(size.begin(), size.end(),
                       [&](std::int64_t extent) { return extent >= low && extent <= kMaxExtent; });
}

bool within(std::int64_t value, std::int64_t low) {
    return value >= low && value <= kMaxExtent;
}

Status requireImage(const Shape& shape) {
    if (shape.size() == 3) return {};
    return fail("needs an input of shape [channels, height, width], got {}", toText(shape));
}

Status requireChannels(const Shape& shape, std::int64_t channels) {
    BITLOOM_RETURN_IF_ERROR(requireImage(shape));
    if (shape[0] == channels) return {};
    return fail("expects {} channels, its input has {}", channels, shape[0]);
}

/// Output height and width of a sliding window; both must be positive.
Result<Size2> slide(const Shape& input, const Size2& kernel, const Size2& stride, const Size2& padding,
                    const Size2& dilation = {1, 1}) {
    if (!within(kernel, 1) || !within(stride, 1) || !within(padding, 0) || !within(dilation, 1)) {
        return fail("has a kernel, stride, padding or dilation out of range");
    }
    Size2 output = {};
    for (std::size_t axis = 0; axis < 2; ++axis) {
        const std::int64_t room =
            input[axis + 1] + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1;
        if (room < 0) {
            return fail("its {}x{} window does not fit an input of shape {}; use larger images", kernel[0],
                        kernel[1], toText(input));
        }
        output[axis] = room / stride[axis] + 1;
    }
    return output;
}

Result<Shape> poolShape(const Shape& input, const Size2& kernel, const Size2& stride, const Size2& padding) {
    BITLOOM_RETURN_IF_ERROR(requireImage(input));
    if (padding[0] > kernel[0] / 2 || padding[1] > kernel[1] / 2) {
        return fail("pads by more than half its kernel");
    }
    BITLOOM_ASSIGN_OR_RETURN(const Size2 size, slide(input, kernel, stride, padding));
    return Shape{input[0], size[0], size[1]};
}

Result<Shape> outputShape(const Input& op, Inputs) {
    const bool valid =
        op.shape.size() == 3 &&
        std::all_of(op.shape.begin(), op.shape.end(), [](std::int64_t extent) { return within(extent, 1); });
    if (!valid) return fail("needs a shape of positive [channels, height, width], got {}", toText(op.shape));
    return op.shape;
}

Result<Shape> outputShape(const Conv2d& op, Inputs inputs) {
    if (!within(op.inChannels, 1) || !within(op.outChannels, 1) || !within(op.groups, 1)) {
        return fail("has channels or groups out of range");
    }
    if (op.inChannels % op.groups != 0 || op.outChannels % op.groups != 0) {
        return fail("has {} groups, which do not divide its {} and {} channels", op.groups, op.inChannels,
                    op.outChannels);
    }
    BITLOOM_RETURN_IF_ERROR(requireChannels(*inputs[0], op.inChannels));
    BITLOOM_ASSIGN_OR_RETURN(const Size2 size,
                             slide(*inputs[0], op.kernel, op.stride, op.padding, op.dilation));
    return Shape{op.outChannels, size[0], size[1]};
}

Result<Shape> outputShape(const BatchNorm2d& op, Inputs inputs) {
    BITLOOM_RETURN_IF_ERROR(requireChannels(*inputs[0], op.channels));
    if (!(op.epsilon >= 0 && std::isfinite(op.epsilon))) return fail("has an epsilon of {}", op.epsilon);
    if (!(op.momentum >= 0 && op.momentum <= 1))
        return fail("has a momentum of {}, not in [0, 1]", op.momentum);
    return *inputs[0];
}

Result<Shape> outputShape(const Linear& op, Inputs inputs) {
    if (!within(op.outFeatures, 1)) return fail("has {} output features", op.outFeatures);
    if (*inputs[0] != Shape{op.inFeatures}) {
        return fail("expects {} features, its input has shape {}", op.inFeatures, toText(*inputs[0]));
    }
    return Shape{op.outFeatures};
}

Result<Shape> outputShape(const Add&, Inputs inputs) {
    if (*inputs[0] == *inputs[1]) return *inputs[0];
    return fail("adds different shapes, {} and {}", toText(*inputs[0]), toText(*inputs[1]));
}

Result<Shape> outputShape(const Mul&, Inputs inputs) {
    const Shape& first = *inputs[0];
    const Shape& second = *inputs[1];
    if (first == second || (first.size() == 3 && second == Shape{first[0], 1, 1})) return first;
    return fail("multiplies shapes {} and {}; the second must be equal or [{}, 1, 1]", toText(first),
                toText(second), first[0]);
}

Result<Shape> outputShape(const Concat&, Inputs inputs) {
    Shape shape = *inputs[0];
    for (const Shape* input : inputs.subspan(1)) {
        if (input->size() != shape.size() ||
            !std::equal(shape.begin() + 1, shape.end(), input->begin() + 1)) {
            return fail("concatenates {} and {}, which differ beyond channels", toText(*inputs[0]),
                        toText(*input));
        }
        shape[0] += (*input)[0];
    }
    return shape;
}

Result<Shape> outputShape(const MaxPool2d& op, Inputs inputs) {
    return poolShape(*inputs[0], op.kernel, op.stride, op.padding);
}

Result<Shape> outputShape(const AvgPool2d& op, Inputs inputs) {
    return poolShape(*inputs[0], op.kernel, op.stride, op.padding);
}

Result<Shape> outputShape(const GlobalAvgPool&, Inputs inputs) {
    BITLOOM_RETURN_IF_ERROR(requireImage(*inputs[0]));
    return Shape{(*inputs[0])[0], 1, 1};
}

Result<Shape> outputShape(const Flatten&, Inputs inputs) {
    return Shape{elementCount(*inputs[0])};
}

Result<Shape> outputShape(const Pad& op, Inputs inputs) {
    BITLOOM_RETURN_IF_ERROR(requireImage(*inputs[0]));
    if (!within(op.channelsBefore, 0) || !within(op.channelsAfter, 0) || !within(op.before, 0) ||
        !within(op.after, 0)) {
        return fail("has padding out of range");
    }
    const Shape& input = *inputs[0];
    return Shape{input[0] + op.channelsBefore + op.channelsAfter, input[1] + op.before[0] + op.after[0],
                 input[2] + op.before[1] + op.after[1]};
}

Result<Shape> outputShape(const Slice& op, Inputs inputs) {
    BITLOOM_RETURN_IF_ERROR(requireImage(*inputs[0]));
    if (!within(op.stride, 1)) return fail("has a stride out of range");
    const Shape& input = *inputs[0];
    return Shape{input[0], (input[1] - 1) / op.stride[0] + 1, (input[2] - 1) / op.stride[1] + 1};
}

/// Relu, Relu6, HardSwish, HardSigmoid, Softmax.
template <class Elementwise>
Result<Shape> outputShape(const Elementwise&, Inputs inputs) {
    return *inputs[0];
}

Status checkSizes(const Op& op, const Shape& output) {
    const bool extents =
        std::all_of(output.begin(), output.end(), [](std::int64_t extent) { return extent <= kMaxExtent; });
    if (!extents || elementCount(output) > kMaxElements) {
        return fail("makes an activation of shape {}, more than {} elements", toText(output), kMaxElements);
    }
    for (const ParameterSpec& spec : parametersOf(op)) {
        if (elementCount(spec.shape) > kMaxElements) {
            return fail("has a {} of shape {}, more than {} elements", spec.name, toText(spec.shape),
                        kMaxElements);
        }
    }
    return {};
}

}  // namespace

Result<std::vector<Shape>> inferShapes(const Graph& graph) {
    if (graph.nodes().empty()) return fail("graph '{}' has no nodes", graph.arch());
    std::vector<Shape> shapes;
    shapes.reserve(graph.nodes().size());
    for (const Node& node : graph.nodes()) {
        std::vector<const Shape*> inputs;
        for (const NodeId input : node.inputs)
            inputs.push_back(&shapes[static_cast<std::size_t>(input.value)]);
        Result<Shape> shape = std::visit([&](const auto& op) { return outputShape(op, inputs); }, node.op);
        Status valid = shape.ok() ? checkSizes(node.op, *shape) : Status(shape.error());
        if (!valid) return fail("node '{}' ({}) {}", node.name, kindName(node.op), valid.error().message);
        shapes.push_back(std::move(shape).value());
    }
    return shapes;
}

}  // namespace bitloom::graph
