#include "engine/jobs/bench_session.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "engine/base/atomic_file.h"
#include "engine/base/text.h"
#include "engine/device/core_choice.h"
#include "engine/device/elf.h"
#include "engine/graph/zoo/zoo.h"
#include "engine/jobs/runner_build.h"
#include "engine/jobs/workplace.h"
#include "engine/qsimd/calibrate.h"
#include "engine/qsimd/catalogue.h"
#include "engine/qsimd/runtime/model_file.h"
#include "engine/train/runtime.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;
using qsimd::Family;

constexpr const char* kRunnerName = "bitloom_runner";
constexpr const char* kImagesName = "images.bin";
constexpr const char* kOutputsName = "outputs.bin";
/// A slow phone, many samples, ImageNet networks and an emulator: minutes, not hours.
constexpr auto kRunTimeout = std::chrono::minutes(30);

/// Speed alone is asked: ranges from one made-up image.
Result<Deployment> deployRandom(const BenchRequest& request, JobControl& control) {
    BITLOOM_ASSIGN_OR_RETURN(const graph::Graph graph, graph::zoo::makeModel(request.arch));
    Deployment deployment;
    BITLOOM_ASSIGN_OR_RETURN(deployment.network, qsimd::randomNetwork(graph, 1 << request.bits, 1));
    std::vector<float>& image =
        deployment.images.emplace_back(static_cast<std::size_t>(graph::elementCount(graph.inputShape())));
    for (std::size_t i = 0; i < image.size(); ++i)
        image[i] = std::sin(static_cast<float>(i));
    BITLOOM_ASSIGN_OR_RETURN(deployment.lowering, loweringOptions(graph, request.deployment));
    BITLOOM_ASSIGN_OR_RETURN(deployment.lowering.activations,
                             qsimd::calibrate(deployment.network, deployment.images, 1, control));
    return deployment;
}

Result<qsimd::Model> lowerFor(const Deployment& deployment, Family family) {
    qsimd::LoweringOptions options = deployment.lowering;
    if (family != Family::K2) {
        options.contract = qsimd::Contract::Exact;
        options.contracts.clear();
        options.exactFamily = family;
    }
    return qsimd::lower(deployment.network, options);
}

/// Refuses what the device cannot run, before anything is built for it or sent to it.
Status checkInstructions(const report::DeviceInfo& device, const std::string& isa) {
    const auto processor = qsimd::processorOf(device.abi);
    if (!processor || device.features.empty()) return {};  // the runner asks the processor itself
    const std::vector<qsimd::InstructionSet>& sets = qsimd::instructionSets(*processor);
    const qsimd::InstructionSet* wanted = nullptr;
    const qsimd::InstructionSet* strongest = nullptr;
    std::vector<std::string> names;
    for (const qsimd::InstructionSet& set : sets) {
        names.push_back(set.name);
        if (set.name == isa) wanted = &set;
        if (device::missingFeatures(device, set.features).empty()) strongest = &set;
    }
    if (isa.empty()) return {};
    if (wanted == nullptr)
        return usageError("--isa {}: {} has no instruction set of that name; known are {}", isa, device.name,
                          joinNames(names));
    const std::vector<std::string> missing = device::missingFeatures(device, wanted->features);
    if (missing.empty()) return {};
    return fail(
        "--isa {}: {} lacks {}, which kernels of that name need; its strongest is {}: name that or leave "
        "--isa out",
        isa, device.name, joinNames(missing), strongest->name);
}

}  // namespace

