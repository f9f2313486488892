#include "engine/jobs/job_inputs.h"

#include "engine/base/text.h"
#include "engine/checkpoint/name_matching.h"
#include "engine/export/packed_layer.h"
#include "engine/export/quantized_hdf5.h"
#include "engine/export/quantized_safetensors.h"

namespace bitloom::jobs {
namespace {

std::string knownNetworks() {
    return joinNames(graph::zoo::modelNames(), 20);
}

Status checkImages(const data::Dataset& images, const graph::Graph& graph, const std::string& source) {
    const data::ImageShape shape = images.shape();
    if (shape.height == shape.width && shape.channels == graph.inputShape().front()) return {};
    return usageError("{}: images are {} x {} with {} channels; {} takes square images with {}", source,
                      shape.height, shape.width, shape.channels, graph.arch(), graph.inputShape().front());
}

Result<std::int64_t> outputsOf(const graph::Graph& graph) {
    BITLOOM_ASSIGN_OR_RETURN(const auto shapes, graph::inferShapes(graph));
    return shapes.back().front();
}

Status checkClasses(const data::Dataset& images, const graph::Graph& graph, const std::string& source) {
    const auto classes = static_cast<std::int64_t>(images.classNames().size());
    BITLOOM_ASSIGN_OR_RETURN(const std::int64_t outputs, outputsOf(graph));
    if (classes <= outputs) return {};
    return usageError("{} has {} classes, {} tells only {} apart; set model.classes = {}", source, classes,
                      graph.arch(), outputs, classes);
}

}  // namespace

int imageSizeOf(const graph::Graph& graph) {
    return static_cast<int>(graph.inputShape().back());
}

Result<Datasets> openTestSet(const DataSpec& spec, int imageSize) {
    Datasets datasets;
    BITLOOM_ASSIGN_OR_RETURN(datasets.normalization, data::normalizationByName(spec.normalize));
    BITLOOM_ASSIGN_OR_RETURN(datasets.test, data::openDataset(spec.source, data::Split::Test, imageSize));
    return datasets;
}

Result<Datasets> openDatasets(const DataSpec& spec, int imageSize) {
    BITLOOM_ASSIGN_OR_RETURN(Datasets datasets, openTestSet(spec, imageSize));
    BITLOOM_ASSIGN_OR_RETURN(datasets.train, data::openDataset(spec.source, data::Split::Train, imageSize));
    return datasets;
}

train::TrainerData trainerData(const Datasets& datasets, const DataSpec& spec) {
    return {datasets.train.get(), datasets.test.get(), datasets.normalization,
            spec.batch,           spec.augment,        spec.threads};
}

Result<std::optional<quant::QuantizedModel>> packedNetwork(const checkpoint::Checkpoint& checkpoint,
                                                           const std::filesystem::path& path) {
    const auto format = checkpoint.metadata.find("format");
    if (format == checkpoint.metadata.end() || format->second != exporting::kFormatName)
        return std::optional<quant::QuantizedModel>();
    auto model = checkpoint.format == checkpoint::Format::Hdf5 ? exporting::readQuantizedHdf5(path)
                                                               : exporting::readQuantizedSafetensors(path);
    if (!model) return std::move(model).error();
    return std::optional(std::move(model).value());
}

Result<NetworkSource> NetworkSource::open(const ModelSpec& spec) {
    NetworkSource source;
    source.m_spec = spec;
    if (spec.weights.empty()) {
        if (!spec.arch.empty()) return source;
        return usageError(
            "the job names neither a network nor weights; set model.arch to one of {}, or model.weights",
            knownNetworks());
    }
    BITLOOM_ASSIGN_OR_RETURN(source.m_weights, checkpoint::readCheckpoint(spec.weights));
    BITLOOM_ASSIGN_OR_RETURN(source.m_packed, packedNetwork(*source.m_weights, spec.weights));
    if (source.m_packed || !spec.arch.empty()) return source;
    source.m_spec.arch = checkpoint::guessArchitecture(*source.m_weights);
    if (!source.m_spec.arch.empty()) return source;
    return usageError("{}: no known network fits these weights; name one of {}", spec.weights,
                      knownNetworks());
}

Result<int> NetworkSource::imageSize() const {
    if (m_packed) return imageSizeOf(m_packed->graph);
    BITLOOM_ASSIGN_OR_RETURN(const graph::Graph graph, graph::zoo::makeModel(m_spec.arch));
    return imageSizeOf(graph);
}

Result<Network> NetworkSource::fitWeights(graph::zoo::ModelOptions options,
                                          std::int64_t datasetClasses) const {
    BITLOOM_ASSIGN_OR_RETURN(graph::Graph graph, graph::zoo::makeModel(m_spec.arch, options));
    if (!m_weights) return Network{std::move(graph), {}, {}};
    auto mapped = checkpoint::mapWeights(graph, *m_weights);
    if (!mapped) return fail("{}: {}", m_spec.weights, mapped.error().message);
    if (mapped->report.fits()) return Network{std::move(graph), std::move(mapped->state), {}};
    // Weights made for this dataset rather than for the network's usual one.
    if (options.classes == 0) {
        options.classes = datasetClasses;
        if (auto refitted = fitWeights(options, datasetClasses)) return refitted;
    }
    const std::string fitting = checkpoint::guessArchitecture(*m_weights);
    const auto own = checkpoint::classesInFile(graph, *m_weights);
    const auto outputs = outputsOf(graph);
    if (fitting == m_spec.arch && own && outputs && *own != *outputs) {
        return fail(
            "{}: this {} tells {} classes apart, the images have {}; take weights of {} classes, or keep all "
            "of these outputs with model.classes = {}",
            m_spec.weights, m_spec.arch, *own, datasetClasses, datasetClasses, *own);
    }
    const std::string remedy =
        fitting.empty() ? "save the model's whole state_dict again, or choose another network"
                        : fmt::format("it fits {}: use --arch {}, or model.arch in a job", fitting, fitting);
    return fail("{} does not fit {}; {}\n{}", m_spec.weights, m_spec.arch, remedy, mapped->report.toText());
}

Result<std::int64_t> NetworkSource::classes() const {
    if (!m_packed) {
        BITLOOM_ASSIGN_OR_RETURN(const graph::Graph graph, graph::zoo::makeModel(m_spec.arch));
        const auto own =
            m_weights ? checkpoint::classesInFile(graph, *m_weights) : std::optional<std::int64_t>();
        return own ? *own : outputsOf(graph);
    }
    return outputsOf(m_packed->graph);
}

Result<Network> NetworkSource::build(const data::Dataset& images, const std::string& source) const {
    const auto datasetClasses = static_cast<std::int64_t>(images.classNames().size());
    Network network;
    if (m_packed) {
        network = {m_packed->graph, m_packed->dequantize(), m_packed->activations};
    } else {
        graph::zoo::ModelOptions options{m_spec.classes, images.shape().height};
        if (options.classes == 0 && !m_weights) options.classes = datasetClasses;
        BITLOOM_ASSIGN_OR_RETURN(network, fitWeights(options, datasetClasses));
    }
    BITLOOM_RETURN_IF_ERROR(checkImages(images, network.graph, source));
    BITLOOM_RETURN_IF_ERROR(checkClasses(images, network.graph, source));
    return network;
}

Result<JobInputs> loadInputs(const JobSpec& spec) {
    BITLOOM_ASSIGN_OR_RETURN(const NetworkSource source, NetworkSource::open(spec.model));
    BITLOOM_ASSIGN_OR_RETURN(const int imageSize, source.imageSize());
    JobInputs inputs;
    BITLOOM_ASSIGN_OR_RETURN(inputs.datasets, openDatasets(spec.data, imageSize));
    BITLOOM_ASSIGN_OR_RETURN(inputs.network, source.build(*inputs.datasets.train, spec.data.source));
    return inputs;
}

}  // namespace bitloom::jobs
