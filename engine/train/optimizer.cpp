#include "engine/train/optimizer.h"

#include <cstdint>
#include <span>
#include <utility>

#include <ATen/Parallel.h>

#include "engine/quant/memory_order.h"
#include "engine/train/tensor_conversion.h"

namespace bitloom::train {
namespace {

constexpr std::int64_t kGrain = 1 << 15;  // elements a thread takes at least

struct Coefficients {
    float rate;
    float decay;
    float momentum;
};

template <bool kNesterov>
void updateSpan(std::span<float> parameter, const float* gradient, float* buffer, Coefficients c) {
    for (std::size_t i = 0; i < parameter.size(); ++i) {
        const float direction = gradient[i] + c.decay * parameter[i];
        buffer[i] = c.momentum * buffer[i] + direction;
        parameter[i] -= c.rate * (kNesterov ? direction + c.momentum * buffer[i] : buffer[i]);
    }
}

/// All three dense, float32 and of one memory order, so that memory order is one common order.
void updateFused(const torch::Tensor& parameter, const torch::Tensor& gradient, const torch::Tensor& buffer,
                 Coefficients c, bool nesterov) {
    auto* p = parameter.data_ptr<float>();
    const auto* g = gradient.data_ptr<float>();
    auto* b = buffer.data_ptr<float>();
    at::parallel_for(0, parameter.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
        const std::span<float> part(p + begin, static_cast<std::size_t>(end - begin));
        nesterov ? updateSpan<true>(part, g + begin, b + begin, c)
                 : updateSpan<false>(part, g + begin, b + begin, c);
    });
}

/// Any device and layout.
void updateByOperators(torch::Tensor parameter, const torch::Tensor& gradient, torch::Tensor buffer,
                       double rate, double decay, double momentum, bool nesterov) {
    const torch::Tensor direction = gradient.add(parameter, decay);
    buffer.mul_(momentum).add_(direction);
    parameter.add_(nesterov ? direction.add(buffer, momentum) : buffer, -rate);
}

Coefficients coefficientsOf(const ParameterGroup& group, double rateFactor, double momentum) {
    return {static_cast<float>(group.rate * rateFactor), static_cast<float>(group.decay),
            static_cast<float>(momentum)};
}

/// Streamed parameters in half precision: their momentum is that of their weight.
bool isCompact(const NamedTensor& named) {
    return named.stream && named.tensor.scalar_type() == torch::kHalf;
}

/// Zero. Gradients span many powers of two, which a compact buffer's bfloat16 does too.
torch::Tensor emptyBuffer(const NamedTensor& named) {
    const torch::Tensor tensor = named.tensor.detach();
    if (isCompact(named)) return torch::zeros_like(tensor.select(0, 0), torch::kBFloat16);
    return torch::zeros_like(tensor);
}

void beginCompact(const NamedTensor& named, const torch::Tensor& buffer, Coefficients c, bool nesterov) {
    named.stream->weightStep = {static_cast<BFloat16Bits*>(buffer.data_ptr()), c.momentum, nesterov, c.rate,
                                c.decay / (1 - c.momentum)};
}

void beginPieces(const NamedTensor& named, const torch::Tensor& buffer, Coefficients c, bool nesterov) {
    auto* parameter = named.tensor.data_ptr<float>();
    auto* first = buffer.data_ptr<float>();
    named.stream->update = [=](std::int64_t begin, std::span<const float> gradient) {
        const std::span<float> part(parameter + begin, gradient.size());
        nesterov ? updateSpan<true>(part, gradient.data(), first + begin, c)
                 : updateSpan<false>(part, gradient.data(), first + begin, c);
    };
}

bool isFusable(const torch::Tensor& parameter, const torch::Tensor& gradient) {
    return parameter.is_cpu() && parameter.scalar_type() == torch::kFloat32 &&
           parameter.is_non_overlapping_and_dense() && gradient.is_non_overlapping_and_dense() &&
           quant::sameMemoryOrder(parameter, gradient);
}

}  // namespace

Sgd::Sgd(std::vector<ParameterGroup> groups, bool nesterov)
    : m_groups(std::move(groups)), m_nesterov(nesterov) {
    for (const ParameterGroup& group : m_groups) {
        auto& buffers = m_buffers.emplace_back();
        for (const NamedTensor& named : group.tensors)
            buffers.push_back(emptyBuffer(named));
    }
}

void Sgd::beginStep(double rateFactor, double momentum) {
    for (std::size_t g = 0; g < m_groups.size(); ++g) {
        const ParameterGroup& group = m_groups[g];
        const Coefficients coefficients = coefficientsOf(group, rateFactor, momentum);
        for (std::size_t i = 0; i < group.tensors.size(); ++i) {
            const NamedTensor& named = group.tensors[i];
            if (!named.stream) continue;
            const torch::Tensor& buffer = m_buffers[g][i];
            isCompact(named) ? beginCompact(named, buffer, coefficients, m_nesterov)
                             : beginPieces(named, buffer, coefficients, m_nesterov);
        }
    }
}

void Sgd::step(double rateFactor, double momentum) {
    const torch::NoGradGuard guard;
    for (std::size_t g = 0; g < m_groups.size(); ++g) {
        const ParameterGroup& group = m_groups[g];
        const double rate = group.rate * rateFactor;
        const Coefficients coefficients = coefficientsOf(group, rateFactor, momentum);
        for (std::size_t i = 0; i < group.tensors.size(); ++i) {
            if (group.tensors[i].stream) group.tensors[i].stream->end();
            const torch::Tensor& parameter = group.tensors[i].tensor;
            const torch::Tensor& gradient = parameter.grad();
            if (!gradient.defined()) continue;
            if (isFusable(parameter, gradient)) {
                updateFused(parameter, gradient, m_buffers[g][i], coefficients, m_nesterov);
            } else {
                updateByOperators(parameter, gradient, m_buffers[g][i], rate, group.decay, momentum,
                                  m_nesterov);
            }
        }
    }
}

void Sgd::clearGradients() {
    for (ParameterGroup& group : m_groups) {
        for (NamedTensor& named : group.tensors)
            named.tensor.mutable_grad().reset();
    }
}

graph::StateDict Sgd::state() const {
    graph::StateDict state;
    for (std::size_t g = 0; g < m_groups.size(); ++g) {
        for (std::size_t i = 0; i < m_buffers[g].size(); ++i) {
            state[m_groups[g].name + "/" + m_groups[g].tensors[i].name] =
                fromTorch(m_buffers[g][i].to(torch::kFloat32));
        }
    }
    return state;
}

Status Sgd::restore(const graph::StateDict& state) {
    for (std::size_t g = 0; g < m_groups.size(); ++g) {
        for (std::size_t i = 0; i < m_buffers[g].size(); ++i) {
            const std::string name = m_groups[g].name + "/" + m_groups[g].tensors[i].name;
            const auto found = state.find(name);
            if (found == state.end()) return fail("momentum of {} is missing from the checkpoint", name);
            torch::Tensor& buffer = m_buffers[g][i];
            if (found->second.dtype != graph::DType::F32 || found->second.shape != buffer.sizes().vec()) {
                return fail("momentum of {} is {} {} in the checkpoint instead of float32 {}", name,
                            graph::toText(found->second.dtype), graph::toText(found->second.shape),
                            graph::toText(buffer.sizes().vec()));
            }
            buffer.copy_(toTorch(found->second));
        }
    }
    return {};
}

}  // namespace bitloom::train
