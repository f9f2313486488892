// A Graph as the window and the reports show it.
#pragma once

#include <map>
#include <string>

#include "engine/base/result.h"
#include "engine/graph/graph.h"
#include "engine/report/run.h"

namespace bitloom::jobs {

/// Components of each quantized layer, by node name.
using LayerComponents = std::map<std::string, int, std::less<>>;

/// Layers with weights in execution order, with counts; those in `quantized` have their bits.
[[nodiscard]] Result<report::NetworkInfo> networkInfo(const graph::Graph& graph,
                                                      const LayerComponents& quantized = {});

}  // namespace bitloom::jobs
