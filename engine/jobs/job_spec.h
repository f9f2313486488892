// A job, whole: what a TOML file and `--set` say, with every default written out. Torch-free, for window and
// command line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/quant/options.h"
#include "engine/train/options.h"

namespace bitloom::jobs {

struct ModelSpec {
    std::string arch{};     ///< zoo name; empty: the network that fits the weights
    std::string weights{};  ///< path; empty: random initialisation
    int classes = 0;        ///< 0: the network's own
    std::string teacher{};  ///< path of what train.distillation follows; empty: what the run starts from
};

struct DataSpec {
    std::string source = "generated";  ///< data::openDataset
    int batch = 128;
    std::string normalize = "cifar10";  ///< data::normalizationByName
    bool augment = true;
    int threads = 1;  ///< loader threads
};

struct RecordSpec {
    int every = 10;  ///< steps between snapshots; first, last and evaluation steps are always kept
    int bins = 256;  ///< of histograms: 32, 64, 128 or 256
};

/// One of several trainings in a row, each from the weights that the one before ended with.
struct StageSpec {
    std::string name;
    quant::QuantizerOptions quantizer;
    train::TrainOptions train;  ///< seed, threads and device are the job's
};

struct JobSpec {
    ModelSpec model;
    DataSpec data;
    quant::QuantizerOptions quantizer;
    train::TrainOptions train;
    RecordSpec record;
    /// [[stage]]: what the job says is their common ground and not a training of its own. Empty: the job is
    /// its only stage.
    std::vector<StageSpec> stages;
};

/// The trainings of a job in order, each a job without stages; at least one.
[[nodiscard]] std::vector<JobSpec> stagesOf(const JobSpec& job);

/// Whether any of its trainings follows a teacher.
[[nodiscard]] bool distils(const JobSpec& job);

/// Equal in every key.
[[nodiscard]] bool operator==(const JobSpec& a, const JobSpec& b);

/// Parses TOML text after applying `overrides` ("quantizer.bits=2", of the second stage
/// "stage.2.quantizer.bits=2", values in TOML syntax, bare words taken as strings). Relative paths in the
/// text become absolute against `folder`, those in overrides against the current folder. `origin` names the
/// text in errors. Unknown keys are usage errors that name the nearest known key; wrong types and
/// out-of-range values name key, value and range.
[[nodiscard]] Result<JobSpec> parseJob(std::string_view toml, const std::string& origin,
                                       const std::filesystem::path& folder,
                                       std::span<const std::string> overrides = {});

[[nodiscard]] Result<JobSpec> readJob(const std::filesystem::path& path,
                                      std::span<const std::string> overrides = {});

/// Sets in `job` what train.recipe ("short" or "paper") decides for a layer of this method and so many
/// components; what the recipe leaves at its default is not touched.
void applyRecipe(const std::string& recipe, const quant::LayerOptions& layer, JobSpec& job);

/// Sets a layer's own options, or none, for the job and all its stages. Those of a method that learns bits
/// say where learning begins, and are left out of stages with strategy = "learned".
void setLayer(JobSpec& job, const std::string& layer, const std::optional<quant::LayerOptions>& options);

/// The layer's own options in the job or, where that has none, the first of its stages with any.
[[nodiscard]] std::optional<quant::LayerOptions> layerOf(const JobSpec& job, const std::string& layer);

/// The job as TOML with every key; parseJob(toToml(job)) == job.
[[nodiscard]] std::string toToml(const JobSpec& job);

/// What a person may write in a job, in order.
struct JobKeyHelp {
    std::string name;  ///< "train.epochs"
    std::string help;
    std::string expected;  ///< "an integer from 1 to 8"
    std::string standard;  ///< default in TOML syntax; empty where it depends on other keys
};
[[nodiscard]] std::vector<JobKeyHelp> jobKeys();

}  // namespace bitloom::jobs
