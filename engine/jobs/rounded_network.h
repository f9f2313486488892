// The network that a run is exported as: deployed, its activations rounded. Blocking; call on a worker
// thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/job_control.h"
#include "engine/jobs/run_checkpoint.h"
#include "engine/report/progress_sink.h"

namespace bitloom::jobs {

/// deployedNetwork() of `run`, read from `path`, with activations as its job says; where that leaves it to
/// the end of a run that was stopped before, it is done now. `overrides` ("activation.bits=4", as in a job)
/// round them anew, by method "ptq" unless they name another one; they need the run's training set. Usage
/// errors: a key of another section, activations that were trained with the network, or would have to be.
[[nodiscard]] Result<quant::QuantizedModel> roundedNetwork(const RecordedRun& run,
                                                           const std::filesystem::path& path,
                                                           const std::vector<std::string>& overrides,
                                                           report::ProgressSink& sink, JobControl& control);

}  // namespace bitloom::jobs
