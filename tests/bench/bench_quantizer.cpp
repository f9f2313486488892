// Time of one forward and backward of DGMS's soft quantization, layer-wise, against the same mathematics in
// torch operations that build [components, weights] tensors, as the published modules do. Both run
// interleaved in one process.
//
//     bench_quantizer [--repetitions 30] [--torch-repetitions 30] [--threads 2] [--dense] [--exact]
//
// --dense evaluates every component of every weight (no certified cells); --exact computes dL/dw too, where
// the default is the straight-through weight gradient of short runs.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <numbers>
#include <string_view>

#include <fmt/format.h>

#include "engine/quant/dgms/dgms_function.h"
#include "engine/quant/dgms/dgms_init.h"
#include "engine/quant/dgms/dgms_kernel.h"
#include "engine/quant/torch.h"

namespace {

using bitloom::quant::WeightGradient;
using bitloom::quant::dgms::MixtureTensors;
using bitloom::quant::dgms::SoftOptions;
using Clock = std::chrono::steady_clock;

struct Settings {
    int repetitions = 30;
    int torchRepetitions = 30;
    int threads = 2;
    SoftOptions options{.weightGradient = WeightGradient::StraightThrough};
};

MixtureTensors makeMixture(const torch::Tensor& weight, int components) {
    const std::span<const float> values(weight.data_ptr<float>(), static_cast<std::size_t>(weight.numel()));
    const auto start =
        bitloom::quant::dgms::initialMixture(values, components, bitloom::quant::SigmaInit::Standard);
    const auto leaf = [](const std::vector<double>& numbers) {
        return torch::tensor(numbers, torch::kFloat32).set_requires_grad(true);
    };
    return {leaf({start.mu.begin() + 1, start.mu.end()}),
            leaf(start.sigma).detach().log_().set_requires_grad(true),
            leaf(start.pi).detach().log_().set_requires_grad(true), leaf({0.01})};
}

torch::Tensor broadcastSoft(const torch::Tensor& weight, const MixtureTensors& m) {
    const torch::Tensor mu = torch::cat({torch::zeros(1), m.mu}).unsqueeze(1);
    const torch::Tensor sigma = m.logSigma.exp().unsqueeze(1);
    const torch::Tensor pi = m.logPi.softmax(0).unsqueeze(1);
    const torch::Tensor d = (weight.reshape({1, -1}) - mu) / sigma;
    const torch::Tensor scaled = pi * torch::exp(-0.5 * d * d) / (sigma * std::sqrt(2 * std::numbers::pi));
    const torch::Tensor r = scaled / (scaled.sum(0, true) + 1e-11);
    return ((r / m.tau).softmax(0) * mu).sum(0).reshape(weight.sizes());
}

/// Seconds of one forward and backward.
double timeStep(const std::function<torch::Tensor()>& forward, const torch::Tensor& weight,
                const MixtureTensors& m, const torch::Tensor& upstream) {
    const auto start = Clock::now();
    const torch::Tensor soft = forward();
    const auto gradients =
        torch::autograd::grad({soft}, {weight, m.mu, m.logSigma, m.logPi, m.tau}, {upstream});
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (gradients.size() != 5) std::abort();
    return seconds;
}

double quantile(std::vector<double> samples, double q) {
    std::sort(samples.begin(), samples.end());
    return samples[static_cast<std::size_t>(std::lround(q * static_cast<double>(samples.size() - 1)))];
}

void printRow(const char* name, const std::vector<double>& samples, std::int64_t weights) {
    const double median = quantile(samples, 0.5);
    fmt::print("  {:<8} median {:9.3f} ms  p10 {:9.3f}  p90 {:9.3f}  {:8.2f} M weights/s  ({} repetitions)\n",
               name, median * 1e3, quantile(samples, 0.1) * 1e3, quantile(samples, 0.9) * 1e3,
               static_cast<double>(weights) / median / 1e6, samples.size());
}

void measure(const std::vector<std::int64_t>& shape, int components, const Settings& settings) {
    torch::manual_seed(1);
    const torch::Tensor weight = (0.05 * torch::randn(shape)).set_requires_grad(true);
    const torch::Tensor upstream = torch::randn(shape);
    const MixtureTensors mixture = makeMixture(weight, components);
    const auto fused = [&] { return softWeights(weight, mixture, settings.options); };
    const auto plain = [&] { return broadcastSoft(weight, mixture); };
    for (int i = 0; i < 3; ++i)
        timeStep(fused, weight, mixture, upstream);
    std::vector<double> fusedSeconds;
    std::vector<double> plainSeconds;
    for (int i = 0; i < settings.repetitions; ++i) {
        fusedSeconds.push_back(timeStep(fused, weight, mixture, upstream));
        if (i < settings.torchRepetitions) plainSeconds.push_back(timeStep(plain, weight, mixture, upstream));
    }
    fmt::print("{} weights, {} components\n", weight.numel(), components);
    printRow("bitloom", fusedSeconds, weight.numel());
    if (plainSeconds.empty()) return;
    printRow("torch", plainSeconds, weight.numel());
    fmt::print("  ratio of medians {:.1f}\n", quantile(plainSeconds, 0.5) / quantile(fusedSeconds, 0.5));
}

bool parse(int count, char** words, Settings& settings) {
    for (int i = 1; i < count; ++i) {
        const std::string_view word = words[i];
        const bool hasValue = i + 1 < count;
        if (word == "--dense") {
            settings.options.prune = false;
        } else if (word == "--exact") {
            settings.options.weightGradient = WeightGradient::Exact;
        } else if (word == "--repetitions" && hasValue) {
            settings.repetitions = std::max(1, std::atoi(words[++i]));
        } else if (word == "--torch-repetitions" && hasValue) {
            settings.torchRepetitions = std::atoi(words[++i]);
        } else if (word == "--threads" && hasValue) {
            settings.threads = std::max(1, std::atoi(words[++i]));
        } else {
            return false;
        }
    }
    return true;
}

}  // namespace

int main(int count, char** words) {
    Settings settings;
    if (!parse(count, words, settings)) {
        fmt::print(stderr,
                   "usage: bench_quantizer [--repetitions N] [--torch-repetitions N] [--threads N] [--dense] "
                   "[--exact]\n");
        return 2;
    }
    at::set_num_threads(settings.threads);
    fmt::print("threads {}, target {}, cells {}, weight gradient {}\n", at::get_num_threads(),
               bitloom::quant::dgms::kernelTarget(), settings.options.prune ? "on" : "off",
               settings.options.weightGradient == WeightGradient::Exact ? "exact" : "straight-through");
    for (const std::vector<std::int64_t>& shape :
         {std::vector<std::int64_t>{300, 100, 3, 3}, {512, 512, 3, 3}}) {
        for (const int components : {4, 8, 16})
            measure(shape, components, settings);
    }
    return 0;
}
