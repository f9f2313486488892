// Runs and times models on the machine it runs on. Exit codes: 0 done, 1 a file or the machine failed, 2
// usage.
#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <new>
#include <sstream>
#include <string_view>

#include "engine/qsimd/runner/options.h"
#include "engine/qsimd/runner/print.h"
#include "engine/qsimd/runtime/model_file.h"

namespace bitloom::qsimd {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

int report(const std::string& problem, int code) {
    std::fprintf(stderr, "bitloom_runner: %s\n", problem.c_str());
    return code;
}

/// Images of `size` values; without a file one of a simple pattern. Empty message on success.
std::string readImages(const std::string& path, std::size_t size, std::vector<std::vector<float>>& images) {
    if (path.empty()) {
        std::vector<float>& image = images.emplace_back(size);
        for (std::size_t i = 0; i < size; ++i)
            image[i] = static_cast<float>(i * 7 % 11) / 11.0F - 0.45F;
        return {};
    }
    std::ifstream file(path, std::ios::binary);
    if (!file) return path + ": cannot be opened";
    std::vector<float> image(size);
    const auto bytes = static_cast<std::streamsize>(size * sizeof(float));
    while (file.read(reinterpret_cast<char*>(image.data()), bytes))
        images.push_back(image);
    if (file.gcount() != 0 || images.empty())
        return path + ": its size is no multiple of an image's " + std::to_string(bytes) + " bytes";
    return {};
}

/// A word of a schedule's line after the first five: "ahead=2". Empty on success.
std::string readWord(const std::string& word, Schedule& schedule) {
    constexpr int kMost = 1 << 20;
    struct Number {
        std::string_view name;
        int& value;
    };
    if (word == "decoded") {
        schedule.decoded = true;
        return {};
    }
    for (const Number& number : {Number{"ahead=", schedule.aheadKb}, Number{"part=", schedule.partKb},
                                 Number{"tiles=", schedule.tiles}}) {
        if (!word.starts_with(number.name)) continue;
        const char* end = word.data() + word.size();
        const auto [at, error] = std::from_chars(word.data() + number.name.size(), end, number.value);
        const bool usable = error == std::errc() && at == end && number.value >= 0 && number.value <= kMost;
        return usable ? std::string() : word + ": not a number from 0 to " + std::to_string(kMost);
    }
    return "unknown word " + word + "; this program knows ahead=KB, part=KB, tiles=N and decoded";
}

/// Adds a line of a schedule. Empty on success.
std::string readLine(const std::string& line, Dispatch& dispatch) {
    std::istringstream words(line);
    std::string family;
    std::string layer;
    std::string kernel;
    std::string split;
    std::string padding;
    if (!(words >> family)) return {};
    if (!(words >> layer >> kernel >> split >> padding))
        return "needs kernel family, layer, microkernel, split and padding";
    const std::optional<Family> of = familyOf(family);
    if (!of) return "unknown kernel family " + family;
    Schedule schedule;
    if (kernel != "auto") schedule.microkernel = kernel;
    const Microkernel* known = findMicrokernel(kernel);
    if (kernel != "auto" && known == nullptr) return kernel + " is no microkernel of this program";
    if (known != nullptr && !canRun(known->isa))
        return std::string("this processor lacks ") + isaName(known->isa);
    if (split != "auto" && split != "rows" && split != "channels") return "unknown split " + split;
    if (split != "auto") schedule.split = split == "channels" ? Split::Channels : Split::Rows;
    if (padding != "skip" && padding != "keep") return "unknown word " + padding;
    schedule.skipPadding = padding == "skip";
    for (std::string word; words >> word;) {
        if (std::string problem = readWord(word, schedule); !problem.empty()) return problem;
    }
    dispatch.schedules[{*of, layer}] = std::move(schedule);
    return {};
}

std::string readSchedule(const std::string& path, Dispatch& dispatch) {
    std::ifstream file(path);
    if (!file) return path + ": cannot be opened";
    std::string problem;
    int number = 0;
    for (std::string line; problem.empty() && std::getline(file, line); ++number)
        problem = readLine(line, dispatch);
    return problem.empty() ? problem : path + ", line " + std::to_string(number) + ": " + problem;
}

/// Of all images, one after another.
std::vector<float> outputsOf(Network& network, const std::vector<std::vector<float>>& images) {
    const std::size_t size = network.values(network.model().output).size();
    std::vector<float> outputs(size * images.size());
    for (std::size_t i = 0; i < images.size(); ++i)
        network.run(images[i].data(), outputs.data() + i * size);
    return outputs;
}

int writeOutputs(const std::string& path, const std::vector<float>& outputs) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(outputs.data()),
               static_cast<std::streamsize>(outputs.size() * sizeof(float)));
    file.close();
    return file ? 0 : report(path + ": cannot be written", kFailed);
}

