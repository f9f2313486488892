#include "engine/train/features.h"

#include <algorithm>
#include <optional>

#include "engine/train/guarded.h"

namespace bitloom::train {
namespace {

/// The node whose output the last linear layer reads.
Result<graph::NodeId> penultimateNode(const graph::Graph& graph) {
    std::optional<graph::NodeId> source;
    for (const graph::Node& node : graph.nodes()) {
        if (std::holds_alternative<graph::Linear>(node.op)) source = node.inputs.front();
    }
    if (source && source->value > 0) return *source;
    return fail("{}: no layer stands before a last linear one, so there are no features to show",
                graph.arch());
}

template <class Value>
void append(const torch::Tensor& tensor, std::int64_t count, std::vector<Value>& values) {
    const torch::Tensor rows = tensor.slice(0, 0, count).contiguous();
    values.insert(values.end(), rows.data_ptr<Value>(), rows.data_ptr<Value>() + rows.numel());
}

void addFeatures(Executor& executor, graph::NodeId source, data::Batch& batch, std::int64_t count,
                 Features& features) {
    torch::Tensor values;
    torch::Tensor logits;
    executor.observe(imagesOf(batch, executor.graph().inputShape()),
                     [&](const graph::Node& node, const torch::Tensor& output) {
                         if (&node == &executor.graph().node(source)) values = output;
                         if (&node == &executor.graph().nodes().back()) logits = output;
                     });
    const torch::Tensor flat =
        values.to(torch::kCPU, torch::kFloat32).contiguous(at::MemoryFormat::Contiguous).flatten(1);
    features.dimension = flat.size(1);
    append(flat, count, features.values);
    append(logits.argmax(1).to(torch::kCPU, torch::kInt32), count, features.predictions);
    for (std::int64_t i = 0; i < count; ++i)
        features.labels.push_back(static_cast<std::int32_t>(batch.labels[static_cast<std::size_t>(i)]));
}

}  // namespace

double Features::top1() const {
    std::int64_t right = 0;
    for (std::size_t i = 0; i < labels.size(); ++i)
        right += labels[i] == predictions[i] ? 1 : 0;
    return 100.0 * static_cast<double>(right) / static_cast<double>(std::max<std::size_t>(1, labels.size()));
}

Result<Features> penultimateFeatures(Executor& executor, const data::Dataset& dataset,
                                     const EvaluationOptions& options, const EvaluationProgress& progress) {
    BITLOOM_RETURN_IF_ERROR(checkDataset(executor.graph(), dataset));
    BITLOOM_ASSIGN_OR_RETURN(const graph::NodeId source, penultimateNode(executor.graph()));
    const std::int64_t total = options.images > 0 ? std::min(options.images, dataset.size()) : dataset.size();
    data::Loader loader(dataset, plainBatches(options));
    const torch::NoGradGuard guard;
    Features features;
    const auto computeAll = [&]() -> Status {
        for (std::int64_t done = 0; done < total;) {
            BITLOOM_ASSIGN_OR_RETURN(data::Batch batch, loader.next());
            const std::int64_t count = std::min<std::int64_t>(batch.count, total - done);
            addFeatures(executor, source, batch, count, features);
            done += count;
            if (progress && !progress(done, total)) {
                return Error{ErrorKind::Cancelled,
                             fmt::format("features cancelled after {} of {} images", done, total)};
            }
        }
        return {};
    };
    BITLOOM_RETURN_IF_ERROR(guarded(fmt::format("features of {}", executor.graph().arch()), computeAll));
    return features;
}

}  // namespace bitloom::train
