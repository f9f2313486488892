// Compares a run's network on a device with the same network here and in libtorch: step by step on one image,
// and the classes of many. Blocking; call on a worker thread.
#pragma once

#include <filesystem>
#include <string>

#include "engine/base/job_control.h"
#include "engine/base/result.h"
#include "engine/jobs/deployment_options.h"
#include "engine/report/parity.h"
#include "engine/report/progress_sink.h"

namespace bitloom::jobs {

struct ParityRequest {
    std::filesystem::path run;
    std::string device = "host";   ///< "host" or an adb serial
    int threads = 1;               ///< on the device
    std::string isa;               ///< nothing stronger than this there; empty: all the device has
    std::int64_t images = 1000;    ///< of the run's test set, the first ones
    DeploymentOptions deployment;  ///< of k2
};

/// What is put on the device is gone afterwards, also after cancel and errors. A difference is no error: it
/// stands in the result. NoDevice where there is none of that name.
[[nodiscard]] Result<report::ParityResult> runParityJob(const ParityRequest& request,
                                                        report::ProgressSink& sink, JobControl& control);

}  // namespace bitloom::jobs
