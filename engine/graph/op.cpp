// Names, descriptions and parameters of the operations. Pure functions, any thread.
#include "engine/graph/op.h"

#include <fmt/format.h>

namespace bitloom::graph {
namespace {

template <class... Functions>
struct Overloaded : Functions... {
    using Functions::operator()...;
};
template <class... Functions>  // C++20 needs no guide, clang 14 does
Overloaded(Functions...)->Overloaded<Functions...>;

/// "3x3 /2": a window and, where it moves by more than one, its stride.
std::string windowText(const Size2& kernel, const Size2& stride) {
    std::string text = fmt::format("{}x{}", kernel[0], kernel[1]);
    if (stride == Size2{1, 1}) return text;
    if (stride[0] == stride[1]) return text + fmt::format(" /{}", stride[0]);
    return text + fmt::format(" /{}x{}", stride[0], stride[1]);
}

std::string convText(const Conv2d& conv) {
    const bool depthwise = conv.groups > 1 && conv.groups == conv.inChannels;
    std::string text = (depthwise ? "depthwise conv " : "conv ") + windowText(conv.kernel, conv.stride);
    if (conv.dilation != Size2{1, 1}) {
        text += fmt::format(", dilation {}x{}", conv.dilation[0], conv.dilation[1]);
    }
    if (conv.groups > 1 && !depthwise) text += fmt::format(", {} groups", conv.groups);
    return text;
}

}  // namespace

const char* kindName(const Op& op) {
    return std::visit(Overloaded{
                          [](const Input&) { return "Input"; },
                          [](const Conv2d&) { return "Conv2d"; },
                          [](const BatchNorm2d&) { return "BatchNorm2d"; },
                          [](const Linear&) { return "Linear"; },
                          [](const Relu&) { return "Relu"; },
                          [](const Relu6&) { return "Relu6"; },
                          [](const HardSwish&) { return "HardSwish"; },
                          [](const HardSigmoid&) { return "HardSigmoid"; },
                          [](const Add&) { return "Add"; },
                          [](const Mul&) { return "Mul"; },
                          [](const Concat&) { return "Concat"; },
                          [](const MaxPool2d&) { return "MaxPool2d"; },
                          [](const AvgPool2d&) { return "AvgPool2d"; },
                          [](const GlobalAvgPool&) { return "GlobalAvgPool"; },
                          [](const Flatten&) { return "Flatten"; },
                          [](const Pad&) { return "Pad"; },
                          [](const Slice&) { return "Slice"; },
                          [](const Softmax&) { return "Softmax"; },
                      },
                      op);
}

std::string describe(const Op& op) {
    using Text = std::string;
    return std::visit(
        Overloaded{
            [](const Input& input) -> Text { return "input " + toText(input.shape); },
            [](const Conv2d& conv) -> Text { return convText(conv); },
            [](const BatchNorm2d&) -> Text { return "batch norm"; },
            [](const Linear&) -> Text { return "linear"; },
            [](const Relu&) -> Text { return "relu"; },
            [](const Relu6&) -> Text { return "relu6"; },
            [](const HardSwish&) -> Text { return "hard swish"; },
            [](const HardSigmoid&) -> Text { return "hard sigmoid"; },
            [](const Add&) -> Text { return "add"; },
            [](const Mul&) -> Text { return "multiply"; },
            [](const Concat&) -> Text { return "concatenate"; },
            [](const MaxPool2d& pool) -> Text { return "max pool " + windowText(pool.kernel, pool.stride); },
            [](const AvgPool2d& pool) -> Text {
                return "average pool " + windowText(pool.kernel, pool.stride);
            },
            [](const GlobalAvgPool&) -> Text { return "global average pool"; },
            [](const Flatten&) -> Text { return "flatten"; },
            [](const Pad& pad) -> Text {
                if (pad.before == Size2{0, 0} && pad.after == Size2{0, 0}) {
                    return fmt::format("pad channels {}+{}", pad.channelsBefore, pad.channelsAfter);
                }
                return "pad";
            },
            [](const Slice& slice) -> Text {
                return fmt::format("slice /{}x{}", slice.stride[0], slice.stride[1]);
            },
            [](const Softmax&) -> Text { return "softmax"; },
        },
        op);
}

std::vector<ParameterSpec> parametersOf(const Op& op) {
    if (const auto* conv = std::get_if<Conv2d>(&op)) {
        const Shape weight = {conv->outChannels, conv->inChannels / conv->groups, conv->kernel[0],
                              conv->kernel[1]};
        std::vector<ParameterSpec> specs = {{"weight", weight}};
        if (conv->bias) specs.push_back({"bias", {conv->outChannels}});
        return specs;
    }
    if (const auto* linear = std::get_if<Linear>(&op)) {
        std::vector<ParameterSpec> specs = {{"weight", {linear->outFeatures, linear->inFeatures}}};
        if (linear->bias) specs.push_back({"bias", {linear->outFeatures}});
        return specs;
    }
    if (const auto* norm = std::get_if<BatchNorm2d>(&op)) {
        return {{"weight", {norm->channels}},
                {"bias", {norm->channels}},
                {"running_mean", {norm->channels}, false},
                {"running_var", {norm->channels}, false},
                {"num_batches_tracked", {}, false}};
    }
    return {};
}

}  // namespace bitloom::graph