Status checkRequest(const BenchRequest& request) {
    if (request.run.empty() == request.arch.empty())
        return usageError(
            "name either a run or a network: bitloom bench run.h5, or --arch resnet18 --bits 4");
    if (request.bits < 1 || request.bits > 8) return usageError("--bits is 1 to 8, not {}", request.bits);
    if (request.threads < 1 || request.repeat < 1 || request.copies < 1)
        return usageError("threads, repeat and copies are at least 1");
    if (!request.cores.empty() && request.cores.size() != static_cast<std::size_t>(request.threads))
        return usageError("--cores names {} cores for {} threads; name one a thread", request.cores.size(),
                          request.threads);
    const std::vector<std::string> known = benchFamilies();
    for (const std::string& family : request.families) {
        if (std::ranges::find(known, family) == known.end())
            return usageError("unknown kernel family '{}'; did you mean {}? Known: {}", family,
                              nearestName(family, known), joinNames(known));
    }
    return {};
}

std::vector<std::string> benchFamilies() {
    std::vector<std::string> names;
    for (const Family family : qsimd::kFamilies)
        names.emplace_back(qsimd::familyName(family));
    return names;
}

Result<BenchSession> BenchSession::open(const BenchRequest& request, report::ProgressSink& sink,
                                        JobControl& control) {
    BenchSession session;
    session.m_request = &request;
    session.m_sink = &sink;
    session.m_control = &control;
    sink.progress({"opening the device", 0, 0, 0, report::kNoValue});
    BITLOOM_ASSIGN_OR_RETURN(session.m_device, device::openDevice(request.device, control));
    const report::DeviceInfo& info = session.deviceInfo();
    BITLOOM_RETURN_IF_ERROR(checkInstructions(info, request.isa));
    session.chooseCores();
    BITLOOM_ASSIGN_OR_RETURN(const RunnerBuild runner, buildRunner(info.abi, runnerCache(), sink, control));
    sink.log(fmt::format("runner {}: {}", runner.cached ? "found" : "built", runner.compiler));
    BITLOOM_RETURN_IF_ERROR(session.lowerAll());
    BITLOOM_RETURN_IF_ERROR(session.putAll(runner.program.string()));
    BITLOOM_RETURN_IF_ERROR(session.askRunner());
    return session;
}

void BenchSession::chooseCores() {
    const report::DeviceInfo& info = deviceInfo();
    m_cores = m_request->cores.empty() ? device::chooseCores(info, m_request->threads) : m_request->cores;
    const std::string named = fmt::format("{}", fmt::join(m_cores, ", "));
    if (m_cores.empty()) {
        m_sink->log(fmt::format("{} threads are not pinned: {} lets this program use fewer cores",
                                m_request->threads, info.name));
    } else if (info.emulated) {
        // qemu-user would pin its own threads to cores of the computer it runs on.
        m_sink->log(fmt::format("threads are not pinned: cores {} of {} are emulated", named, info.name));
    } else {
        m_sink->log(
            fmt::format("threads are pinned to {} {}", m_cores.size() == 1 ? "core" : "cores", named));
    }
}

Status BenchSession::deployRun() {
    BITLOOM_ASSIGN_OR_RETURN(const RecordedRun run, readRecordedRun(m_request->run, *m_sink));
    train::configureTorch(run.spec.train.threads);
    BITLOOM_ASSIGN_OR_RETURN(m_quantized, deployedNetwork(run, m_request->run));
    BITLOOM_ASSIGN_OR_RETURN(m_deployment,
                             deploy(m_quantized, run.spec.data, m_request->deployment, *m_sink, *m_control));
    m_origin = m_request->run.filename().string();
    return {};
}

Status BenchSession::lowerAll() {
    if (m_request->run.empty()) {
        BITLOOM_ASSIGN_OR_RETURN(m_deployment, deployRandom(*m_request, *m_control));
        m_origin = fmt::format("random weights, {} bits", m_request->bits);
    } else {
        BITLOOM_RETURN_IF_ERROR(deployRun());
    }
    const std::vector<std::string>& wanted = m_request->families;
    for (const Family family : qsimd::kFamilies) {
        const std::string name = qsimd::familyName(family);
        if (!wanted.empty() && std::ranges::find(wanted, name) == wanted.end()) continue;
        BITLOOM_ASSIGN_OR_RETURN(qsimd::Model model, lowerFor(m_deployment, family));
        m_families.push_back(name);
        m_models.push_back(std::move(model));
    }
    return {};
}

