// A bitwidth strategy: how many bits each layer of a network takes, as a small TOML file that a person can
// edit and another job can follow (quantizer.strategy).
//
//   network = "resnet20"
//   [bits]
//   "layer1.0.conv1" = 5
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "engine/base/result.h"
#include "engine/graph/graph.h"
#include "engine/jobs/job_spec.h"
#include "engine/quant/options.h"
#include "engine/quant/quantized_model.h"

namespace bitloom::jobs {

struct Strategy {
    std::string network;              ///< zoo name
    std::map<std::string, int> bits;  ///< 1 to 8, by node name
};

/// The bits of the quantized layers of `model` that are inside the average, rounded up to whole ones.
[[nodiscard]] Strategy strategyOf(const quant::QuantizedModel& model);

/// With the mean over weights as a comment.
[[nodiscard]] std::string toToml(const Strategy& strategy, const quant::QuantizedModel& model);

/// Errors name file, line and key.
[[nodiscard]] Result<Strategy> readStrategy(const std::filesystem::path& path);

/// Puts the bits into options.layers, with the method of options.layer, where the job says nothing of a
/// layer; options.strategy is then empty. A strategy of another network or of a layer that `graph` lacks is a
/// usage error that names `origin`.
[[nodiscard]] Status applyStrategy(const Strategy& strategy, const std::string& origin,
                                   const graph::Graph& graph, quant::QuantizerOptions& options);

/// Does so with every strategy of the job and its stages that is a file. What a run's own job holds.
[[nodiscard]] Status applyStrategies(JobSpec& job, const graph::Graph& graph);

}  // namespace bitloom::jobs
