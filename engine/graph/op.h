// The closed set of operations that a Graph may hold, each with typed attributes. Activations are NCHW.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "engine/graph/tensor.h"

namespace bitloom::graph {

using Size2 = std::array<std::int64_t, 2>;  ///< height, width

struct Input {
    Shape shape;  ///< C, H, W of one image
    bool operator==(const Input&) const = default;
};
struct Conv2d {
    std::int64_t inChannels = 0;
    std::int64_t outChannels = 0;
    Size2 kernel = {1, 1};
    Size2 stride = {1, 1};
    Size2 padding = {0, 0};
    Size2 dilation = {1, 1};
    std::int64_t groups = 1;
    bool bias = false;
    bool operator==(const Conv2d&) const = default;
};
struct BatchNorm2d {
    std::int64_t channels = 0;
    double epsilon = 1e-5;
    double momentum = 0.1;  ///< PyTorch's meaning: weight of the new statistic
    bool operator==(const BatchNorm2d&) const = default;
};
struct Linear {
    std::int64_t inFeatures = 0;
    std::int64_t outFeatures = 0;
    bool bias = true;
    bool operator==(const Linear&) const = default;
};
struct Relu {
    bool operator==(const Relu&) const = default;
};
struct Relu6 {
    bool operator==(const Relu6&) const = default;
};
/// x relu6(x + 3) / 6
struct HardSwish {
    bool operator==(const HardSwish&) const = default;
};
/// relu6(x + 3) / 6
struct HardSigmoid {
    bool operator==(const HardSigmoid&) const = default;
};
/// Two inputs of one shape.
struct Add {
    bool operator==(const Add&) const = default;
};
/// Two inputs; the second may be [C, 1, 1].
struct Mul {
    bool operator==(const Mul&) const = default;
};
/// Along channels; height and width agree.
struct Concat {
    bool operator==(const Concat&) const = default;
};
/// Output extent floor((in + 2 padding - kernel) / stride) + 1; padding at most half the kernel.
struct MaxPool2d {
    Size2 kernel = {2, 2};
    Size2 stride = {2, 2};
    Size2 padding = {0, 0};
    bool operator==(const MaxPool2d&) const = default;
};
/// As MaxPool2d; padded zeros count in the average.
struct AvgPool2d {
    Size2 kernel = {2, 2};
    Size2 stride = {2, 2};
    Size2 padding = {0, 0};
    bool operator==(const AvgPool2d&) const = default;
};
/// [C, H, W] -> [C, 1, 1]
struct GlobalAvgPool {
    bool operator==(const GlobalAvgPool&) const = default;
};
/// [C, H, W] -> [C H W], in that order.
struct Flatten {
    bool operator==(const Flatten&) const = default;
};
/// Zero padding of channels, then of rows and columns. Option-A shortcuts pad channels.
struct Pad {
    std::int64_t channelsBefore = 0;
    std::int64_t channelsAfter = 0;
    Size2 before = {0, 0};
    Size2 after = {0, 0};
    bool operator==(const Pad&) const = default;
};
struct Slice {
    Size2 stride = {1, 1};  ///< keeps rows 0, s, 2s, ... and likewise columns
    bool operator==(const Slice&) const = default;
};
/// Over features or channels: the first dimension of one image's activation.
struct Softmax {
    bool operator==(const Softmax&) const = default;
};

using Op = std::variant<Input, Conv2d, BatchNorm2d, Linear, Relu, Relu6, HardSwish, HardSigmoid, Add, Mul,
                        Concat, MaxPool2d, AvgPool2d, GlobalAvgPool, Flatten, Pad, Slice, Softmax>;

/// "Conv2d", "BatchNorm2d", ...: the name in JSON and in messages.
[[nodiscard]] const char* kindName(const Op& op);

/// One line for a person: "conv 3x3 /2", "linear".
[[nodiscard]] std::string describe(const Op& op);

/// A named array that belongs to a node; its full name in a StateDict is "<node>.<name>".
struct ParameterSpec {
    std::string name;  ///< "weight", "bias", "running_mean", "running_var", "num_batches_tracked"
    Shape shape;
    bool trainable = true;  ///< false for batch-norm statistics
};

/// The parameters an op owns, in PyTorch's order and names.
[[nodiscard]] std::vector<ParameterSpec> parametersOf(const Op& op);

}  // namespace bitloom::graph
