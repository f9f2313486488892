// Time of one training step of ResNet-20 on 32x32 images: full precision, and DGMS on the same network
// with its soft and its hard forward. The steps of all three alternate in one process. compare_step.sh pairs
// the full-precision step with Python PyTorch's.
//
//     bench_step [--steps 20] [--threads 2] [--batch 128] [--bits 4]
//
// Last line: JSON with the medians in seconds.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "engine/base/random.h"
#include "engine/data/loader.h"
#include "engine/graph/zoo/zoo.h"
#include "engine/quant/registry.h"
#include "engine/quant/torch.h"
#include "engine/train/optimizer.h"
#include "engine/train/parameter_groups.h"
#include "engine/train/runtime.h"
#include "engine/train/training_step.h"

namespace {

using namespace bitloom;
using Clock = std::chrono::steady_clock;

struct Settings {
    int steps = 20;
    int threads = 2;
    int batch = 128;
    int bits = 4;
};

/// A network with its quantizers and optimizer, ready to step.
struct Bench {
    std::unique_ptr<train::Executor> executor;
    quant::QuantizerMap quantizers;
    std::unique_ptr<train::Sgd> optimizer;
    std::vector<double> seconds;
    bool hardForward = false;
};

template <class T>
T orExit(Result<T> result) {
    if (result.ok()) return std::move(result).value();
    fmt::print(stderr, "{}\n", result.error().message);
    std::exit(1);
}

Bench makeBench(bool quantized, int bits) {
    Bench bench;
    bench.executor = orExit(train::Executor::create(orExit(graph::zoo::makeModel("resnet20")), "cpu"));
    bench.executor->initialize(1);
    quant::QuantizerOptions options;
    options.layer = {quantized ? "dgms" : "none", 1 << bits};
    bench.quantizers =
        orExit(quant::makeQuantizers(bench.executor->graph(), bench.executor->state(), options, 1));
    train::TrainOptions rates;
    auto groups = orExit(train::makeParameterGroups(*bench.executor, bench.quantizers, rates));
    bench.optimizer = std::make_unique<train::Sgd>(std::move(groups), false);
    return bench;
}

data::Batch randomBatch(int count) {
    Random random({1});
    data::Batch batch;
    batch.count = count;
    batch.images.resize(static_cast<std::size_t>(count) * 3 * 32 * 32);
    for (float& pixel : batch.images)
        pixel = static_cast<float>(random.normal());
    for (int i = 0; i < count; ++i)
        batch.labels.push_back(static_cast<std::int64_t>(random.below(10)));
    return batch;
}

void step(Bench& bench, const data::Batch& batch) {
    const auto start = Clock::now();
    bench.optimizer->clearGradients();
    train::TrainOptions options;
    options.hardForward = bench.hardForward;
    orExit(train::forwardBackward(*bench.executor, bench.quantizers, batch, data::ImageShape{}, options));
    bench.optimizer->step(0.01, 0.9);
    bench.seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
}

double quantile(std::vector<double> samples, double q) {
    std::sort(samples.begin(), samples.end());
    return samples[static_cast<std::size_t>(std::lround(q * static_cast<double>(samples.size() - 1)))];
}

bool parse(int count, char** words, Settings& settings) {
    for (int i = 1; i + 1 < count; i += 2) {
        const std::string_view word = words[i];
        int* target = word == "--steps"     ? &settings.steps
                      : word == "--threads" ? &settings.threads
                      : word == "--batch"   ? &settings.batch
                      : word == "--bits"    ? &settings.bits
                                            : nullptr;
        if (!target) return false;
        *target = std::max(1, std::atoi(words[i + 1]));
    }
    return count % 2 == 1;
}

void print(const char* name, const Bench& bench) {
    fmt::print("{:<18} median {:.1f} ms  p10 {:.1f}  p90 {:.1f}\n", name, quantile(bench.seconds, 0.5) * 1e3,
               quantile(bench.seconds, 0.1) * 1e3, quantile(bench.seconds, 0.9) * 1e3);
}

}  // namespace

int main(int count, char** words) {
    Settings settings;
    if (!parse(count, words, settings)) {
        fmt::print(stderr, "usage: bench_step [--steps N] [--threads N] [--batch N] [--bits N]\n");
        return 2;
    }
    train::configureTorch(settings.threads);
    Bench full = makeBench(false, settings.bits);
    Bench soft = makeBench(true, settings.bits);
    Bench hard = makeBench(true, settings.bits);
    hard.hardForward = true;
    const data::Batch batch = randomBatch(settings.batch);
    constexpr int kWarmup = 3;
    for (int i = 0; i < kWarmup + settings.steps; ++i) {
        for (Bench* bench : {&full, &soft, &hard}) {
            if (i == kWarmup) bench->seconds.clear();
            step(*bench, batch);
        }
    }
    print("fp32", full);
    print("dgms, soft forward", soft);
    print("dgms, hard forward", hard);
    const double fullMedian = quantile(full.seconds, 0.5);
    fmt::print("{{\"fp32\": {:.5f}, \"soft_ratio\": {:.4f}, \"hard_ratio\": {:.4f}, \"threads\": {}}}\n",
               fullMedian, quantile(soft.seconds, 0.5) / fullMedian, quantile(hard.seconds, 0.5) / fullMedian,
               settings.threads);
    return 0;
}