Status BenchSession::putAll(const std::string& runner) {
    BITLOOM_RETURN_IF_ERROR(m_device->put(runner, kRunnerName, *m_control));
    BITLOOM_ASSIGN_OR_RETURN(const Workplace workplace, Workplace::make());
    for (std::size_t i = 0; i < m_models.size(); ++i) {
        m_sink->progress({"copying", static_cast<std::int64_t>(i), static_cast<std::int64_t>(m_models.size()),
                          0, report::kNoValue});
        const std::string file = m_families[i] + ".bitloom";
        BITLOOM_RETURN_IF_ERROR(writeFileAtomically(workplace / file, qsimd::toBytes(m_models[i])));
        BITLOOM_RETURN_IF_ERROR(m_device->put(workplace / file, file, *m_control));
    }
    return {};
}

Status BenchSession::askRunner() {
    BITLOOM_ASSIGN_OR_RETURN(const std::string text, run({kRunnerName, "--list"}));
    try {
        const auto json = nlohmann::json::parse(text);
        m_isa = json.at("isa");
        json.at("kernels").get_to(m_kernelNames);
        for (const auto& kernel : json.at("microkernels"))
            m_kernels.push_back(
                {kernel.at("name"), kernel.at("bytes"), kernel.at("pixels"), kernel.at("channels")});
    } catch (const nlohmann::json::exception& error) {
        return fail("The runner printed what cannot be read: {}", error.what());
    }
    return {};
}

Result<std::string> BenchSession::run(std::vector<std::string> arguments) {
    if (!m_request->isa.empty()) arguments.insert(arguments.end(), {"--isa", m_request->isa});
    BITLOOM_ASSIGN_OR_RETURN(device::CommandOutcome outcome,
                             m_device->run(arguments, kRunTimeout, *m_control));
    if (outcome.exitCode == 0) return std::move(outcome.out);
    return fail("{}: the runner failed: {}", deviceInfo().name, device::lastWords(outcome));
}

Result<std::string> BenchSession::time(const std::string& schedule, int repeat) {
    std::vector<std::string> models;
    for (const std::string& family : m_families)
        models.push_back(family + ".bitloom");
    return time(models, schedule.empty() ? std::vector<std::string>() : std::vector{schedule}, repeat);
}

Result<std::string> BenchSession::timeSchedules(std::size_t family, const std::vector<std::string>& schedules,
                                                int repeat) {
    return time(std::vector<std::string>(schedules.size(), m_families[family] + ".bitloom"), schedules,
                repeat);
}

Result<std::string> BenchSession::time(const std::vector<std::string>& models,
                                       const std::vector<std::string>& schedules, int repeat) {
    std::vector<std::string> arguments = {kRunnerName};
    arguments.insert(arguments.end(), models.begin(), models.end());
    const auto add = [&arguments](const std::string& name, const std::string& value) {
        arguments.push_back(name);
        arguments.push_back(value);
    };
    arguments.insert(arguments.end(), {"--json", "--per-layer"});
    add("--repeat", std::to_string(repeat));
    add("--threads", std::to_string(m_request->threads));
    add("--copies", std::to_string(m_request->copies));
    if (!pins().empty()) add("--cores", fmt::format("{}", fmt::join(pins(), ",")));
    BITLOOM_ASSIGN_OR_RETURN(const Workplace workplace, Workplace::make());
    for (std::size_t i = 0; i < schedules.size(); ++i) {
        const std::string name = fmt::format("schedule{}.txt", i);
        BITLOOM_RETURN_IF_ERROR(writeFileAtomically(workplace / name, schedules[i]));
        BITLOOM_RETURN_IF_ERROR(m_device->put(workplace / name, name, *m_control));
        add("--schedule", name);
    }
    return run(std::move(arguments));
}

