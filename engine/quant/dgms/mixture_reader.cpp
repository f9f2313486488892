#include "engine/quant/dgms/mixture_reader.h"

namespace bitloom::quant::dgms {
namespace {

torch::Tensor onHost(const torch::Tensor& tensor) {
    return tensor.detach().to(torch::kCPU, torch::kFloat64).contiguous();
}

}  // namespace

std::vector<Components> readComponents(const MixtureTensors& mixture, bool parity) {
    const torch::Tensor mu = onHost(mixture.mu);
    const torch::Tensor logSigma = onHost(mixture.logSigma);
    const torch::Tensor logPi = onHost(mixture.logPi);
    const double tau = onHost(mixture.tau).item<double>();
    const std::int64_t components = mixture.components();
    std::vector<Components> result;
    result.reserve(static_cast<std::size_t>(mixture.groups()));
    for (std::int64_t group = 0; group < mixture.groups(); ++group) {
        result.push_back(makeComponents(mu.data_ptr<double>() + group * (components - 1),
                                        logSigma.data_ptr<double>() + group * components,
                                        logPi.data_ptr<double>() + group * components,
                                        static_cast<int>(components), tau, parity));
    }
    return result;
}

}  // namespace bitloom::quant::dgms
