// What a job starts from: the network, its weights, the datasets. Everything a person can get wrong in
// [model] and [data] is an error here.
#pragma once

#include <memory>
#include <optional>

#include "engine/checkpoint/checkpoint.h"
#include "engine/data/dataset.h"
#include "engine/graph/graph.h"
#include "engine/graph/zoo/zoo.h"
#include "engine/jobs/job_spec.h"
#include "engine/quant/quantized_model.h"
#include "engine/train/trainer.h"

namespace bitloom::jobs {

struct Datasets {
    std::unique_ptr<data::Dataset> train;
    std::unique_ptr<data::Dataset> test;
    data::Normalization normalization;
};

/// `imageSize`: edge of the images where the source can resize them, 0: its own.
[[nodiscard]] Result<Datasets> openDatasets(const DataSpec& spec, int imageSize);

/// The same without the training set: `train` stays null.
[[nodiscard]] Result<Datasets> openTestSet(const DataSpec& spec, int imageSize);

/// What a trainer reads; `datasets` must outlive it.
[[nodiscard]] train::TrainerData trainerData(const Datasets& datasets, const DataSpec& spec);

struct Network {
    graph::Graph graph{""};
    graph::StateDict state;              ///< all parameters, or empty: random initialisation
    quant::ActivationMap activations{};  ///< of a packed network that rounds them
};

/// Edge of the square images that a network takes.
[[nodiscard]] int imageSizeOf(const graph::Graph& graph);

/// A packed network in `checkpoint` as this program exports it, read from `path`; nothing when it holds plain
/// weights.
[[nodiscard]] Result<std::optional<quant::QuantizedModel>> packedNetwork(
    const checkpoint::Checkpoint& checkpoint, const std::filesystem::path& path);

/// A network that is named but not yet built: its images' size and number of classes come from the dataset.
class NetworkSource {
  public:
    /// Reads spec.weights: plain weights or an export. An empty spec.arch is guessed from them.
    [[nodiscard]] static Result<NetworkSource> open(const ModelSpec& spec);
    explicit NetworkSource(quant::QuantizedModel packed) : m_packed(std::move(packed)) {}

    [[nodiscard]] const std::string& arch() const { return m_packed ? m_packed->graph.arch() : m_spec.arch; }

    /// The images' edge the network was made for.
    [[nodiscard]] Result<int> imageSize() const;

    /// How many classes the weights tell apart; without weights, the network's usual number.
    [[nodiscard]] Result<std::int64_t> classes() const;
    /// As ModelSpec::classes.
    void setClasses(int classes) { m_spec.classes = classes; }

    /// Fits the network to `images`: their size, and their classes where neither job nor weights decide that.
    /// An error when the weights do not fit the network or the network has fewer outputs than `images`
    /// classes; `source` names them.
    [[nodiscard]] Result<Network> build(const data::Dataset& images, const std::string& source) const;

  private:
    NetworkSource() = default;
    [[nodiscard]] Result<Network> fitWeights(graph::zoo::ModelOptions options,
                                             std::int64_t datasetClasses) const;

    ModelSpec m_spec;  ///< arch filled in
    std::optional<checkpoint::Checkpoint> m_weights;
    std::optional<quant::QuantizedModel> m_packed;
};

struct JobInputs {
    Network network;
    Datasets datasets;
};

/// Network and datasets of a job, sized to each other.
[[nodiscard]] Result<JobInputs> loadInputs(const JobSpec& spec);

}  // namespace bitloom::jobs
