// The closed set of operations that a Graph may hold, each with typed attributes. Activations are NCHW.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "engine/graph/tensor.h"

namespace bitloom::graph {

using Size2 = std::array<std::int64_t, 2>;   ///< height, width

struct Input {
    Shape shape;                             ///< C, H, W of one image
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
};
struct BatchNorm2d {
    std::int64_t channels = 0;
    double epsilon = 1e-5;
    double momentum = 0.1;                   ///< PyTorch's meaning: weight of the new statistic
};
struct Linear {
    std::int64_t inFeatures = 0;
    std::int64_t outFeatures = 0;
    bool bias = true;
};
struct Relu {};
struct Relu6 {};
struct HardSwish {};
struct HardSigmoid {};
struct Add {};                               ///< two inputs of one shape
struct Mul {};                               ///< two inputs, the second may be [C, 1, 1]
struct Concat {};                            ///< along channels
struct MaxPool2d {
    Size2 kernel = {2, 2};
    Size2 stride = {2, 2};
    Size2 padding = {0, 0};
};
struct AvgPool2d {
    Size2 kernel = {2, 2};
    Size2 stride = {2, 2};
    Size2 padding = {0, 0};
};
struct GlobalAvgPool {};                     ///< [C, H, W] -> [C, 1, 1]
struct Flatten {};                           ///< [C, H, W] -> [C H W]
/// Zero padding of channels, then of rows and columns. Option-A shortcuts pad channels.
struct Pad {
    std::int64_t channelsBefore = 0;
    std::int64_t channelsAfter = 0;
    Size2 before = {0, 0};
    Size2 after = {0, 0};
};
struct Slice {
    Size2 stride = {1, 1};                   ///< keeps rows 0, s, 2s, ... and likewise columns
};
struct Softmax {};

using Op = std::variant<Input, Conv2d, BatchNorm2d, Linear, Relu, Relu6, HardSwish, HardSigmoid, Add, Mul, Concat, MaxPool2d,
                        AvgPool2d, GlobalAvgPool, Flatten, Pad, Slice, Softmax>;

/// "Conv2d", "BatchNorm2d", ...: the name in JSON and in messages.
[[nodiscard]] const char* kindName(const Op& op);

/// One line for a person: "conv 3x3 /2", "linear".
[[nodiscard]] std::string describe(const Op& op);

/// A named array that belongs to a node; its full name in a StateDict is "<node>.<name>".
struct ParameterSpec {
    std::string name;                        ///< "weight", "bias", "running_mean", "running_var", "num_batches_tracked"
    Shape shape;
    bool trainable = true;                   ///< false for batch-norm statistics
};

/// The parameters an op owns, in PyTorch's order and names.
[[nodiscard]] std::vector<ParameterSpec> parametersOf(const Op& op);

}  // namespace bitloom::graph
