// What a network computes, from its definition: plain loops in double precision over the graph's nodes, with
// weights as deployed. Also the graphs and weights that the tests of qsimd share.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/qsimd/deployed_network.h"

namespace bitloom::testing {

/// Values of every node, [channels][height][width], by node name.
[[nodiscard]] std::map<std::string, std::vector<double>> referenceValues(const qsimd::DeployedNetwork& source,
                                                                         const std::vector<float>& image);

/// An image of the network's input shape, standard normal.
[[nodiscard]] std::vector<float> randomImage(const graph::Graph& graph, std::uint64_t seed);

/// Every operation that has a kernel, in odd sizes: strides, dilation, groups, depthwise, a 7x7 window, pools
/// with padding, concatenation, multiplication by one pixel, slices, pads, a linear layer over an image,
/// softmax.
[[nodiscard]] graph::Graph graphOfEverything();

/// randomNetwork, which must not fail.
[[nodiscard]] qsimd::DeployedNetwork sourceOf(const graph::Graph& graph, int components,
                                              std::uint64_t seed = 1);

/// A network of the zoo, which must not fail.
[[nodiscard]] graph::Graph zooGraph(const std::string& arch, std::int64_t imageSize = 0);

/// Codebooks one a channel instead of one a layer.
void makeFilterWise(qsimd::DeployedNetwork& source);

}  // namespace bitloom::testing
