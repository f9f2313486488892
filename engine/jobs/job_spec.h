// A job, whole: what a TOML file and `--set` say, with every default written out. Torch-free, for window and command line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "engine/base/result.h"
#include "engine/quant/options.h"
#include "engine/train/options.h"

namespace bitloom::jobs {

struct ModelSpec {
    std::string arch;                   ///< zoo name; empty: the network that fits the weights
    std::string weights;                ///< path; empty: random initialisation
    int classes = 0;                    ///< 0: the network's own
};

struct DataSpec {
    std::string source = "generated";   ///< data::openDataset
    int batch = 128;
    std::string normalize = "cifar10";  ///< data::normalizationByName
    bool augment = true;
    int threads = 1;                    ///< loader threads
};

struct RecordSpec {
    int every = 10;                     ///< steps between snapshots; first, last and evaluation steps are always kept
    int bins = 256;
};

struct JobSpec {
    ModelSpec model;
    DataSpec data;
    quant::QuantizerOptions quantizer;
    train::TrainOptions train;
    RecordSpec record;
};

/// Parses TOML text after applying `overrides` ("quantizer.bits=2", values in TOML syntax, bare words taken as strings).
/// Relative paths in the job stay relative to `folder`. `origin` names the text in errors. Unknown keys are usage errors that name
/// the nearest known key; wrong types and out-of-range values name key, value and range.
[[nodiscard]] Result<JobSpec> parseJob(std::string_view toml, const std::string& origin, const std::filesystem::path& folder,
                                       std::span<const std::string> overrides = {});

[[nodiscard]] Result<JobSpec> readJob(const std::filesystem::path& path, std::span<const std::string> overrides = {});

/// The job as TOML with every key; parseJob(toToml(job)) == job.
[[nodiscard]] std::string toToml(const JobSpec& job);

}  // namespace bitloom::jobs
