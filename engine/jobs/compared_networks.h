// The two networks that embedding and landscape set side by side: the full-precision weights from which a run
// started, and its quantized network. Blocking; call on a worker thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "engine/jobs/job_inputs.h"
#include "engine/jobs/run_checkpoint.h"
#include "engine/quant/registry.h"
#include "engine/report/progress_sink.h"
#include "engine/train/evaluation.h"

namespace bitloom::jobs {

struct ComparedNetworks {
    RecordedRun run;
    Datasets datasets;                ///< the test set alone
    graph::StateDict fullPrecision;   ///< as the run read them, or its random start
    quant::QuantizedModel quantized;  ///< hard, of the newest checkpoint
    train::EvaluationOptions scoring;

    /// An executor of the run's graph that holds `parameters`, on the device that the run was trained on or,
    /// where that is absent, the CPU, and rounds `activations`.
    [[nodiscard]] Result<std::unique_ptr<train::Executor>> executor(
        const graph::StateDict& parameters, const quant::ActivationMap& activations = {}) const;

    /// Whether `fullPrecision` was trained before this run.
    [[nodiscard]] bool pretrained() const { return !run.spec.model.weights.empty(); }

    [[nodiscard]] std::int64_t images() const;  ///< of the test set that are scored
};

/// `images`: the first so many of the test set, 0: all. Errors name the file and what helps: no checkpoint,
/// weights or images that are not where the run found them.
[[nodiscard]] Result<ComparedNetworks> openCompared(const std::filesystem::path& run, std::int64_t images,
                                                    report::ProgressSink& sink);

/// The latent weights of the newest checkpoint with the batch norm of `networks.quantized`, and the
/// quantizers that make its hard weights.
struct LatentNetwork {
    graph::StateDict parameters;
    quant::QuantizerMap quantizers;
};
[[nodiscard]] Result<LatentNetwork> latentNetwork(const ComparedNetworks& networks);

}  // namespace bitloom::jobs
