// How a trainer's state is laid out as named tensors: a small file tree of its parts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/graph/tensor.h"
#include "engine/report/run.h"

namespace bitloom::train {

inline constexpr const char* kModelPart = "model/";          ///< "model/<node>.<parameter>"
inline constexpr const char* kOptimizerPart = "optimizer/";  ///< "optimizer/<group>/<name>": momentum
inline constexpr const char* kScoredPart =
    "scored/";  ///< batch-norm statistics of the last scored hard network
inline constexpr const char* kRangePart =
    "range/";  ///< histogram range of full-precision layers, float64 [2]
/// Of each quantized layer inside the average, float64 [1]; those outside keep what the job gives them.
inline constexpr const char* kComponentsPart = "components/";
inline constexpr const char* kQuantizerPart = "quantizer/";    ///< "quantizer/<node>/<name>"
inline constexpr const char* kActivationPart = "activation/";  ///< "activation/<node>": step and zero point
[[nodiscard]] inline std::string quantizerPart(const std::string& node) {
    return kQuantizerPart + node + "/";
}

inline constexpr const char* kTrainerPart = "trainer/";     ///< what the loop itself remembers
inline constexpr const char* kLossName = "trainer/loss";    ///< of the last step, float64 [1]
inline constexpr const char* kStageName = "trainer/stage";  ///< StageSpan::stage, float64 [1]

/// Moves every tensor of `part` into `state` under `prefix`; equal names are replaced.
void addPart(graph::StateDict& state, const std::string& prefix, graph::StateDict&& part);

/// The tensors whose names start with `prefix`, without it.
[[nodiscard]] graph::StateDict partOf(const graph::StateDict& state, std::string_view prefix);

[[nodiscard]] graph::Tensor fromDoubles(const std::vector<double>& values);
/// A float64 vector's values; empty for another dtype.
[[nodiscard]] std::vector<double> toDoubles(const graph::Tensor& tensor);

/// The stage that a trainer's state is of; 0 where it does not say.
[[nodiscard]] int stageOf(const graph::StateDict& state);

/// The row of the last evaluation, float64 tensor "trainer/evaluation". Absent reads as a row of step -1.
void writeEvaluation(graph::StateDict& state, const report::MetricSample& row);
[[nodiscard]] report::MetricSample readEvaluation(const graph::StateDict& state);

}  // namespace bitloom::train
