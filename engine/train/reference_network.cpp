#include "engine/train/reference_network.h"

#include <algorithm>
#include <utility>

#include "engine/train/executor.h"
#include "engine/train/guarded.h"

namespace bitloom::train {
namespace {

constexpr const char* kWhere = "computing the network with libtorch";

/// One batch of the images' shape.
Result<torch::Tensor> batchOf(const graph::Graph& graph, std::span<const Image> images) {
    std::vector<std::int64_t> shape = graph.inputShape();
    shape.insert(shape.begin(), static_cast<std::int64_t>(images.size()));
    torch::Tensor batch = torch::empty(shape);
    const auto size = static_cast<std::size_t>(graph::elementCount(graph.inputShape()));
    auto* to = batch.data_ptr<float>();
    for (const Image& image : images) {
        if (image.size() != size) return fail("an image has {} values instead of {}", image.size(), size);
        to = std::copy(image.begin(), image.end(), to);
    }
    return batch;
}

std::vector<float> valuesOf(const torch::Tensor& tensor) {
    const torch::Tensor plain = tensor.detach().contiguous(at::MemoryFormat::Contiguous);
    const auto* first = plain.data_ptr<float>();
    return {first, first + plain.numel()};
}

}  // namespace

ReferenceNetwork::ReferenceNetwork(std::unique_ptr<Executor> executor) : m_executor(std::move(executor)) {}
ReferenceNetwork::ReferenceNetwork(ReferenceNetwork&&) noexcept = default;
ReferenceNetwork& ReferenceNetwork::operator=(ReferenceNetwork&&) noexcept = default;
ReferenceNetwork::~ReferenceNetwork() = default;

Result<ReferenceNetwork> ReferenceNetwork::create(const quant::QuantizedModel& model) {
    BITLOOM_ASSIGN_OR_RETURN(auto executor, Executor::create(model.graph, "cpu"));
    BITLOOM_RETURN_IF_ERROR(executor->load(model.dequantize()));
    return ReferenceNetwork(std::move(executor));
}

Result<std::map<std::string, std::vector<float>, std::less<>>> ReferenceNetwork::outputs(const Image& image) {
    using Outputs = std::map<std::string, std::vector<float>, std::less<>>;
    return guarded(kWhere, [&]() -> Result<Outputs> {
        const torch::NoGradGuard guard;
        BITLOOM_ASSIGN_OR_RETURN(const torch::Tensor batch, batchOf(m_executor->graph(), {&image, 1}));
        Outputs outputs;
        m_executor->observe(batch, [&](const graph::Node& node, const torch::Tensor& output) {
            outputs.emplace(node.name, valuesOf(output));
        });
        return outputs;
    });
}

Result<std::vector<int>> ReferenceNetwork::classes(std::span<const Image> images) {
    return guarded(kWhere, [&]() -> Result<std::vector<int>> {
        const torch::NoGradGuard guard;
        BITLOOM_ASSIGN_OR_RETURN(const torch::Tensor batch, batchOf(m_executor->graph(), images));
        const torch::Tensor best = m_executor->forward(batch, /*training=*/false).argmax(1).to(torch::kInt32);
        const auto* first = best.data_ptr<std::int32_t>();
        return std::vector<int>(first, first + best.numel());
    });
}

}  // namespace bitloom::train
