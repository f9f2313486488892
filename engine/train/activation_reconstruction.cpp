#include "engine/train/activation_reconstruction.h"

#include <cmath>
#include <map>
#include <numbers>
#include <numeric>
#include <optional>
#include <utility>

#include "engine/base/random.h"
#include "engine/graph/subgraph.h"
#include "engine/quant/activation/activation_plan.h"
#include "engine/quant/activation/range_search.h"
#include "engine/quant/activation/rounding_function.h"
#include "engine/quant/adam.h"
#include "engine/train/guarded.h"

namespace bitloom::train {
namespace {

using torch::Tensor;

// Sets the choice of images apart from the training batches of the same seed.
constexpr std::uint64_t kReconstructionSeed = 0x62726563712061u;
constexpr std::int64_t kBatch = 32;      // BRECQ's
constexpr double kPower = 2.4;           // likewise
constexpr std::int64_t kLookBatch = 64;  // passes without gradients

Result<Tensor> readImages(const data::Dataset& dataset, std::int64_t count, const TrainerData& data,
                          std::uint64_t seed) {
    data::LoaderOptions options;
    options.batchSize = static_cast<int>(std::min(count, kLookBatch));
    options.normalization = data.normalization;
    options.dropLast = false;
    options.augment = false;
    options.seed = seed ^ kReconstructionSeed;
    options.threads = data.loaderThreads;
    data::Loader loader(dataset, options);
    const data::ImageShape shape = dataset.shape();
    std::vector<Tensor> batches;
    for (std::int64_t done = 0; done < count;) {
        BITLOOM_ASSIGN_OR_RETURN(data::Batch batch, loader.next());
        const std::int64_t taken = std::min<std::int64_t>(batch.count, count - done);
        batches.push_back(
            imagesOf(batch, {shape.channels, shape.height, shape.width}).slice(0, 0, taken).clone());
        done += taken;
    }
    return torch::cat(batches);
}

std::span<const float> spanOf(const Tensor& dense) {
    return {dense.data_ptr<float>(), static_cast<std::size_t>(dense.numel())};
}

/// Distinct indices below `count`, drawn anew each time: the head of a shuffle that goes on.
class Draw {
  public:
    Draw(std::int64_t count, std::uint64_t seed, std::uint64_t block)
        : m_random({seed, block}), m_order(static_cast<std::size_t>(count)) {
        std::iota(m_order.begin(), m_order.end(), 0);
    }
    Tensor next(std::int64_t wanted) {
        const std::size_t size = std::min(m_order.size(), static_cast<std::size_t>(wanted));
        for (std::size_t i = 0; i < size; ++i)
            std::swap(m_order[i], m_order[i + m_random.below(m_order.size() - i)]);
        return torch::tensor(
            std::vector<std::int64_t>(m_order.begin(), m_order.begin() + static_cast<std::ptrdiff_t>(size)));
    }

  private:
    Random m_random;
    std::vector<std::int64_t> m_order;
};

/// One activation of a block.
struct Rounded {
    std::string node;
    quant::QuantizedActivation rounding;
    Tensor step;       ///< float32 [1], leaf: `scale`
    double scale = 0;  ///< trained
    quant::AdamMoments moments;
};

/// A block as a network of its own, with what it reads and computes in float for every image.
class Block {
  public:
    static Result<Block> create(const quant::QuantizedModel& model, const graph::StateDict& state,
                                quant::GraphBlock place, Tensor inputs, const std::string& device) {
        BITLOOM_ASSIGN_OR_RETURN(graph::Graph part, graph::subgraph(model.graph, place.from, place.to));
        BITLOOM_ASSIGN_OR_RETURN(auto executor, Executor::create(std::move(part), device));
        BITLOOM_RETURN_IF_ERROR(executor->load(state));
        for (const TrainedParameter& parameter : executor->parameters())
            Tensor(parameter.tensor).set_requires_grad(false);
        return Block(std::move(executor), std::move(place), std::move(inputs));
    }

    [[nodiscard]] const std::string& name() const {
        return m_executor->graph().node(m_executor->graph().output()).name;
    }
    [[nodiscard]] const Tensor& outputs() const { return m_outputs; }
    [[nodiscard]] const std::vector<Rounded>& rounded() const { return m_rounded; }

