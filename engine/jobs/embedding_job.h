// Test images of a run as points in the plane, by t-SNE of what its networks compute before the last linear
// layer: the full-precision weights that it started from, and its quantized network. Blocking; call on a
// worker thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "engine/base/job_control.h"
#include "engine/base/result.h"
#include "engine/report/embedding.h"
#include "engine/report/progress_sink.h"

namespace bitloom::jobs {

struct EmbeddingRequest {
    std::filesystem::path run;   ///< with its checkpoints beside it
    std::int64_t images = 2000;  ///< of the test set, the first ones; 0: all
    double perplexity = 30;      ///< at most a third of the images
    int iterations = 1000;       ///< of each layout
    std::uint64_t seed = 0;      ///< of the first layout's start
    int threads = 0;             ///< 0: all cores; changes no bit of a layout
};

/// The layouts as they form, every so many iterations; on the job's thread.
using EmbeddingSoFar = std::function<void(const report::Embedding&)>;

/// The quantized network's layout starts from that of full precision, scaled down to a random start's size:
/// what means the same then lies in the same place in both, but nothing is held apart that the quantized
/// features do not separate. A run without weights is compared with its random start. Errors name the run or
/// file and what helps: no checkpoint, weights or images gone, too few images for the perplexity, features
/// that are not finite.
[[nodiscard]] Result<report::Embedding> runEmbeddingJob(const EmbeddingRequest& request,
                                                        report::ProgressSink& sink, JobControl& control,
                                                        const EmbeddingSoFar& soFar = {});

}  // namespace bitloom::jobs
