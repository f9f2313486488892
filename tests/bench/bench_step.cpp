// Time of one training step of ResNet-20 on 32x32 images: full precision, and DGMS on the same network
// with its soft and its hard forward. The steps of all three alternate in one process. compare_step.sh pairs
// the full-precision step with Python PyTorch's.
//
//     bench_step [--steps 20] [--threads 2] [--batch 128] [--bits 4]
//
// Last line: JSON with the medians in seconds.
#include <algorithm>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

#include "engine/train/runtime.h"
#include "tests/bench/step_bench.h"

namespace {

using namespace bitloom;

struct Settings {
    int steps = 20;
    int threads = 2;
    int batch = 128;
    int bits = 4;
};

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

}  // namespace

int main(int count, char** words) {
    Settings settings;
    if (!parse(count, words, settings)) {
        fmt::print(stderr, "usage: bench_step [--steps N] [--threads N] [--batch N] [--bits N]\n");
        return 2;
    }
    train::configureTorch(settings.threads);
    const graph::Graph graph = bench::networkOrExit("resnet20");
    quant::QuantizerOptions none;
    none.layer.method = "none";
    quant::QuantizerOptions dgms;
    dgms.layer = {"dgms", 1 << settings.bits};
    train::TrainOptions hardForward;
    hardForward.hardForward = true;
    bench::StepBench full("fp32", graph, none);
    bench::StepBench soft("dgms, soft forward", graph, dgms);
    bench::StepBench hard("dgms, hard forward", graph, dgms);
    const data::Batch batch = bench::randomBatch(settings.batch, data::ImageShape{}, 10);
    constexpr int kWarmup = 3;
    for (int i = 0; i < kWarmup + settings.steps; ++i) {
        if (i == kWarmup) {
            for (bench::StepBench* bench : {&full, &soft, &hard})
                bench->clearTimes();
        }
        full.step(batch);
        soft.step(batch);
        hard.step(batch, hardForward);
    }
    for (const bench::StepBench* bench : {&full, &soft, &hard})
        bench->print();
    const double fullMedian = full.quantile(0.5);
    fmt::print("{{\"fp32\": {:.5f}, \"soft_ratio\": {:.4f}, \"hard_ratio\": {:.4f}, \"threads\": {}}}\n",
               fullMedian, soft.quantile(0.5) / fullMedian, hard.quantile(0.5) / fullMedian,
               settings.threads);
    return 0;
}
