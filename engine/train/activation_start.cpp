#include "engine/train/activation_start.h"

#include <map>

#include "engine/quant/activation/range_search.h"
#include "engine/train/guarded.h"
#include "engine/train/training_step.h"

namespace bitloom::train {
namespace {

// Sets these batches apart from the training batches of the same seed.
constexpr std::uint64_t kStartSeed = 0x6c7371207374u;

data::LoaderOptions startBatches(const TrainerData& data, std::uint64_t seed) {
    data::LoaderOptions options;
    options.batchSize = data.batchSize;
    options.normalization = data.normalization;
    options.augment = data.augment;
    options.seed = seed ^ kStartSeed;
    options.threads = data.loaderThreads;
    return options;
}

using Extents = std::map<std::string, quant::ValueExtent, std::less<>>;

Result<Extents> lookAt(Executor& executor, const WeightOverrides& weights,
                       const std::vector<quant::PlannedActivation>& planned, std::int64_t images,
                       data::Loader& loader, const EvaluationProgress& progress) {
    Extents extents;
    for (const quant::PlannedActivation& activation : planned)
        extents[activation.node];
    const auto look = [&](const std::string& node, const torch::Tensor& output) {
        const auto found = extents.find(node);
        if (found == extents.end()) return;
        const torch::Tensor values = output.detach().cpu().reshape(-1);
        found->second.add({values.data_ptr<float>(), static_cast<std::size_t>(values.numel())});
    };
    for (std::int64_t done = 0; done < images;) {
        BITLOOM_ASSIGN_OR_RETURN(data::Batch batch, loader.next());
        const torch::Tensor input = imagesOf(batch, executor.graph().inputShape());
        look(executor.graph().nodes().front().name, input);
        executor.observe(
            input, [&](const graph::Node& node, const torch::Tensor& output) { look(node.name, output); },
            /*training=*/true, weights);
        done += batch.count;
        if (progress && !progress(std::min(done, images), images))
            return Error{ErrorKind::Cancelled, "looking at activations was cancelled"};
    }
    return extents;
}

}  // namespace

Result<FoundActivations> startActivations(const Executor& executor, const quant::QuantizerMap& quantizers,
                                          const std::vector<quant::PlannedActivation>& planned,
                                          const quant::ActivationOptions& options,
                                          const TrainOptions& training, const TrainerData& data,
                                          const EvaluationProgress& progress) {
    // Batch statistics change the running ones: on a copy.
    BITLOOM_ASSIGN_OR_RETURN(auto copy, Executor::create(executor.graph(), executor.device().str()));
    BITLOOM_RETURN_IF_ERROR(copy->load(executor.state()));
    data::Loader loader(*data.train, startBatches(data, training.seed));
    BITLOOM_ASSIGN_OR_RETURN(const Extents extents, guarded("looking at activations", [&] {
                                 const torch::NoGradGuard guard;
                                 const WeightOverrides weights =
                                     trainingWeights(executor, quantizers, training.hardForward);
                                 return lookAt(*copy, weights, planned, options.images, loader, progress);
                             }));
    FoundActivations started;
    for (const quant::PlannedActivation& activation : planned) {
        const quant::ValueExtent& extent = extents.find(activation.node)->second;
        if (!extent.finite)
            return fail("the activation {} is not finite for training images", activation.node);
        if (extent.sum == 0) started.silent.push_back(activation.node);
        // The image's step is not trained: its whole range, as it is.
        const bool image = activation.node == executor.graph().nodes().front().name;
        started.activations[activation.node] =
            image ? quant::roundingBetween(extent.low, extent.high, activation.bits)
                  : quant::lsqStart(extent, activation.bits);
    }
    return started;
}

}  // namespace bitloom::train
