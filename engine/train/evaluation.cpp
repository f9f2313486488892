// Scoring on the calling thread; the loader prefetches on its own. libtorch's exceptions become errors here.
#include "engine/train/evaluation.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <span>

#include "engine/quant/torch.h"
#include "engine/train/guarded.h"

namespace bitloom::train {
namespace {

constexpr std::int64_t kTop = 5;

/// Sums over images; the counts are of correct ones.
struct Tally {
    std::int64_t images = 0;
    std::int64_t top1 = 0;
    std::int64_t top5 = 0;
    double loss = 0;

    void add(std::span<const float> logits, std::int64_t label) {
        const float own = logits[static_cast<std::size_t>(label)];
        const float largest = *std::max_element(logits.begin(), logits.end());
        std::int64_t rank = 0;
        double sum = 0;
        for (std::size_t i = 0; i < logits.size(); ++i) {
            // Ties go to the lower index; the negated comparison makes a NaN lose.
            const bool outranked =
                static_cast<std::int64_t>(i) < label ? !(own > logits[i]) : !(own >= logits[i]);
            rank += outranked ? 1 : 0;
            sum += std::exp(static_cast<double>(logits[i]) - static_cast<double>(largest));
        }
        ++images;
        top1 += rank == 0 ? 1 : 0;
        top5 += rank < kTop ? 1 : 0;
        loss += std::log(sum) + static_cast<double>(largest) - static_cast<double>(own);
    }
};

Status addBatch(Executor& executor, data::Batch& batch, std::int64_t limit, const WeightOverrides& weights,
                Tally& tally) {
    const torch::Tensor images = imagesOf(batch, executor.graph().inputShape());
    const torch::Tensor logits =
        executor.forward(images, /*training=*/false, weights).to(torch::kCPU, torch::kFloat32).contiguous();
    const auto classes = static_cast<std::size_t>(logits.size(1));
    const std::span<const float> values(logits.data_ptr<float>(), static_cast<std::size_t>(logits.numel()));
    for (std::size_t i = 0; i < batch.labels.size() && tally.images < limit; ++i) {
        const std::int64_t label = batch.labels[i];
        if (label < 0 || label >= logits.size(1)) {
            return fail(
                "image {} has label {}, {} has {} classes; choose a network of as many classes as the "
                "dataset",
                tally.images, label, executor.graph().arch(), classes);
        }
        tally.add(values.subspan(i * classes, classes), label);
    }
    return {};
}

std::int64_t imagesToScore(const data::Dataset& dataset, const EvaluationOptions& options) {
    return options.images > 0 ? std::min(options.images, dataset.size()) : dataset.size();
}

/// Of the first `total` images of the batches that `next` gives.
Result<Accuracy> score(Executor& executor, std::int64_t total,
                       const std::function<Result<data::Batch*>()>& next, const WeightOverrides& weights,
                       const EvaluationProgress& progress) {
    const auto start = std::chrono::steady_clock::now();
    const torch::NoGradGuard guard;
    Tally tally;
    const auto scoreAll = [&]() -> Status {
        while (tally.images < total) {
            BITLOOM_ASSIGN_OR_RETURN(data::Batch * batch, next());
            BITLOOM_RETURN_IF_ERROR(addBatch(executor, *batch, total, weights, tally));
            if (progress && !progress(tally.images, total)) {
                return Error{ErrorKind::Cancelled,
                             fmt::format("evaluation cancelled after {} of {} images", tally.images, total)};
            }
        }
        return {};
    };
    BITLOOM_RETURN_IF_ERROR(guarded(fmt::format("evaluation of {}", executor.graph().arch()), scoreAll));
    const auto perCent = [&](std::int64_t correct) {
        return 100.0 * static_cast<double>(correct) / static_cast<double>(tally.images);
    };
    return Accuracy{
        .top1 = perCent(tally.top1),
        .top5 = perCent(tally.top5),
        .loss = tally.loss / static_cast<double>(tally.images),
        .images = tally.images,
        .seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()};
}

}  // namespace

Status loadDeployed(Executor& executor, const quant::QuantizedModel& model) {
    BITLOOM_RETURN_IF_ERROR(executor.setActivations(quant::roundingFunctions(model.activations)));
    return executor.load(model.dequantize());
}

data::LoaderOptions plainBatches(const EvaluationOptions& options) {
    return {.batchSize = options.batchSize,
            .normalization = options.normalization,
            .shuffle = false,
            .dropLast = false,
            .augment = false,
            .threads = options.threads};
}

torch::Tensor imagesOf(data::Batch& batch, const graph::Shape& image) {
    return torch::from_blob(batch.images.data(), {batch.count, image[0], image[1], image[2]},
                            torch::kFloat32);
}

Status checkDataset(const graph::Graph& graph, const data::Dataset& dataset) {
    const data::ImageShape shape = dataset.shape();
    if (dataset.size() == 0) return fail("the dataset has no images; check its folder");
    if (graph::Shape{shape.channels, shape.height, shape.width} != graph.inputShape()) {
        return fail("the images have shape [{}, {}, {}], {} takes {}; choose the image size of the network",
                    shape.channels, shape.height, shape.width, graph.arch(),
                    graph::toText(graph.inputShape()));
    }
    return {};
}

Result<Accuracy> evaluate(Executor& executor, const data::Dataset& dataset, const EvaluationOptions& options,
                          const WeightOverrides& weights, const EvaluationProgress& progress) {
    BITLOOM_RETURN_IF_ERROR(checkDataset(executor.graph(), dataset));
    data::Loader loader(dataset, plainBatches(options));
    data::Batch batch;
    const auto next = [&]() -> Result<data::Batch*> {
        BITLOOM_ASSIGN_OR_RETURN(batch, loader.next());
        return &batch;
    };
    return score(executor, imagesToScore(dataset, options), next, weights, progress);
}

Result<KeptImages> KeptImages::read(const data::Dataset& dataset, const EvaluationOptions& options) {
    KeptImages kept;
    const data::ImageShape shape = dataset.shape();
    const std::int64_t images = imagesToScore(dataset, options);
    const std::int64_t bytes = std::int64_t{shape.channels} * shape.height * shape.width * 4;
    if (images > kMostBytes / std::max<std::int64_t>(bytes, 1)) return kept;
    data::Loader loader(dataset, plainBatches(options));
    while (kept.m_images < images) {
        BITLOOM_ASSIGN_OR_RETURN(data::Batch batch, loader.next());
        kept.m_images += batch.count;
        kept.m_batches.push_back(std::move(batch));
    }
    kept.m_images = images;
    return kept;
}

Result<Accuracy> evaluate(Executor& executor, KeptImages& images, const WeightOverrides& weights,
                          const EvaluationProgress& progress) {
    auto batch = images.m_batches.begin();
    return score(
        executor, images.m_images, [&]() -> Result<data::Batch*> { return &*batch++; }, weights, progress);
}

Status reestimateBatchNorm(Executor& executor, data::Loader& loader, int batches,
                           const WeightOverrides& weights, const EvaluationProgress& progress) {
    if (batches <= 0) return {};
    const torch::NoGradGuard guard;
    executor.beginStatistics();
    const auto run = [&]() -> Status {
        for (int i = 0; i < batches; ++i) {
            BITLOOM_ASSIGN_OR_RETURN(data::Batch batch, loader.next());
            (void)executor.forward(imagesOf(batch, executor.graph().inputShape()), /*training=*/true,
                                   weights);
            if (progress && !progress(i + 1, batches)) {
                return Error{
                    ErrorKind::Cancelled,
                    fmt::format("batch-norm statistics cancelled after {} of {} batches", i + 1, batches)};
            }
        }
        return {};
    };
    Status status = guarded(fmt::format("batch-norm statistics of {}", executor.graph().arch()), run);
    executor.endStatistics();
    return status;
}

}  // namespace bitloom::train
