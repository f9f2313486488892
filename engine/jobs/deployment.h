// From a run to what qsimd lowers: the deployed network, images to calibrate on, and the accuracy of a
// lowered network on this machine. Blocking; call on a worker thread.
#pragma once

#include <string>
#include <vector>

#include "engine/base/job_control.h"
#include "engine/jobs/deployment_options.h"
#include "engine/jobs/job_inputs.h"
#include "engine/jobs/run_checkpoint.h"
#include "engine/qsimd/lower.h"
#include "engine/qsimd/runtime/network.h"
#include "engine/report/progress_sink.h"

namespace bitloom::jobs {

/// Every member that the network or its accuracy needs.
struct Deployment {
    qsimd::DeployedNetwork network;
    qsimd::LoweringOptions lowering;         ///< contracts and activations
    std::vector<std::vector<float>> images;  ///< that it was calibrated on, normalised
    // Of a run: what these came from, and its test set.
    DataSpec data;
    Datasets datasets;
};

struct LabelledImages {
    std::vector<std::vector<float>> images;  ///< normalised, [channels][height][width]
    std::vector<int> labels;
};

/// The first `count` images of `dataset`, or all.
[[nodiscard]] Result<LabelledImages> firstImages(const data::Dataset& dataset, const DataSpec& spec,
                                                 const data::Normalization& normalization,
                                                 std::int64_t count);

[[nodiscard]] qsimd::DeployedNetwork toDeployed(const quant::QuantizedModel& model);

/// The contracts of `options` for the layers of `graph`; usage errors name an unknown contract or layer.
[[nodiscard]] Result<qsimd::LoweringOptions> loweringOptions(const graph::Graph& graph,
                                                             const DeploymentOptions& options);

/// Usage errors as loweringOptions(); other errors are those of reading and calibrating.
[[nodiscard]] Result<Deployment> deploy(const quant::QuantizedModel& model, const DataSpec& data,
                                        const DeploymentOptions& options, report::ProgressSink& sink,
                                        JobControl& control);

/// Top-1 in per cent of `model` on the first `count` images of the run's test set (0: all), computed by the
/// runtime that bundles carry. Cancelled when `control` stops.
[[nodiscard]] Result<double> runtimeTop1(const qsimd::Model& model, const Datasets& datasets,
                                         const DataSpec& data, std::int64_t count, report::ProgressSink& sink,
                                         JobControl& control);

}  // namespace bitloom::jobs
