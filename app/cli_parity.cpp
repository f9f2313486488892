// `bitloom parity`: does a device compute what this program and libtorch compute?
#include <cmath>

#include "app/cli_contracts.h"
#include "app/cli_output.h"
#include "app/cli_progress.h"
#include "app/cli_verbs.h"
#include "app/stop_signals.h"
#include "engine/jobs/parity_job.h"

namespace bitloom::app {
namespace {

struct ParityOptions {
    jobs::ParityRequest request;
    bool json = false;
};

Json shareJson(std::int64_t part, std::int64_t whole) {
    return whole == 0 ? Json() : Json(100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

Json networkJson(const report::ParityNetwork& network) {
    Json json = {{"diverges", network.diverges.empty() ? Json() : Json(network.diverges)},
                 {"bound", network.bound},
                 {"exceeds", network.exceeds.empty() ? Json() : Json(network.exceeds)},
                 {"images", network.images},
                 {"same_outputs", network.sameOutputs},
                 {"top1_agreement", shareJson(network.sameClass, network.images)},
                 {"top1_device", network.top1Device},
                 {"top1_libtorch", network.top1Reference},
                 {"steps", Json::array()}};
    for (const report::ParityStep& step : network.steps)
        json["steps"].push_back({{"name", step.name},
                                 {"same_output", step.sameOutput},
                                 {"same_sums", step.sameSums},
                                 {"error_to_libtorch", step.error}});
    return json;
}

Json parityJson(const report::ParityResult& result) {
    Json json = {{"arch", result.arch},
                 {"weights", result.origin},
                 {"device", {{"id", result.device.id}, {"name", result.device.name}}},
                 {"emulated", result.device.emulated},
                 {"isa", result.isa},
                 {"passed", result.passed},
                 {"networks", Json::object()}};
    for (const report::ParityNetwork& network : result.networks)
        json["networks"][network.family] = networkJson(network);
    return json;
}

std::string verdictOf(const report::ParityNetwork& network) {
    if (!network.diverges.empty()) return "differs from this computer, first at " + network.diverges;
    if (!network.exceeds.empty())
        return "differs from libtorch beyond its bound, first at " + network.exceeds;
    if (network.sameOutputs != network.images)
        return fmt::format("scores of {} images differ", network.images - network.sameOutputs);
    return "equal to the bit";
}

std::string parityText(const report::ParityResult& result) {
    Table table({"kernels", "device and here", "worst layer against libtorch", "images",
                 "same class as libtorch", "top-1 device", "top-1 libtorch"});
    for (const report::ParityNetwork& network : result.networks) {
        const report::ParityStep* worst = nullptr;
        for (const report::ParityStep& step : network.steps)
            if (!std::isnan(step.error) && (worst == nullptr || step.error > worst->error)) worst = &step;
        const double agreement =
            100.0 * static_cast<double>(network.sameClass) / static_cast<double>(network.images);
        table.add({network.family, verdictOf(network),
                   worst == nullptr ? "-" : fmt::format("{} {:.1e}", worst->name, worst->error),
                   std::to_string(network.images), percentText(agreement), percentText(network.top1Device),
                   percentText(network.top1Reference)});
    }
    return fieldsText({{"Network", fmt::format("{}, {}", result.arch, result.origin)},
                       {"Device", result.device.name},
                       {"Instruction set", result.isa},
                       {"Parity", result.passed ? "yes" : "NO"}}) +
           "\n" + table.text();
}

int runParity(const ParityOptions& options) {
    JobControl control;
    const StopOnSignal signals([&control] { control.stop(); });
    TerminalSink sink;
    const auto result = jobs::runParityJob(options.request, sink, control);
    if (!result) return reportError(result.error());
    options.json ? printJson(parityJson(*result)) : printText(parityText(*result));
    return result->passed ? 0 : 1;
}

}  // namespace

void addParityVerb(const VerbContext& context) {
    auto options = std::make_shared<ParityOptions>();
    jobs::ParityRequest& request = options->request;
    CLI::App* verb = addVerb<ParityOptions>(
        context, "parity", "Compare a run's network on a device with this computer and with libtorch",
        "  bitloom parity run.h5 --device SERIAL\n"
        "  bitloom parity run.h5 --images 10000 --json\n"
        "  bitloom parity run.h5 --exact conv1 --exact fc\n",
        options, runParity);
    verb->add_option("RUN", request.run, "Run file with its checkpoints beside it")->required();
    verb->add_option("--device", request.device, "host or the serial of a phone (bitloom devices)")
        ->capture_default_str();
    verb->add_option("--threads", request.threads, "Threads on the device")->capture_default_str();
    verb->add_option("--isa", request.isa, "Nothing stronger than this instruction set, as avx2 or neon");
    verb->add_option("--images", request.images, "Of the run's test set, the first ones")
        ->capture_default_str();
    addContractOptions(*verb, request.deployment);
    verb->add_flag("--json", options->json, "Print JSON");
}

}  // namespace bitloom::app
