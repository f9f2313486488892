#include "engine/jobs/onednn_rival.h"

#include <algorithm>
#include <cstdlib>
#include <system_error>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "engine/base/atomic_file.h"
#include "engine/device/command.h"
#include "engine/jobs/runner_output.h"
#include "engine/jobs/workplace.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr auto kTimeout = std::chrono::minutes(20);

/// Lines that the rival reads.
std::string layersText(const qsimd::Model& model) {
    std::string text;
    for (const qsimd::Step& s : model.steps) {
        const auto* step = std::get_if<qsimd::Convolution>(&s);
        if (step == nullptr) continue;
        const qsimd::Buffer& from = model.buffers[static_cast<std::size_t>(step->input)];
        const qsimd::Buffer& to = model.buffers[static_cast<std::size_t>(step->output)];
        text +=
            fmt::format("{} {} {} {} {} {} {} {} {} {} {}\n", step->layer, from.channels, from.height,
                        from.width, to.channels, step->kernelHeight, step->kernelWidth, step->strideHeight,
                        step->paddingHeight, step->groups, step->residual >= 0 ? 1 : 0);
    }
    return text;
}

/// Adds one family; `key` is its name in the rival's JSON, of which there is one a round.
void addFamily(const std::vector<Json>& rounds, const std::string& key, const std::string& family,
               report::BenchResult& result) {
    const Arithmetic arithmetic = key == "int8" ? Arithmetic::Int8 : Arithmetic::Float32;
    std::vector<double> sums;
    bool whole = true;
    std::int64_t weightBytes = 0;
    std::int64_t activations = 0;  // of the largest layer
    for (report::LayerTiming& layer : result.layers) {
        std::vector<double> samples;
        std::int64_t bytes = 0;
        for (const Json& round : rounds) {
            for (const Json& timed : round.at("layers")) {
                if (timed.at("name") != layer.name) continue;
                bytes = timed.at(key).at("weight_bytes");
                activations = std::max(activations, timed.at(key).at("activation_bytes").get<std::int64_t>());
                for (const Json& time : timed.at(key).at("samples_ns"))
                    samples.push_back(time.get<double>() * 1e-6);
            }
        }
        whole = whole && !samples.empty();
        sums.resize(std::max(sums.size(), samples.size()));
        for (std::size_t i = 0; i < samples.size(); ++i)
            sums[i] += samples[i];
        weightBytes += bytes;
        layer.kernels.push_back(
            timingOf(family, std::move(samples), static_cast<double>(layer.macs), arithmetic, result));
        layer.kernels.back().weightBytes = bytes;
    }
    if (!whole) return;
    result.network.push_back(
        timingOf(family, std::move(sums), static_cast<double>(result.macs), arithmetic, result));
    result.network.back().weightBytes = weightBytes;
    result.network.back().peakBytes = weightBytes + activations;
}

}  // namespace

std::optional<fs::path> onednnRival() {
    std::error_code error;
    if (const char* named = std::getenv("BITLOOM_ONEDNN_RIVAL"); named != nullptr && fs::exists(named, error))
        return named;
    const fs::path beside = fs::read_symlink("/proc/self/exe", error).parent_path() / "onednn_rival";
    return !error && fs::exists(beside, error) ? std::optional(beside) : std::nullopt;
}

Result<std::string> timeOnednn(const fs::path& rival, const qsimd::Model& model, const RivalRun& run,
                               const JobControl& control) {
    BITLOOM_ASSIGN_OR_RETURN(const Workplace workplace, Workplace::make());
    BITLOOM_RETURN_IF_ERROR(writeFileAtomically(workplace / "layers.txt", layersText(model)));
    device::Command command;
    if (!run.cores.empty()) {
        // OpenMP binds its threads, the first one included, to places in their order.
        command.arguments = {"env", fmt::format("OMP_PLACES={{{}}}", fmt::join(run.cores, "},{")),
                             "OMP_PROC_BIND=close"};
    }
    command.arguments.insert(
        command.arguments.end(),
        {rival.string(), (workplace / "layers.txt").string(), std::to_string(run.threads),
         std::to_string(run.repeat), std::to_string(run.copies)});
    command.timeout = kTimeout;
    BITLOOM_ASSIGN_OR_RETURN(device::CommandOutcome outcome, device::runCommand(command, control));
    if (outcome.exitCode != 0) return fail("{}: {}", rival.string(), device::lastWords(outcome));
    return std::move(outcome.out);
}

Status addOnednn(const std::vector<std::string>& rounds, report::BenchResult& result) {
    try {
        std::vector<Json> printed;
        printed.reserve(rounds.size());
        for (const std::string& round : rounds)
            printed.push_back(Json::parse(round));
        addFamily(printed, "fp32_direct", "onednn_fp32_direct", result);
        addFamily(printed, "fp32", "onednn_fp32", result);
        addFamily(printed, "int8", "onednn_int8", result);
    } catch (const Json::exception& error) {
        return fail("oneDNN's program printed what cannot be read: {}", error.what());
    }
    return {};
}

}  // namespace bitloom::jobs
