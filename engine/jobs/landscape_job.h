// The loss around the weights of a run's networks along two random directions (Li et al., "Visualizing the
// loss landscape of neural nets", NeurIPS 2018): the full-precision weights that it started from, and its
// quantized network. Blocking; call on a worker thread.
//
// Directions are Gaussian, normalised filter by filter, and the same for both networks but for the norms;
// batch norm (its statistics too) and biases stay. Full precision: theta + alpha d1 + beta d2. Quantized:
// what moves are the latent weights, and at each point every quantized layer takes its hard weights anew,
// each weight the component that it then belongs to, while the components stay. So the picture shows the loss
// of networks that could be deployed, as training saw it; moving the deployed weights themselves would leave
// the codebook with the first step and show a full-precision landscape around another centre. Methods without
// latent weights (RDHS, SGT) leave nothing else to move: there it is the deployed weights.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "engine/base/job_control.h"
#include "engine/base/result.h"
#include "engine/report/landscape.h"
#include "engine/report/progress_sink.h"

namespace bitloom::jobs {

struct LandscapeRequest {
    static constexpr int kMostSize = 201;

    std::filesystem::path run;   ///< with its checkpoints beside it
    std::int64_t images = 1000;  ///< of the test set, the first ones; 0: all
    int size = 31;               ///< points along each direction; odd, 3 to kMostSize
    double range = 1;            ///< alpha and beta from -range to range, > 0
    std::uint64_t seed = 0;      ///< of the directions
    int threads = 0;             ///< 0: all cores
};

/// After each point of the grid, that of both networks; on the job's thread.
using LandscapeSoFar = std::function<void(const report::Landscape&)>;

/// Deterministic by seed and number of threads. Errors name the run or file and what helps: no checkpoint,
/// weights or images gone. Cancelled within one batch of images.
[[nodiscard]] Result<report::Landscape> runLandscapeJob(const LandscapeRequest& request,
                                                        report::ProgressSink& sink, JobControl& control,
                                                        const LandscapeSoFar& soFar = {});

/// The points of a size x size grid, row * size + column, each once: the middle, then coarse to fine, so that
/// a part of them shows the whole roughly.
[[nodiscard]] std::vector<int> refinementOrder(int size);

}  // namespace bitloom::jobs