int compareOutputs(const std::string& path, const std::vector<float>& outputs) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return report(path + ": cannot be opened", kFailed);
    std::vector<float> expected(outputs.size() + 1);
    file.read(reinterpret_cast<char*>(expected.data()),
              static_cast<std::streamsize>(expected.size() * sizeof(float)));
    const auto bytes = static_cast<std::size_t>(file.gcount());
    const std::string remedy = ": it belongs to another network or image; take all files of one export";
    if (bytes != outputs.size() * sizeof(float))
        return report(path + " does not hold the " + std::to_string(outputs.size()) +
                          " values that this model gives" + remedy,
                      kFailed);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        if (std::bit_cast<std::uint32_t>(outputs[i]) == std::bit_cast<std::uint32_t>(expected[i])) continue;
        std::string problem = path + ": value " + std::to_string(i) + " is " + std::to_string(expected[i]);
        problem += ", the model gives " + std::to_string(outputs[i]);
        return report(problem + remedy, kFailed);
    }
    std::printf("%zu values are equal to the bit\n", outputs.size());
    return 0;
}

int runAll(const RunnerOptions& options) {
    if (options.list) {
        std::fputs(kernelsAsJson(options.isa).c_str(), stdout);
        return 0;
    }
    std::vector<Dispatch> dispatches(std::max<std::size_t>(options.schedules.size(), 1));
    for (std::size_t i = 0; i < dispatches.size(); ++i) {
        dispatches[i].ceiling = options.isa;
        if (options.schedules.empty()) break;
        if (const std::string problem = readSchedule(options.schedules[i], dispatches[i]); !problem.empty())
            return report(problem, kFailed);
    }
    for (const int core : options.cores) {
        if (!ThreadPool::pin(core))
            return report("--cores: core " + std::to_string(core) + " is not to be had", kFailed);
    }
    Networks networks;
    for (const std::string& path : options.models) {
        Model model;
        if (const std::string problem = loadModel(path, model); !problem.empty())
            return report(problem, kFailed);
        const Dispatch& dispatch = dispatches[dispatches.size() == 1 ? 0 : networks.size()];
        auto& copies = networks.emplace_back();
        for (int i = 0; i < options.copies; ++i)
            copies.push_back(std::make_unique<Network>(model, dispatch, options.threads, options.cores));
        std::vector<std::vector<float>> images;
        const std::size_t size = copies.front()->values(0).size();
        if (const std::string problem = readImages(options.input, size, images); !problem.empty())
            return report(problem, kFailed);
        if (options.hashes) {
            std::fputs(hashesAsText(*copies.front(), images.front(), options.json).c_str(), stdout);
        } else if (!options.output.empty()) {
            return writeOutputs(options.output, outputsOf(*copies.front(), images));
        } else if (!options.expect.empty()) {
            return compareOutputs(options.expect, outputsOf(*copies.front(), images));
        }
        for (const auto& network : copies)
            network->setImage(images.front().data());
    }
    if (options.hashes) return 0;
    Measurement measurement =
        measure(networks, {options.warmup, options.repeat, options.block, options.perLayer});
    measurement.peak = measurePeak(options.isa);
    const std::string text = options.json ? timesAsJson(options, networks, measurement)
                                          : timesAsText(options, networks, measurement);
    return std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0 ? kFailed : 0;
}

}  // namespace
}  // namespace bitloom::qsimd

int main(int count, char** arguments) {
    using namespace bitloom::qsimd;
    RunnerOptions options;
    if (count == 2 && std::strcmp(arguments[1], "--help") == 0) {
        std::fputs(runnerHelp(), stdout);
        return 0;
    }
    if (const std::string problem = parseOptions(count, arguments, options); !problem.empty()) {
        std::fputs(runnerHelp(), stderr);
        return report(problem, kUsage);
    }
    try {
        return runAll(options);
    } catch (const std::bad_alloc&) {
        return report("not enough memory", kFailed);
    }
}
