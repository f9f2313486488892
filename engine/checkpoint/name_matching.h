// Fitting a file's tensors to a network: never a bare exception, always a report. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/checkpoint/checkpoint.h"
#include "engine/graph/graph.h"

namespace bitloom::checkpoint {

struct Match {
    std::string parameter;  ///< "<node>.<name>" of the graph
    std::string key;        ///< in the file
};

struct Mismatch {
    std::string parameter;
    std::string key;
    graph::Shape expected;
    graph::Shape found;
};

struct MappingReport {
    std::vector<Match> matched;
    /// Parameters of the graph that the file lacks; num_batches_tracked is never missing.
    std::vector<std::string> missing;
    std::vector<std::string> unexpected;  ///< keys of the file that the graph lacks
    std::vector<Match> reshaped;          ///< equal shapes but for extents of 1: loaded, and said so
    std::vector<Mismatch> mismatched;     ///< same name, other shape: not loaded
    std::string strippedPrefix;           ///< "module.", "state_dict.", "state_dict.module.", ...
    [[nodiscard]] bool complete() const { return missing.empty() && mismatched.empty(); }
    /// Complete, and the file has no further layers beside the matched ones: a ResNet-56 completes a
    /// ResNet-20, but is another network. Optimizer states and other containers of the file do not count.
    [[nodiscard]] bool fits() const;
    [[nodiscard]] std::string toText() const;  ///< several lines for a person, safe on a terminal
};

struct MappedWeights {
    graph::StateDict state;  ///< keyed by the graph's parameter names, float32 (num_batches_tracked int64)
    MappingReport report;
};

/// Matches by name after stripping the container prefix shared by the keys ("state_dict.", "model.",
/// "module.", "net.", combinations). Integer and half tensors convert to float32. A tensor with NaN or
/// infinity is an error that names it and its position. A file of another architecture is not an error here:
/// callers look at fits().
[[nodiscard]] Result<MappedWeights> mapWeights(const graph::Graph& graph, const Checkpoint& checkpoint);

/// How many classes the file's weights tell apart where it is a `graph` but for their number: the rows of the
/// weight of the last linear layer; nothing where the file has none.
[[nodiscard]] std::optional<std::int64_t> classesInFile(const graph::Graph& graph,
                                                        const Checkpoint& checkpoint);

/// The zoo network that fits the file completely, "" when none does. The number of classes is the file's own.
[[nodiscard]] std::string guessArchitecture(const Checkpoint& checkpoint);

}  // namespace bitloom::checkpoint
