// Accuracy of a weight file, or of a run's final network, on a dataset.
#pragma once

#include <filesystem>
#include <string>

#include "engine/base/job_control.h"
#include "engine/base/result.h"
#include "engine/report/progress_sink.h"

namespace bitloom::jobs {

struct EvaluateRequest {
    std::string arch;               ///< empty: guessed from the weights
    std::filesystem::path weights;  ///< a weight file, an export of ours (dequantized on reading), or a run
    std::string data;               ///< data::openDataset, test split; empty: that of the run
    std::string normalize;          ///< empty: that of the run, "cifar10" for weights
    int batch = 500;
    int threads = 0;  ///< 0: all cores
    std::string device = "cpu";
    std::int64_t images = 0;  ///< 0: all
};

struct EvaluateResult {
    std::string arch;
    double top1 = 0;  ///< per cent
    double top5 = 0;
    double loss = 0;
    std::int64_t images = 0;
    double seconds = 0;
};

[[nodiscard]] Result<EvaluateResult> runEvaluateJob(EvaluateRequest request, report::ProgressSink& sink,
                                                    JobControl& control);

}  // namespace bitloom::jobs
