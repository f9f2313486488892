// `bitloom devices`, `bench` and `tune`: where networks run, and how fast.
#include <cmath>

#include <fmt/ranges.h>

#include "app/cli_contracts.h"
#include "app/cli_output.h"
#include "app/cli_progress.h"
#include "app/cli_verbs.h"
#include "app/stop_signals.h"
#include "engine/jobs/bench_job.h"
#include "engine/jobs/devices_job.h"
#include "engine/jobs/tune_job.h"

namespace bitloom::app {
namespace {

Json coreJson(const report::CpuCore& core) {
    return {{"index", core.index},
            {"capacity", core.capacity < 0 ? Json() : Json(core.capacity)},
            {"part", core.part},
            {"max_mhz", core.maxMHz},
            {"governor", core.governor},
            {"allowed", core.allowed},
            {"first_sibling", core.firstSibling < 0 ? Json() : Json(core.firstSibling)}};
}

Json deviceJson(const report::DeviceInfo& device) {
    Json json = {{"id", device.id},
                 {"name", device.name},
                 {"abi", device.abi},
                 {"state", device.state},
                 {"os", device.os},
                 {"cores", Json::array()},
                 {"features", device.features},
                 {"kernels", device.kernels},
                 {"memory_bytes", device.memoryBytes < 0 ? Json() : Json(device.memoryBytes)},
                 {"emulated", device.emulated},
                 {"problem", device.problem}};
    for (const report::CpuCore& core : device.cores)
        json["cores"].push_back(coreJson(core));
    return json;
}

Json conditionsJson(const report::DeviceConditions& conditions) {
    Json zones = Json::array();
    for (const report::ThermalZone& zone : conditions.zones)
        zones.push_back({{"name", zone.name}, {"celsius", zone.celsius}});
    return {{"core_mhz", conditions.coreMHz},
            {"zones", zones},
            {"hottest_celsius", conditions.hottestCelsius()},
            {"battery_percent", conditions.batteryPercent},
            {"battery_celsius", conditions.batteryCelsius}};
}

/// Clocks and temperatures before the first round of samples and after each.
Json traceJson(const std::vector<report::ConditionsSample>& trace) {
    Json json = Json::array();
    for (const report::ConditionsSample& sample : trace) {
        json.push_back({{"seconds", sample.seconds}});
        json.back().update(conditionsJson(sample.conditions));
    }
    return json;
}

/// "2800 MHz", "1766 to 2802 MHz" or "-".
std::string clockText(const report::DeviceConditions& conditions, const std::vector<int>& cores) {
    const report::ClockRange range = report::clocksOf(conditions, cores);
    if (std::isnan(range.lowMHz)) return "-";
    if (range.highMHz - range.lowMHz < 1) return fmt::format("{:.0f} MHz", range.lowMHz);
    return fmt::format("{:.0f} to {:.0f} MHz", range.lowMHz, range.highMHz);
}

std::string threadsText(const report::BenchResult& result) {
    if (result.cores.empty()) return fmt::format("{}, not pinned", result.threads);
    return fmt::format("{}, pinned to {} {}", result.threads, result.cores.size() == 1 ? "core" : "cores",
                       fmt::join(result.cores, ", "));
}

struct DevicesOptions {
    bool json = false;
};

int runDevices(const DevicesOptions& options) {
    JobControl control;
    const StopOnSignal signals([&control] { control.stop(); });
    const auto result = jobs::runConditionsJob(control);
    if (!result) return reportError(result.error());
    if (options.json) {
        Json json = {{"devices", Json::array()}, {"adb_problem", result->adbProblem}};
        for (std::size_t i = 0; i < result->devices.size(); ++i) {
            json["devices"].push_back(deviceJson(result->devices[i]));
            json["devices"].back()["conditions"] = conditionsJson(result->conditions[i]);
        }
        printJson(json);
        return 0;
    }
    Table table({"id", "name", "abi", "cores", "kernels", "hottest C", "state", "os"});
    for (std::size_t i = 0; i < result->devices.size(); ++i) {
        const report::DeviceInfo& device = result->devices[i];
        table.add({device.id, device.name, device.abi, std::to_string(device.cores.size()),
                   device.kernels.empty() ? "-" : std::to_string(device.kernels.size()),
                   numberText(result->conditions[i].hottestCelsius(), 3),
                   device.problem.empty() ? device.state : device.problem, device.os});
    }
    printText(table.text());
    if (!result->adbProblem.empty()) printText("Phones: " + result->adbProblem);
    return 0;
}

Json timingJson(const report::KernelTiming& timing) {
    Json json = {{"median_ms", timing.time.medianMs},
                 {"p10_ms", timing.time.p10Ms},
                 {"p90_ms", timing.time.p90Ms},
                 {"low_ms", timing.time.lowMs},
                 {"high_ms", timing.time.highMs},
                 {"samples", timing.samplesMs},
                 {"gmacs", timing.gmacs},
                 {"percent_of_peak", timing.percentOfPeak},
                 {"weight_bytes", timing.weightBytes},
                 {"verdict", report::toText(timing.time.verdict)}};
    if (timing.peakBytes >= 0) json["peak_bytes"] = timing.peakBytes;
    if (!timing.kernel.empty()) json["kernel"] = timing.kernel;
    return json;
}

Json benchJson(const report::BenchResult& result) {
    Json json = {{"arch", result.arch},
                 {"weights", result.origin},
                 {"device", deviceJson(result.device)},
                 {"before", conditionsJson(result.before)},
                 {"after", conditionsJson(result.after)},
                 {"trace", traceJson(result.trace)},
                 {"isa", result.isa},
                 {"threads", result.threads},
                 {"cores", result.cores},
                 {"macs", result.macs},
                 {"peak_gmacs", {{"fp32", result.peakFloatGmacs}, {"int8", result.peakInt8Gmacs}}},
                 {"tuned_layers", result.tunedLayers},
                 {"verdict", report::toText(result.verdict)},
                 {"reason", result.reason},
                 {"emulated", result.device.emulated},
                 {"network", Json::object()},
                 {"layers", Json::array()}};
    for (const report::KernelTiming& timing : result.network)
        json["network"][timing.family] = timingJson(timing);
    for (const report::LayerTiming& layer : result.layers) {
        Json entry = {{"name", layer.name}, {"shape", layer.shape}, {"macs", layer.macs}};
        for (const report::KernelTiming& timing : layer.kernels)
            entry[timing.family] = timingJson(timing);
        json["layers"].push_back(std::move(entry));
    }
    return json;
}

std::string milliseconds(double ms) {
    return std::isnan(ms) ? "-" : fmt::format("{:.3f}", ms);
}

/// Times and what they rest on; every speed stands beside the float baselines of the same run.
std::string benchText(const report::BenchResult& result) {
    const std::string governor = report::governorsOf(result.device, result.cores);
    std::string text = fieldsText(
        {{"Network", fmt::format("{}, {}", result.arch, result.origin)},
         {"Device",
          result.device.name + (result.device.emulated ? ": times say nothing about hardware" : "")},
         {"Instruction set",
          fmt::format("{}, {} kernels of it and weaker ones", result.isa, result.device.kernels.size())},
         {"Threads", threadsText(result)},
         {"Tuned layers", result.tunedLayers == 0 ? "none; bitloom tune finds the fastest kernels by timing"
                                                  : std::to_string(result.tunedLayers)},
         {"Governor", governor.empty() ? "-" : governor},
         {"Clock", fmt::format("{} -> {}", clockText(result.before, result.cores),
                               clockText(result.after, result.cores))},
         {"Hottest zone", fmt::format("{} -> {} C", numberText(result.before.hottestCelsius(), 3),
                                      numberText(result.after.hottestCelsius(), 3))},
         {"Verdict", fmt::format("{}: {}", report::toText(result.verdict), result.reason)}});
    double baseline = report::kNoValue;
    for (const report::KernelTiming& timing : result.network)
        if (timing.family == "tuned_fp32") baseline = timing.time.medianMs;
    Table network({"kernels", "median ms", "p10", "p90", "x tuned_fp32", "GMAC/s", "% of peak", "weight kB",
                   "memory kB"});
    for (const report::KernelTiming& timing : result.network)
        network.add({timing.family, milliseconds(timing.time.medianMs), milliseconds(timing.time.p10Ms),
                     milliseconds(timing.time.p90Ms), numberText(baseline / timing.time.medianMs, 3),
                     numberText(timing.gmacs, 4), numberText(timing.percentOfPeak, 3),
                     numberText(static_cast<double>(timing.weightBytes) / 1000, 4),
                     numberText(static_cast<double>(timing.peakBytes) / 1000, 4)});
    std::vector<std::string> header = {"layer", "shape"};
    for (const report::KernelTiming& timing : result.network)
        header.push_back(timing.family + " ms");
    Table layers(header);
    for (const report::LayerTiming& layer : result.layers) {
        std::vector<std::string> row = {layer.name, layer.shape};
        for (const report::KernelTiming& timing : layer.kernels)
            row.push_back(milliseconds(timing.time.medianMs));
        layers.add(std::move(row));
    }
    return text + "\n" + network.text() + "\n" + layers.text();
}

struct BenchOptions {
    jobs::BenchRequest request;
    std::vector<std::string> devices;  ///< of tune
    bool json = false;
};

int runBench(const BenchOptions& options) {
    JobControl control;
    const StopOnSignal signals([&control] { control.stop(); });
    TerminalSink sink;
    const auto soFar = [&sink](const report::BenchResult& result) {
        std::string times;
        for (const report::KernelTiming& timing : result.network)
            times += fmt::format("{}{} {} ms", times.empty() ? "" : ", ", timing.family,
                                 milliseconds(timing.time.medianMs));
        sink.log(fmt::format("after {} samples: {}", result.network.front().samplesMs.size(), times));
    };
    const auto result = jobs::runBenchJob(options.request, sink, control, soFar);
    if (!result) return reportError(result.error());
    options.json ? printJson(benchJson(*result)) : printText(benchText(*result));
    return 0;
}

Json tuneJson(const jobs::TuneResult& result) {
    Json json = {{"arch", result.arch},     {"device", deviceJson(result.device)},
                 {"isa", result.isa},       {"threads", result.threads},
                 {"rounds", result.rounds}, {"network", Json::object()},
                 {"layers", Json::array()}};
    for (std::size_t i = 0; i < result.before.size(); ++i)
        json["network"][result.before[i].family] = {{"before", timingJson(result.before[i])},
                                                    {"after", timingJson(result.after[i])}};
    for (const jobs::TunedLayer& layer : result.layers)
        json["layers"].push_back({{"name", layer.name},
                                  {"family", layer.family},
                                  {"shape", layer.shape},
                                  {"schedule", layer.schedule},
                                  {"chosen_ms", layer.chosenMs},
                                  {"tuned_ms", layer.tunedMs},
                                  {"candidates", layer.candidates}});
    return json;
}

std::string tuneText(const jobs::TuneResult& result) {
    Table layers({"kernels", "layer", "fastest schedule", "ms", "own choice ms", "tried"});
    for (const jobs::TunedLayer& layer : result.layers)
        layers.add({layer.family, layer.name, layer.schedule, milliseconds(layer.tunedMs),
                    milliseconds(layer.chosenMs), std::to_string(layer.candidates)});
    Table network({"kernels", "before ms", "after ms"});
    for (std::size_t i = 0; i < result.before.size(); ++i)
        network.add({result.before[i].family, milliseconds(result.before[i].time.medianMs),
                     milliseconds(result.after[i].time.medianMs)});
    return fieldsText({{"Network", result.arch},
                       {"Device", result.device.name},
                       {"Instruction set", result.isa},
                       {"Threads", std::to_string(result.threads)},
                       {"Rounds", result.rounds == 0 ? "0: all was known" : std::to_string(result.rounds)}}) +
           "\n" + layers.text() + "\n" + network.text();
}

int runTune(const BenchOptions& options) {
    JobControl control;
    const StopOnSignal signals([&control] { control.stop(); });
    TerminalSink sink;
    const auto results = jobs::runTuneJobs(options.request, options.devices, sink, control);
    int code = 0;
    Json json = Json::array();
    for (const Result<jobs::TuneResult>& result : results) {
        if (!result) {
            code = reportError(result.error());
            continue;
        }
        if (options.json) {
            json.push_back(tuneJson(*result));
        } else {
            printText(tuneText(*result));
        }
    }
    if (options.json && !json.empty()) printJson(results.size() == 1 ? json.front() : json);
    return code;
}

/// Options that bench and tune share; `families` are taken when none is named.
void addBenchOptions(CLI::App& verb, BenchOptions& options, const std::vector<std::string>& families) {
    jobs::BenchRequest& request = options.request;
    verb.add_option("RUN", request.run, "Run file with its checkpoints beside it");
    verb.add_option("--arch", request.arch, "A network of the zoo with random weights, in place of a run");
    verb.add_option("--bits", request.bits, "Of random weights")->capture_default_str();
    verb.add_option("--threads", request.threads, "Threads")->capture_default_str();
    verb.add_option("--cores", request.cores,
                    "Cores to pin threads to, as 4,5; else the fastest that may be used")
        ->delimiter(',');
    verb.add_option("--isa", request.isa, "Nothing stronger than this instruction set, as avx2 or neon");
    verb.add_option("--kernels", request.families, fmt::format("Of {}; else all", fmt::join(families, ", ")))
        ->delimiter(',');
    verb.add_option("--repeat", request.repeat, "Samples of each")->capture_default_str();
    verb.add_option("--copies", request.copies, "Networks used in turns, so that weights come from memory")
        ->capture_default_str();
    addContractOptions(verb, request.deployment);
    verb.add_flag("--json", options.json, "Print JSON");
}

}  // namespace

void addDevicesVerb(const VerbContext& context) {
    auto options = std::make_shared<DevicesOptions>();
    CLI::App* verb = addVerb<DevicesOptions>(
        context, "devices", "What networks can be timed on: this computer and phones behind adb",
        "  bitloom devices\n"
        "  bitloom devices --json\n",
        options, runDevices);
    verb->add_flag("--json", options->json, "Print JSON");
}

void addBenchVerb(const VerbContext& context) {
    auto options = std::make_shared<BenchOptions>();
    CLI::App* verb = addVerb<BenchOptions>(
        context, "bench",
        "Time a run's network on a device, beside float and int8 rivals; kept in RUN.bench.json",
        "  bitloom bench run.h5 --device host --threads 1\n"
        "  bitloom bench run.h5 --device SERIAL --json\n"
        "  bitloom bench --arch resnet18 --bits 4\n",
        options, runBench);
    addBenchOptions(*verb, *options, jobs::benchFamilies());
    verb->add_option("--device", options->request.device, "host, or a serial of 'bitloom devices'")
        ->capture_default_str();
}

void addTuneVerb(const VerbContext& context) {
    auto options = std::make_shared<BenchOptions>();
    CLI::App* verb = addVerb<BenchOptions>(context, "tune",
                                           "Find the fastest schedule of every layer on a device, by timing",
                                           "  bitloom tune run.h5 --device SERIAL\n"
                                           "  bitloom tune run.h5 --device SERIAL,SERIAL\n"
                                           "  bitloom tune --arch resnet18 --bits 4 --threads 2 --json\n",
                                           options, runTune);
    addBenchOptions(*verb, *options, jobs::tunableFamilies());
    options->devices = {"host"};
    verb->add_option("--device", options->devices,
                     "host, or serials of 'bitloom devices', tuned side by side")
        ->delimiter(',')
        ->capture_default_str();
}

}  // namespace bitloom::app
