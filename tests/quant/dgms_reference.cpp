#include "tests/quant/dgms_reference.h"

#include <cmath>
#include <numbers>

#include "engine/quant/dgms/dgms_init.h"

namespace bitloom::testing {

using quant::dgms::InitialMixture;
using quant::dgms::MixtureTensors;

torch::Tensor referenceSoft(const torch::Tensor& weight, const MixtureTensors& mixture, bool parity) {
    const std::int64_t groups = mixture.groups();
    const std::int64_t components = mixture.components();
    const auto rows = [&](const torch::Tensor& tensor) { return tensor.reshape({groups, 1, -1}); };
    const torch::Tensor mu = torch::cat({torch::zeros({groups, 1, 1}, torch::kFloat64), rows(mixture.mu)}, 2);
    const torch::Tensor sigma = rows(mixture.logSigma).exp();
    const torch::Tensor pi = rows(mixture.logPi).softmax(2);
    const torch::Tensor d = (weight.reshape({groups, -1, 1}) - mu) / sigma;
    torch::Tensor r;
    if (parity) {
        const torch::Tensor scaled =
            pi * torch::exp(-0.5 * d * d) / (sigma * std::sqrt(2 * std::numbers::pi));
        r = scaled / (scaled.sum(2, true) + 1e-11);
    } else {
        r = (pi.log() - sigma.log() - 0.5 * d * d).softmax(2);
    }
    const torch::Tensor phi = (r / mixture.tau.reshape({1, 1, 1})).softmax(2);
    TORCH_CHECK(phi.size(2) == components);
    return (phi * mu).sum(2).reshape(weight.sizes());
}

torch::Tensor layerWeights(std::int64_t channels, std::int64_t perChannel, std::uint64_t seed) {
    const at::Generator generator = at::detail::createCPUGenerator(seed);
    const torch::Tensor normal = torch::randn({channels, perChannel}, generator, torch::kFloat32);
    const torch::Tensor scale = 0.04 + 0.06 * torch::rand({channels, perChannel}, generator, torch::kFloat32);
    return normal * scale;
}

MixtureTensors startingMixture(const torch::Tensor& weight, int components, quant::SigmaInit sigma,
                               bool filterWise, double tau, torch::Dtype dtype, std::uint64_t seed) {
    const std::int64_t groups = filterWise ? weight.size(0) : 1;
    const std::int64_t perGroup = weight.numel() / groups;
    const torch::Tensor values = weight.to(torch::kFloat32).contiguous();
    torch::Tensor mu = torch::empty({groups, components - 1}, torch::kFloat64);
    torch::Tensor logSigma = torch::empty({groups, components}, torch::kFloat64);
    torch::Tensor logPi = torch::empty({groups, components}, torch::kFloat64);
    for (std::int64_t g = 0; g < groups; ++g) {
        const std::span<const float> row(values.data_ptr<float>() + g * perGroup,
                                         static_cast<std::size_t>(perGroup));
        const InitialMixture start = quant::dgms::initialMixture(row, components, sigma);
        TORCH_CHECK(start.mu.size() == static_cast<std::size_t>(components),
                    "too few distinct values for the test");
        mu[g].copy_(torch::tensor(start.mu, torch::kFloat64).slice(0, 1));
        // Above the floor, so that the random step below it (which the kernels clamp) does not happen.
        logSigma[g].copy_(torch::tensor(start.sigma, torch::kFloat64).clamp_min(2e-4).log());
        logPi[g].copy_(torch::tensor(start.pi, torch::kFloat64).log());
    }
    const at::Generator generator = at::detail::createCPUGenerator(seed);
    const auto leaf = [&](torch::Tensor tensor, double spread) {
        tensor = tensor + spread * torch::randn(tensor.sizes(), generator, torch::kFloat64);
        if (!filterWise) tensor = tensor.reshape({-1});
        return tensor.to(torch::kFloat32).to(dtype).detach().set_requires_grad(true);
    };
    return {leaf(mu, 1e-3), leaf(logSigma, 0.05), leaf(logPi, 0.1),
            torch::full({1}, tau, torch::kFloat32).to(dtype).set_requires_grad(true)};
}

}  // namespace bitloom::testing
