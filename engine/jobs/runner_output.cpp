#include "engine/jobs/runner_output.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "engine/device/timing.h"

namespace bitloom::jobs {
namespace {

using Json = nlohmann::json;

constexpr int kRunnerVersion = 1;

std::vector<double> milliseconds(const Json& nanoseconds) {
    std::vector<double> times;
    for (const Json& time : nanoseconds)
        times.push_back(time.get<double>() * 1e-6);
    return times;
}

/// Appends every list of samples in `more` to that in `to`, which is of the same shape.
void addSamples(const Json& more, Json& to) {
    for (const auto& [key, value] : more.items()) {
        Json& mine = to.at(key);
        if (key.ends_with("samples_ns") || key == "sentinel_ns") {
            mine.insert(mine.end(), value.begin(), value.end());
        } else if (value.is_object()) {
            addSamples(value, mine);
        } else if (value.is_array()) {
            for (std::size_t i = 0; i < value.size(); ++i)
                if (value[i].is_object()) addSamples(value[i], mine.at(i));
        }
    }
}

void readModel(const Json& model, const std::string& family, report::BenchResult& result) {
    double macs = 0;
    std::int64_t weights = 0;
    Arithmetic most = Arithmetic::Float32;
    std::size_t layer = 0;
    for (const Json& step : model.at("steps")) {
        const auto stepMacs = step.at("macs").get<std::int64_t>();
        if (step.at("kind") != "convolution") continue;
        macs += static_cast<double>(stepMacs);
        weights += step.at("prepared_bytes").get<std::int64_t>();
        const Arithmetic arithmetic = step.at("family") == "k2" ? Arithmetic::Int8 : Arithmetic::Float32;
        if (arithmetic == Arithmetic::Int8) most = arithmetic;
        if (result.layers.size() <= layer) {
            report::LayerTiming fresh;
            fresh.name = step.at("name");
            fresh.shape = step.at("shape");
            fresh.macs = stepMacs;
            result.layers.push_back(std::move(fresh));
        }
        report::KernelTiming timing = timingOf(family, milliseconds(step.at("samples_ns")),
                                               static_cast<double>(stepMacs), arithmetic, result);
        timing.kernel = step.at("kernel");
        timing.weightBytes = step.at("prepared_bytes");
        result.layers[layer++].kernels.push_back(std::move(timing));
    }
    report::KernelTiming whole = timingOf(family, milliseconds(model.at("samples_ns")), macs, most, result);
    whole.weightBytes = weights;
    whole.peakBytes = model.at("peak_bytes");
    result.macs = static_cast<std::int64_t>(macs);
    result.network.push_back(std::move(whole));
}

}  // namespace

report::KernelTiming timingOf(const std::string& family, std::vector<double> samplesMs, double macs,
                              Arithmetic arithmetic, const report::BenchResult& result) {
    report::KernelTiming timing;
    timing.family = family;
    timing.samplesMs = std::move(samplesMs);
    timing.time = device::summariseTimes(timing.samplesMs, result.sentinelMs);
    if (macs > 0 && timing.time.medianMs > 0) timing.gmacs = macs / timing.time.medianMs * 1e-6;
    const double peak = arithmetic == Arithmetic::Int8 ? result.peakInt8Gmacs : result.peakFloatGmacs;
    if (peak > 0) timing.percentOfPeak = 100 * timing.gmacs / (peak * result.threads);
    return timing;
}

Status readRunnerOutput(const std::vector<std::string>& rounds, const std::vector<std::string>& families,
                        report::BenchResult& result) {
    try {
        Json json = Json::parse(rounds.front());
        for (std::size_t round = 1; round < rounds.size(); ++round)
            addSamples(Json::parse(rounds[round]), json);
        if (json.at("runner") != kRunnerVersion)
            return fail("The runner is of another version than this program");
        result.isa = json.at("isa");
        result.threads = json.at("threads");
        result.cores = json.at("cores").get<std::vector<int>>();
        result.sentinelMs = milliseconds(json.at("sentinel_ns"));
        result.peakFloatGmacs = json.at("peak_gmacs").at("fp32");
        result.peakInt8Gmacs = json.at("peak_gmacs").at("int8");
        const Json& models = json.at("models");
        if (models.size() != families.size())
            return fail("The runner timed {} of {} models", models.size(), families.size());
        for (std::size_t i = 0; i < families.size(); ++i)
            readModel(models.at(i), families[i], result);
    } catch (const Json::exception& error) {
        return fail("The runner printed what cannot be read: {}", error.what());
    }
    const auto worst = std::ranges::max_element(result.network, {}, [](const report::KernelTiming& timing) {
        return static_cast<int>(timing.time.verdict);
    });
    result.verdict = worst->time.verdict;
    result.reason = worst->time.reason;
    return {};
}

}  // namespace bitloom::jobs