Status BenchSession::putImages(std::span<const std::vector<float>> images) {
    std::string bytes;
    for (const std::vector<float>& image : images)
        bytes.append(reinterpret_cast<const char*>(image.data()), image.size() * sizeof(float));
    BITLOOM_ASSIGN_OR_RETURN(const Workplace workplace, Workplace::make());
    BITLOOM_RETURN_IF_ERROR(writeFileAtomically(workplace / kImagesName, bytes));
    return m_device->put(workplace / kImagesName, kImagesName, *m_control);
}

Result<std::string> BenchSession::hashes(std::size_t family, const std::vector<float>& image) {
    BITLOOM_RETURN_IF_ERROR(putImages({&image, 1}));
    return run({kRunnerName, m_families[family] + ".bitloom", "--json", "--hashes", "--input", kImagesName,
                "--threads", std::to_string(m_request->threads)});
}

Result<std::vector<float>> BenchSession::outputs(std::size_t family,
                                                 std::span<const std::vector<float>> images) {
    BITLOOM_RETURN_IF_ERROR(putImages(images));
    BITLOOM_ASSIGN_OR_RETURN(
        const std::string printed,
        run({kRunnerName, m_families[family] + ".bitloom", "--input", kImagesName, "--output", kOutputsName,
             "--threads", std::to_string(m_request->threads)}));
    BITLOOM_ASSIGN_OR_RETURN(const Workplace workplace, Workplace::make());
    BITLOOM_RETURN_IF_ERROR(m_device->fetch(kOutputsName, workplace / kOutputsName, *m_control));
    BITLOOM_ASSIGN_OR_RETURN(const std::string bytes, readFile(workplace / kOutputsName));
    std::vector<float> outputs(bytes.size() / sizeof(float));
    std::memcpy(outputs.data(), bytes.data(), outputs.size() * sizeof(float));
    return outputs;
}

std::string BenchSession::keyOf(const qsimd::Model& model, const qsimd::Convolution& step) const {
    const qsimd::Buffer& from = model.buffers[static_cast<std::size_t>(step.input)];
    const qsimd::Buffer& to = model.buffers[static_cast<std::size_t>(step.output)];
    const report::DeviceInfo& info = deviceInfo();
    std::string core = info.name;
    for (const report::CpuCore& c : info.cores) {
        if (m_cores.empty() || c.index != m_cores.front() || c.part.empty()) continue;
        // What an emulator finds fast says nothing about the core whose name it bears.
        core = info.emulated ? fmt::format("{}, {}", info.name, c.part) : c.part;
    }
    return fmt::format("{} {} threads {}: {} {}x{}x{} -> {}x{}x{}, {}x{} /{} pad {} groups {} bits {}{}",
                       core, m_isa, m_request->threads, qsimd::familyName(step.family), from.channels,
                       from.height, from.width, to.channels, to.height, to.width, step.kernelHeight,
                       step.kernelWidth, step.strideHeight, step.paddingHeight, step.groups, step.indexBits,
                       step.residual >= 0 ? " + residual" : "");
}

std::string BenchSession::prefixOf(const qsimd::Convolution& step) {
    return fmt::format("{} {} ", qsimd::familyName(step.family), step.layer);
}

std::string BenchSession::bestSchedule(const ScheduleCache& cache, int& count) const {
    std::string text;
    std::set<std::string> layers;
    for (const qsimd::Model& model : m_models) {
        for (const qsimd::Step& s : model.steps) {
            const auto* step = std::get_if<qsimd::Convolution>(&s);
            if (step == nullptr) continue;
            const std::optional<Candidate> best = cache.best(keyOf(model, *step));
            if (!best) continue;
            text += prefixOf(*step) + *best + "\n";
            layers.insert(step->layer);
        }
    }
    count = static_cast<int>(layers.size());
    return text;
}

}  // namespace bitloom::jobs
