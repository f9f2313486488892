// Builders of the network families behind makeModel(). Private to the zoo. Each returns a graph whose shapes
// may still be impossible for a small image; makeModel() checks.
#pragma once

#include <string>

#include "engine/graph/graph.h"
#include "engine/graph/zoo/zoo.h"

namespace bitloom::graph::zoo {

/// ResNet of 6 blocksPerStage + 2 layers on 16, 32 and 64 channels.
[[nodiscard]] Graph makeCifarResNet(std::string arch, int blocksPerStage, Shortcut shortcut,
                                    const ModelOptions& options);

enum class Block { Basic, Bottleneck };

/// ResNet with the 7x7 stem and four stages of 64, 128, 256 and 512 (Bottleneck: four times that) channels.
[[nodiscard]] Graph makeImageNetResNet(std::string arch, Block block, const std::array<int, 4>& blocks,
                                       const ModelOptions& options);

/// The image size must be at least 8.
[[nodiscard]] Graph makeVggSmall(std::string arch, const ModelOptions& options);

}  // namespace bitloom::graph::zoo
