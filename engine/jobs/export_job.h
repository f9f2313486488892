// Writes a run's quantized network to a file, or to a folder that builds its runner, reads it back, compares,
// and states the real bytes.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/job_control.h"
#include "engine/base/result.h"
#include "engine/jobs/deployment_options.h"
#include "engine/report/progress_sink.h"

namespace bitloom::jobs {

struct ExportRequest {
    std::filesystem::path run;
    std::string to;  ///< "safetensors", "hdf5" or "bundle"
    std::filesystem::path out;
    bool validate = true;                ///< run the re-read network on the run's test set
    std::vector<std::string> overrides;  ///< of the run's [activation]: roundedNetwork()
    DeploymentOptions deployment;        ///< of a bundle
    std::string command;                 ///< that repeats the export, for the bundle's README
};

struct ExportResult {
    std::string path;
    std::string format;
    std::int64_t bytes = 0;      ///< of the file on disk; of a bundle, of its model file
    std::int64_t fp32Bytes = 0;  ///< of the same network in float32
    double compression = 0;      ///< fp32Bytes / bytes
    bool identical = false;  ///< re-read indices, codebooks and leftovers equal what was written, bit for bit
    std::string checked;     ///< in words, where `identical` means more: of a bundle
    double top1Run = 0;      ///< hard top-1 the run recorded, per cent
    double top1File = 0;     ///< of the re-read file, per cent; NaN when not validated
};

[[nodiscard]] std::vector<std::string> exportFormats();

[[nodiscard]] Result<ExportResult> runExportJob(const ExportRequest& request, report::ProgressSink& sink,
                                                JobControl& control);

}  // namespace bitloom::jobs
