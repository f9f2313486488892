// Time of one training step of ResNet-20 on 32x32 images: full precision, DGMS on the same network with its
// soft and its hard forward, and full precision and hard DGMS in bfloat16. The steps of all alternate in one
// process. compare_step.sh pairs the full-precision step with Python PyTorch's.
//
//     bench_step [--steps 20] [--threads 2] [--batch 128] [--bits 4]
//
// Last line: JSON with the medians in seconds.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
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
    train::TrainOptions halfWidth;
    halfWidth.precision = train::Precision::BFloat16;
    train::TrainOptions hardHalfWidth = hardForward;
    hardHalfWidth.precision = train::Precision::BFloat16;
    struct Candidate {
        const char* key;
        bench::StepBench bench;
        train::TrainOptions options;
    };
    std::array candidates = {
        Candidate{"fp32", {"fp32", graph, none}, {}},
        Candidate{"soft_ratio", {"dgms, soft forward", graph, dgms}, {}},
        Candidate{"hard_ratio", {"dgms, hard forward", graph, dgms}, hardForward},
        Candidate{"bfloat16_ratio", {"bfloat16", graph, none}, halfWidth},
        Candidate{"hard_bfloat16_ratio", {"dgms, hard, bfloat16", graph, dgms}, hardHalfWidth}};
    const data::Batch batch = bench::randomBatch(settings.batch, data::ImageShape{}, 10);
    constexpr int kWarmup = 3;
    for (int i = 0; i < kWarmup + settings.steps; ++i) {
        for (Candidate& candidate : candidates) {
            if (i == kWarmup) candidate.bench.clearTimes();
            candidate.bench.step(batch, candidate.options);
        }
    }
    const double full = candidates.front().bench.quantile(0.5);
    fmt::memory_buffer json;
    for (const Candidate& candidate : candidates) {
        candidate.bench.print();
        const double median = candidate.bench.quantile(0.5);
        const bool first = &candidate == &candidates.front();
        fmt::format_to(std::back_inserter(json), "\"{}\": {:.5f}, ", candidate.key,
                       first ? median : median / full);
    }
    fmt::print("{{{}\"threads\": {}}}\n", fmt::to_string(json), settings.threads);
    return 0;
}
