// One training step of ResNet-18 with RDHS and SGT at 1, 2 and 3 bits against full precision: time, the steps
// of all networks alternating in one process, and peak resident memory, each network in a process of its own.
//
//     bench_search [--steps 15] [--threads 2] [--batch 32] [--image 64] [--half 1] [--factored 1]
//
// --half 0: float32 logits with a momentum each; --factored 0: one logit for each value; both as published,
// in place of the short recipe's. Last line: JSON with the ratios.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <list>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/train/runtime.h"
#include "tests/bench/step_bench.h"

namespace {

using namespace bitloom;

struct Settings {
    int steps = 15;
    int threads = 2;
    int batch = 32;
    int image = 64;
    int half = 1;
    int factored = 1;
    int memory = -1;  ///< a network's index: only a few of its steps, for the parent to read our peak
};

struct Candidate {
    const char* method;
    int bits;
};
constexpr std::array kCandidates = {Candidate{"none", 1}, Candidate{"rdhs", 1}, Candidate{"rdhs", 2},
                                    Candidate{"rdhs", 3}, Candidate{"sgt", 1},  Candidate{"sgt", 2},
                                    Candidate{"sgt", 3}};

bool parse(int count, char** words, Settings& settings) {
    for (int i = 1; i + 1 < count; i += 2) {
        const std::string_view word = words[i];
        int* target = word == "--steps"      ? &settings.steps
                      : word == "--threads"  ? &settings.threads
                      : word == "--batch"    ? &settings.batch
                      : word == "--image"    ? &settings.image
                      : word == "--half"     ? &settings.half
                      : word == "--factored" ? &settings.factored
                      : word == "--memory"   ? &settings.memory
                                             : nullptr;
        if (!target) return false;
        *target = std::atoi(words[i + 1]);
    }
    return count % 2 == 1 &&
           std::min({settings.steps, settings.threads, settings.batch, settings.image}) > 0 &&
           settings.memory < static_cast<int>(kCandidates.size());
}

std::string nameOf(const Candidate& candidate) {
    if (candidate.method == std::string_view("none")) return "fp32";
    return fmt::format("{} {} bits", candidate.method, candidate.bits);
}

quant::QuantizerOptions optionsOf(const Candidate& candidate, const Settings& settings) {
    quant::QuantizerOptions options;
    options.search.halfLogits = settings.half != 0;
    options.search.factored = settings.factored != 0;
    options.layer = {candidate.method, 1 << candidate.bits};
    return options;
}

/// Peak resident memory in bytes of this program run with `words` and --memory `index`; 0 where that failed.
double peakBytes(int count, char** words, std::size_t index) {
    const std::string number = std::to_string(index);
    std::string option = "--memory";
    std::vector<char*> arguments(words, words + count);
    arguments.push_back(option.data());
    std::string value = number;
    arguments.push_back(value.data());
    arguments.push_back(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
        ::execv("/proc/self/exe", arguments.data());
        ::_exit(127);
    }
    int status = 0;
    rusage usage{};
    if (child < 0 || ::wait4(child, &status, 0, &usage) != child || status != 0) return 0;
    return 1024.0 * static_cast<double>(usage.ru_maxrss);
}

}  // namespace

int main(int count, char** words) {
    Settings settings;
    if (!parse(count, words, settings)) {
        fmt::print(stderr,
                   "usage: bench_search [--steps N] [--threads N] [--batch N] [--image EDGE] [--half 0|1] "
                   "[--factored 0|1]\n");
        return 2;
    }
    std::vector<double> peaks;
    for (std::size_t i = 0; settings.memory < 0 && i < kCandidates.size(); ++i)
        peaks.push_back(peakBytes(count, words, i));

    train::configureTorch(settings.threads);
    const graph::Graph graph = bench::networkOrExit("resnet18", settings.image);
    const data::Batch batch = bench::randomBatch(settings.batch, {3, settings.image, settings.image}, 1000);
    if (settings.memory >= 0) {
        const Candidate& candidate = kCandidates[static_cast<std::size_t>(settings.memory)];
        bench::StepBench bench(nameOf(candidate), graph, optionsOf(candidate, settings));
        for (int i = 0; i < 3; ++i)
            bench.step(batch);
        return 0;
    }
    std::list<bench::StepBench> benches;
    for (const Candidate& candidate : kCandidates)
        benches.emplace_back(nameOf(candidate), graph, optionsOf(candidate, settings));
    constexpr int kWarmup = 2;
    for (int i = 0; i < kWarmup + settings.steps; ++i) {
        for (bench::StepBench& bench : benches) {
            if (i == kWarmup) bench.clearTimes();
            bench.step(batch);
        }
    }
    const double full = benches.front().quantile(0.5);
    std::string json;
    std::size_t i = 0;
    for (const bench::StepBench& bench : benches) {
        bench.print();
        const double time = bench.quantile(0.5) / full;
        const double memory = peaks[i] / peaks[0];
        fmt::print("    time {:.3f} x fp32, peak memory {:.1f} MB, {:.3f} x fp32\n", time, peaks[i] / 1e6,
                   memory);
        json += fmt::format("{}\"{}\": [{:.4f}, {:.4f}]", json.empty() ? "" : ", ", nameOf(kCandidates[i]),
                            time, memory);
        ++i;
    }
    fmt::print("{{{}}}\n", json);
    return 0;
}
