// Times a network on a device: every way to compute it that the device can run, in turns, layer by layer.
// Blocking; call on a worker thread.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "engine/base/job_control.h"
#include "engine/base/result.h"
#include "engine/jobs/deployment_options.h"
#include "engine/report/bench.h"
#include "engine/report/progress_sink.h"

namespace bitloom::jobs {

struct BenchRequest {
    std::filesystem::path run;    ///< a run file; or
    std::string arch;             ///< a zoo network with random weights
    int bits = 4;                 ///< of random weights, 1 to 8
    std::string device = "host";  ///< "host" or an adb serial
    int threads = 1;
    /// To pin threads to; empty: the fastest of those that this program may use, a physical core each where
    /// there are as many. Those of an emulated device are never pinned to.
    std::vector<int> cores;
    std::string isa;                    ///< nothing stronger than this; empty: all the device has
    int repeat = 50;                    ///< samples of each family
    int copies = 1;                     ///< networks used in turns, so that weights come from memory
    std::vector<std::string> families;  ///< empty: all
    DeploymentOptions deployment;       ///< of k2
};

/// "naive_fp32", "tuned_fp32", "paper_codebook", "k0", "k2".
[[nodiscard]] std::vector<std::string> benchFamilies();

/// What is known after a few samples, and again as there are more; on the job's thread.
using BenchSoFar = std::function<void(const report::BenchResult&)>;

/// What is put on the device is gone afterwards, also after cancel and errors. NoDevice where there is none
/// of that name; errors of the runner carry its last words.
[[nodiscard]] Result<report::BenchResult> runBenchJob(const BenchRequest& request, report::ProgressSink& sink,
                                                      JobControl& control, const BenchSoFar& soFar = {});

}  // namespace bitloom::jobs
