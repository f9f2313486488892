#include "engine/quant/saved_state.h"

#include "engine/quant/weight_blocks.h"

namespace bitloom::quant {

graph::Tensor toGraphTensor(const torch::Tensor& tensor) {
    const torch::Tensor local = rowMajorFloats(tensor);
    const auto* first = local.data_ptr<float>();
    return graph::Tensor::fromFloats(local.sizes().vec(), {first, first + local.numel()});
}

graph::Tensor toGraphTensor(const std::vector<double>& values) {
    graph::Tensor tensor{graph::DType::F64, {static_cast<std::int64_t>(values.size())}, {}};
    tensor.bytes.resize(values.size() * sizeof(double));
    std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
    return tensor;
}

Result<const graph::Tensor*> findEntry(const graph::StateDict& state, std::string_view method,
                                       const char* name, graph::DType dtype, const graph::Shape& shape) {
    const auto entry = state.find(name);
    if (entry == state.end()) return fail("{} quantizer: the saved state has no \"{}\"", method, name);
    const graph::Tensor& tensor = entry->second;
    if (tensor.dtype != dtype || tensor.shape != shape) {
        return fail(
            "{} quantizer: saved \"{}\" is {} {}, expected {} {}; was the run started with other quantizer "
            "options?",
            method, name, graph::toText(tensor.dtype), graph::toText(tensor.shape), graph::toText(dtype),
            graph::toText(shape));
    }
    if (dtype != graph::DType::I64 && tensor.firstNonFinite() >= 0) {
        return fail("{} quantizer: saved \"{}\" is not finite at element {}", method, name,
                    tensor.firstNonFinite());
    }
    return &tensor;
}

}  // namespace bitloom::quant