    /// Computes the outputs and searches the range of every activation.
    Status search(std::vector<std::string>& silent) {
        std::map<std::string, quant::ValueExtent, std::less<>> extents;
        forEachValue([&](const std::string& node, const Tensor& value, std::int64_t first) {
            if (node == name()) keepOutput(value, first);
            if (isRounded(node)) extents[node].add(spanOf(value));
        });
        std::map<std::string, quant::ValueCounts, std::less<>> counts;
        for (const auto& [node, extent] : extents) {
            if (!extent.finite) return fail("the activation {} is not finite for training images", node);
            if (extent.sum == 0) silent.push_back(node);
            counts.emplace(node, quant::ValueCounts(extent));
        }
        if (counts.empty()) return {};
        forEachValue([&](const std::string& node, const Tensor& value, std::int64_t) {
            if (const auto found = counts.find(node); found != counts.end()) found->second.add(spanOf(value));
        });
        quant::ActivationFunctions functions;
        for (const quant::PlannedActivation& planned : m_place.activations) {
            Rounded rounded;
            rounded.node = planned.node;
            rounded.rounding = quant::searchRange(counts.find(planned.node)->second, planned.bits);
            rounded.scale = static_cast<double>(rounded.rounding.scale);
            rounded.step = torch::full({1}, rounded.rounding.scale).set_requires_grad(true);
            functions.emplace(
                planned.node, [rounding = rounded.rounding, step = rounded.step](const Tensor& x) {
                    return quant::roundActivation(x, step, {rounding.highest(), rounding.zeroPoint, 1});
                });
            m_rounded.push_back(std::move(rounded));
        }
        return m_executor->setActivations(std::move(functions));
    }

    /// Trains the scales, and keeps what it finds where that is better over all images.
    Result<BlockLoss> train(const quant::ActivationOptions& options, Draw draw,
                            const std::function<bool()>& goOn) {
        BlockLoss loss{name(), lossOfAll(), 0};
        for (std::int64_t i = 0; i < options.iterations; ++i) {
            const double share = static_cast<double>(i) / static_cast<double>(options.iterations);
            const double rate = options.rate / 2 * (1 + std::cos(std::numbers::pi * share));
            BITLOOM_RETURN_IF_ERROR(trainOnce(draw.next(kBatch), rate, i + 1));
            if (!goOn()) return Error{ErrorKind::Cancelled, "rounding the activations was cancelled"};
        }
        loss.trained = lossOfAll();
        for (std::size_t i = 0; i < m_rounded.size() && loss.trained < loss.searched; ++i)
            m_rounded[i].rounding.scale = m_rounded[i].step.item<float>();
        return loss;
    }

  private:
    Block(std::unique_ptr<Executor> executor, quant::GraphBlock place, Tensor inputs)
        : m_executor(std::move(executor)), m_place(std::move(place)), m_inputs(std::move(inputs)) {}

    [[nodiscard]] bool isRounded(const std::string& node) const {
        return std::ranges::any_of(m_place.activations,
                                   [&](const auto& planned) { return planned.node == node; });
    }

    /// visit(node, its value for the images from `first` on, dense on the CPU).
    template <class Visit>
    void forEachValue(const Visit& visit) const {
        const torch::NoGradGuard guard;
        for (std::int64_t first = 0; first < m_inputs.size(0); first += kLookBatch) {
            const auto look = [&](const graph::Node& node, const Tensor& output) {
                if (node.name != name() && !isRounded(node.name)) return;
                const Tensor value = output.cpu();
                visit(node.name, value.is_non_overlapping_and_dense() ? value : value.contiguous(), first);
            };
            m_executor->observe(m_inputs.slice(0, first, first + kLookBatch), look);
        }
    }

    void keepOutput(const Tensor& value, std::int64_t first) {
        if (!m_outputs.defined()) {
            std::vector<std::int64_t> shape = value.sizes().vec();
            shape.front() = m_inputs.size(0);
            const auto layout =
                shape.size() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
            m_outputs = torch::empty(shape, torch::TensorOptions().memory_format(layout));
        }
        m_outputs.slice(0, first, first + value.size(0)).copy_(value);
    }

    [[nodiscard]] Tensor lossOf(const Tensor& inputs, const Tensor& outputs) const {
        const Tensor computed = m_executor->forward(inputs, /*training=*/false);
        return (computed - outputs.to(computed.device())).abs().pow(kPower).sum(1).mean();
    }

    [[nodiscard]] double lossOfAll() const {
        const torch::NoGradGuard guard;
        double sum = 0;
        const std::int64_t images = m_inputs.size(0);
        for (std::int64_t first = 0; first < images; first += kLookBatch) {
            const std::int64_t last = std::min(first + kLookBatch, images);
            sum += static_cast<double>(last - first) *
                   lossOf(m_inputs.slice(0, first, last), m_outputs.slice(0, first, last)).item<double>();
        }
        return sum / static_cast<double>(images);
    }

