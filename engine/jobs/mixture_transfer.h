// Sub-distribution transfer (dgms/README.md section 7): layers that start with the mixtures of a recorded run
// instead of k-means (quantizer.transfer). Which layer feeds which, what the run has for it, what is wrong
// with it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/graph/graph.h"
#include "engine/quant/options.h"
#include "engine/report/progress_sink.h"

namespace bitloom::jobs {

/// How the layer that feeds another was found, the first that applies.
enum class MatchRule {
    Name,   ///< both networks have the same convolutions and linear layers
    Shape,  ///< at the same relative position among the quantized layers of that weight shape
    Place   ///< at the same relative position among all quantized layers
};

struct ShapedLayer {
    std::string name;
    graph::Shape shape;  ///< of the weight
};

struct LayerMatch {
    std::size_t source = 0;  ///< index
    MatchRule rule = MatchRule::Shape;
};

/// For each of `targets` one of `sources`, by shape or else by place; both in network order, sources not
/// empty. Of n and m layers, the i-th takes the one that the middle of its n-th part falls into.
[[nodiscard]] std::vector<LayerMatch> matchLayers(const std::vector<ShapedLayer>& targets,
                                                  const std::vector<ShapedLayer>& sources);

struct MixtureTransfer {
    std::string layer;   ///< that starts with the mixture
    std::string source;  ///< layer of the run
    std::string run;     ///< its file
    MatchRule rule = MatchRule::Name;
};

/// Reads what the layers of `graph` that `options` quantizes are to start with from the newest checkpoint of
/// each run that they name, into options.starts. In network order. Errors name the file, the layer and a
/// remedy: no run or none with a checkpoint, a layer that is not quantized there, or not by one Gaussian
/// mixture, and a mixture of another size than the layer's.
[[nodiscard]] Result<std::vector<MixtureTransfer>> readTransfers(const graph::Graph& graph,
                                                                 quant::QuantizerOptions& options,
                                                                 report::ProgressSink& sink);

/// Says which layer feeds which where that is not by name, and by how much mixtures are scaled to `weights`
/// ("<node>.weight", those that training starts from).
void logTransfers(const std::vector<MixtureTransfer>& transfers, const quant::QuantizerOptions& options,
                  const graph::StateDict& weights, report::ProgressSink& sink);

/// What a run offers to one layer.
struct TransferOffer {
    std::string source;  ///< layer of the run
    int components = 0;
};

/// For whoever chooses a run before there is a job, without reading its checkpoint: `options` quantizes
/// `layer` of the network `arch` (a name of the zoo). Errors as readTransfers', but for the checkpoint and
/// the size.
[[nodiscard]] Result<TransferOffer> transferOffer(const std::filesystem::path& run, const std::string& arch,
                                                  const quant::QuantizerOptions& options,
                                                  const std::string& layer);

}  // namespace bitloom::jobs
