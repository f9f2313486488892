// The networks Bitloom knows by name. Node names are the module paths of the public PyTorch definitions, so
// that their checkpoints load as they are: akamaster/pytorch_resnet_cifar10 for the CIFAR ResNets,
// torchvision for ResNet-18/34/50.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/graph/graph.h"

namespace bitloom::graph::zoo {

/// Shortcut of a CIFAR ResNet where the shape changes. A: stride-2 slice and zero padding of channels, no
/// parameters. B: 1x1 convolution and batch norm ("shortcut.0", "shortcut.1"). He et al. 2016, section 4.2.
enum class Shortcut { A, B };

struct ModelOptions {
    std::int64_t classes = 0;    ///< 0: the network's own (10 for CIFAR, 1000 for ImageNet)
    std::int64_t imageSize = 0;  ///< 0: the network's own (32 or 224); square images
};

/// Known names: resnet20 resnet32 resnet44 resnet56 (option A), the same with "-b" (option B), vgg-small,
/// resnet18 resnet34 resnet50. An unknown name is a usage error that names the nearest.
[[nodiscard]] Result<Graph> makeModel(std::string_view arch, const ModelOptions& options = {});

[[nodiscard]] std::span<const std::string> modelNames();

}  // namespace bitloom::graph::zoo