    Status trainOnce(const Tensor& chosen, double rate, std::int64_t count) {
        const Tensor loss = lossOf(m_inputs.index_select(0, chosen), m_outputs.index_select(0, chosen));
        if (!std::isfinite(loss.item<double>())) {
            return fail("the block that ends in {}: rounding its activations gives a loss that is not finite",
                        name());
        }
        loss.backward();
        const torch::NoGradGuard guard;
        for (Rounded& rounded : m_rounded) {
            Tensor& step = rounded.step;
            rounded.scale -=
                rounded.moments.change(step.grad().item<double>(), rate, static_cast<double>(count));
            rounded.scale = std::max(rounded.scale, static_cast<double>(quant::kLeastScale));
            step.fill_(rounded.scale);
            step.grad().zero_();
        }
        return {};
    }

    std::unique_ptr<Executor> m_executor;
    quant::GraphBlock m_place;
    Tensor m_inputs;   // [images, C, H, W]
    Tensor m_outputs;  // the same of the block's end, in float
    std::vector<Rounded> m_rounded;
};

/// The image's own rounding: searched, as nothing before it can be trained.
void roundImage(const std::vector<quant::PlannedActivation>& planned, const graph::Graph& graph,
                const Tensor& images, ReconstructedActivations& result) {
    const std::string& name = graph.nodes().front().name;
    if (planned.empty() || planned.front().node != name) return;
    quant::ValueExtent extent;
    extent.add(spanOf(images));
    quant::ValueCounts counts(extent);
    counts.add(spanOf(images));
    if (extent.sum == 0) result.found.silent.push_back(name);
    result.found.activations[name] = quant::searchRange(counts, planned.front().bits);
}

Result<ReconstructedActivations> reconstruct(const quant::QuantizedModel& model,
                                             const quant::ActivationOptions& options, const TrainerData& data,
                                             std::uint64_t seed, const std::string& device,
                                             const EvaluationProgress& progress) {
    BITLOOM_ASSIGN_OR_RETURN(const auto planned, quant::planActivations(model.graph, options));
    const std::vector<quant::GraphBlock> blocks = quant::blocksOf(model.graph, planned);
    BITLOOM_ASSIGN_OR_RETURN(Tensor values, readImages(*data.train, options.images, data, seed));
    const graph::StateDict state = model.dequantize();
    ReconstructedActivations result;
    roundImage(planned, model.graph, values, result);
    const std::int64_t total = static_cast<std::int64_t>(blocks.size()) * (1 + options.iterations);
    std::int64_t done = 0;
    const auto goOn = [&] { return !progress || progress(std::min(++done, total), total); };
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        BITLOOM_ASSIGN_OR_RETURN(Block block,
                                 Block::create(model, state, blocks[i], std::move(values), device));
        BITLOOM_RETURN_IF_ERROR(block.search(result.found.silent));
        if (!goOn()) return Error{ErrorKind::Cancelled, "rounding the activations was cancelled"};
        if (options.iterations > 0 && !block.rounded().empty()) {
            BITLOOM_ASSIGN_OR_RETURN(BlockLoss loss,
                                     block.train(options, Draw(options.images, seed, i), goOn));
            result.losses.push_back(std::move(loss));
        }
        for (const Rounded& rounded : block.rounded())
            result.found.activations[rounded.node] = rounded.rounding;
        values = block.outputs();
    }
    return result;
}

}  // namespace

Status checkActivationImages(const quant::ActivationOptions& options, const data::Dataset& dataset) {
    if (options.method == quant::ActivationMethod::None || options.images <= dataset.size()) return {};
    return usageError("activation.images is {} but the training set has {} images; lower activation.images",
                      options.images, dataset.size());
}

Result<ReconstructedActivations> reconstructActivations(const quant::QuantizedModel& model,
                                                        const quant::ActivationOptions& options,
                                                        const TrainerData& data, std::uint64_t seed,
                                                        const std::string& device,
                                                        const EvaluationProgress& progress) {
    BITLOOM_RETURN_IF_ERROR(checkActivationImages(options, *data.train));
    return guarded(fmt::format("rounding the activations of {}", model.graph.arch()),
                   [&] { return reconstruct(model, options, data, seed, device, progress); });
}

}  // namespace bitloom::train
