#include "engine/train/tensor_conversion.h"

#include <cstring>

namespace bitloom::train {
namespace {

graph::DType dtypeOf(const torch::Tensor& tensor) {
    switch (tensor.scalar_type()) {
        case torch::kFloat32:
            return graph::DType::F32;
        case torch::kFloat64:
            return graph::DType::F64;
        default:
            TORCH_CHECK(tensor.scalar_type() == torch::kInt64, "unsupported tensor type ",
                        tensor.scalar_type());
            return graph::DType::I64;
    }
}

torch::ScalarType scalarType(graph::DType dtype) {
    switch (dtype) {
        case graph::DType::F32:
            return torch::kFloat32;
        case graph::DType::F64:
            return torch::kFloat64;
        default:
            TORCH_CHECK(dtype == graph::DType::I64, "unsupported tensor type ", graph::toText(dtype));
            return torch::kInt64;
    }
}

}  // namespace

graph::Tensor fromTorch(const torch::Tensor& tensor) {
    const torch::Tensor host = tensor.detach().to(torch::kCPU).contiguous();
    graph::Tensor result{dtypeOf(host), host.sizes().vec(), {}};
    result.bytes.resize(host.nbytes());
    if (!result.bytes.empty()) std::memcpy(result.bytes.data(), host.data_ptr(), result.bytes.size());
    return result;
}

torch::Tensor toTorch(const graph::Tensor& tensor) {
    const torch::Tensor result = torch::empty(tensor.shape, scalarType(tensor.dtype));
    TORCH_CHECK(result.nbytes() == tensor.bytes.size(), "tensor of ", tensor.bytes.size(),
                " bytes has shape ", graph::toText(tensor.shape));
    if (!tensor.bytes.empty()) std::memcpy(result.data_ptr(), tensor.bytes.data(), tensor.bytes.size());
    return result;
}

}  // namespace bitloom::train
