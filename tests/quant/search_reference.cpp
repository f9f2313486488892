#include "tests/quant/search_reference.h"

namespace bitloom::testing {

torch::Tensor randomAlpha(std::int64_t values, const std::vector<std::int64_t>& shape, double spread,
                          std::uint64_t seed) {
    std::vector<std::int64_t> sizes{values};
    sizes.insert(sizes.end(), shape.begin(), shape.end());
    return spread * torch::randn(sizes, at::detail::createCPUGenerator(seed), torch::kFloat64);
}

torch::Tensor relativeLogits(const torch::Tensor& alpha, torch::Dtype dtype) {
    const torch::Tensor logits = quant::search::emptyLogits(alpha.sizes().slice(1), alpha.size(0) - 1, dtype);
    logits.copy_(alpha.slice(0, 1) - alpha[0]);
    return logits.set_requires_grad(true);
}

torch::Tensor publishedGradient(const torch::Tensor& alpha, const quant::search::Choice& choice,
                                const torch::Tensor& upstream) {
    std::vector<std::int64_t> column(static_cast<std::size_t>(alpha.dim()), 1);
    column[0] = alpha.size(0);
    const torch::Tensor values = torch::tensor(choice.values, torch::kFloat64).reshape(column);
    const torch::Tensor scaled = choice.scale * upstream;
    if (choice.rule == quant::search::Rule::Rdhs) {
        const torch::Tensor leaf = alpha.detach().clone().set_requires_grad(true);
        const torch::Tensor relaxed = (torch::softmax(leaf / choice.temperature, 0) * values).sum(0);
        return torch::autograd::grad({relaxed}, {leaf}, {scaled})[0];
    }
    const torch::Tensor chosen = torch::tensor(choice.values, torch::kFloat64).take(alpha.argmax(0));
    const torch::Tensor gradient = choice.gradientSign ? upstream.sign() : scaled;
    return gradient * (values - chosen).sign();
}

torch::Tensor factoredGradient(const torch::Tensor& alpha, const quant::search::Choice& choice,
                               const torch::Tensor& upstream) {
    const auto valuesLike = [](const torch::Tensor& logits, const std::vector<double>& values) {
        std::vector<std::int64_t> column(static_cast<std::size_t>(logits.dim()), 1);
        column[0] = logits.size(0);
        return torch::tensor(values, torch::kFloat64).reshape(column);
    };
    const std::vector<double> sizes(choice.values.end() - alpha.size(0) + 2, choice.values.end());
    const torch::Tensor leaf = alpha.detach().clone().set_requires_grad(true);
    const torch::Tensor ofSign = leaf.slice(0, 0, 2);
    const torch::Tensor ofSize = leaf.slice(0, 2);
    const torch::Tensor signs = valuesLike(ofSign, {-1, 1});
    const torch::Tensor magnitudes = valuesLike(ofSize, sizes);
    const torch::Tensor scaled = choice.scale * upstream;
    if (choice.rule == quant::search::Rule::Rdhs) {
        const torch::Tensor sign = (torch::softmax(ofSign / choice.temperature, 0) * signs).sum(0);
        const torch::Tensor size = (torch::softmax(ofSize / choice.temperature, 0) * magnitudes).sum(0);
        return torch::autograd::grad({sign * size}, {leaf}, {scaled})[0];
    }
    const torch::Tensor sign = torch::tensor({-1.0, 1.0}, torch::kFloat64).take(ofSign.argmax(0));
    const torch::Tensor size = torch::tensor(sizes, torch::kFloat64).take(ofSize.argmax(0));
    const torch::Tensor gradient = choice.gradientSign ? upstream.sign() : scaled;
    return torch::cat({gradient * (signs * size - sign * size).sign(),
                       gradient * (sign * magnitudes - sign * size).sign()});
}

torch::Tensor factoredLogits(const torch::Tensor& alpha, torch::Dtype dtype) {
    const torch::Tensor logits = quant::search::emptyLogits(alpha.sizes().slice(1), alpha.size(0) - 2, dtype);
    // The first magnitude's plane is the sign's.
    logits.copy_(torch::cat({alpha.slice(0, 1, 2) - alpha[0], alpha.slice(0, 3) - alpha[2]}));
    return logits.set_requires_grad(true);
}

Pass runPass(const torch::Tensor& logits, const quant::search::Choice& choice,
             const torch::Tensor& upstream) {
    const torch::Tensor weight = torch::zeros(logits.sizes().slice(1), logits.scalar_type());
    const torch::Tensor chosen = quant::search::chooseWeights(weight, logits, choice, nullptr, nullptr);
    return {chosen.detach().clone(),
            torch::autograd::grad({chosen}, {logits}, {upstream.to(logits.scalar_type())})[0]};
}

}  // namespace bitloom::testing
