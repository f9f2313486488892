#include "engine/jobs/bench_job.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <thread>

#include "engine/base/atomic_file.h"
#include "engine/base/text.h"
#include "engine/device/device.h"
#include "engine/graph/zoo/zoo.h"
#include "engine/jobs/deployment.h"
#include "engine/jobs/runner_build.h"
#include "engine/jobs/runner_output.h"
#include "engine/qsimd/calibrate.h"
#include "engine/qsimd/runtime/model_file.h"
#include "engine/train/runtime.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;
using qsimd::Family;

constexpr Family kFamilies[] = {Family::NaiveFp32, Family::TunedFp32, Family::PaperCodebook, Family::K0,
                                Family::K2};
constexpr const char* kRunnerName = "bitloom_runner";
/// A slow phone, many samples, ImageNet networks and an emulator: minutes, not hours.
constexpr auto kRunTimeout = std::chrono::minutes(30);

/// A folder of our own for what goes to the device; removed with all in it.
class Workplace {
  public:
    static Result<Workplace> make() {
        std::string name = (fs::temp_directory_path() / "bitloom-bench-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) return fail("{}: cannot be made", name);
        return Workplace(name);
    }
    ~Workplace() {
        std::error_code ignored;
        if (!m_path.empty()) fs::remove_all(m_path, ignored);
    }
    Workplace(Workplace&& other) noexcept : m_path(std::exchange(other.m_path, {})) {}
    Workplace& operator=(Workplace&&) = delete;
    [[nodiscard]] fs::path operator/(const std::string& name) const { return m_path / name; }

  private:
    explicit Workplace(fs::path path) : m_path(std::move(path)) {}
    fs::path m_path;
};

Status checkRequest(const BenchRequest& request) {
    if (request.run.empty() == request.arch.empty())
        return usageError(
            "name either a run or a network: bitloom bench run.h5, or --arch resnet18 --bits 4");
    if (request.bits < 1 || request.bits > 8) return usageError("--bits is 1 to 8, not {}", request.bits);
    if (request.threads < 1 || request.repeat < 1 || request.copies < 1)
        return usageError("threads, repeat and copies are at least 1");
    const std::vector<std::string> known = benchFamilies();
    for (const std::string& family : request.families) {
        if (std::ranges::find(known, family) == known.end())
            return usageError("unknown kernel family '{}'; did you mean {}? Known: {}", family,
                              nearestName(family, known), joinNames(known));
    }
    return {};
}

Result<Deployment> deployRun(const BenchRequest& request, report::ProgressSink& sink, JobControl& control) {
    BITLOOM_ASSIGN_OR_RETURN(const RecordedRun run, readRecordedRun(request.run, sink));
    train::configureTorch(run.spec.train.threads);
    BITLOOM_ASSIGN_OR_RETURN(const quant::QuantizedModel model, deployedNetwork(run, request.run));
    return deploy(model, run.spec.data, request.deployment, sink, control);
}

/// Speed alone is asked: ranges from one random image.
Result<Deployment> deployRandom(const BenchRequest& request, JobControl& control) {
    BITLOOM_ASSIGN_OR_RETURN(const graph::Graph graph, graph::zoo::makeModel(request.arch));
    Deployment deployment;
    BITLOOM_ASSIGN_OR_RETURN(deployment.network, qsimd::randomNetwork(graph, 1 << request.bits, 1));
    std::vector<float>& image =
        deployment.images.emplace_back(static_cast<std::size_t>(graph::elementCount(graph.inputShape())));
    for (std::size_t i = 0; i < image.size(); ++i)
        image[i] = std::sin(static_cast<float>(i));
    BITLOOM_ASSIGN_OR_RETURN(deployment.lowering.activations,
                             qsimd::calibrate(deployment.network, deployment.images, 1, control));
    deployment.lowering.contract = qsimd::Contract::Int8;
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

/// The fastest cores, as many as threads; none where capacities are unknown, or not those of real cores.
std::vector<int> fastestCores(const report::DeviceInfo& device, int threads) {
    if (device.emulated) return {};
    std::vector<report::CpuCore> cores = device.cores;
    if (std::ranges::any_of(cores, [](const report::CpuCore& core) { return core.capacity < 0; })) return {};
    std::ranges::stable_sort(cores, std::ranges::greater(), &report::CpuCore::capacity);
    std::vector<int> chosen;
    for (std::size_t i = 0; i < std::min(cores.size(), static_cast<std::size_t>(threads)); ++i)
        chosen.push_back(cores[i].index);
    return chosen;
}

std::string listText(const std::vector<int>& numbers) {
    return fmt::format("{}", fmt::join(numbers, ","));
}

class Bench {
  public:
    Bench(const BenchRequest& request, report::ProgressSink& sink, JobControl& control)
        : m_request(request), m_sink(sink), m_control(control) {}

    Result<report::BenchResult> run() {
        m_sink.progress({"opening the device", 0, 0, 0, report::kNoValue});
        BITLOOM_ASSIGN_OR_RETURN(const auto device, device::openDevice(m_request.device, m_control));
        m_result.device = device->info();
        BITLOOM_ASSIGN_OR_RETURN(const RunnerBuild runner,
                                 buildRunner(m_result.device.abi, runnerCache(), m_sink, m_control));
        m_sink.log(fmt::format("runner {}: {}", runner.cached ? "found" : "built", runner.compiler));
        BITLOOM_ASSIGN_OR_RETURN(const Deployment deployment, m_request.run.empty()
                                                                  ? deployRandom(m_request, m_control)
                                                                  : deployRun(m_request, m_sink, m_control));
        m_result.arch = deployment.network.graph.arch();
        m_result.origin = m_request.run.empty() ? fmt::format("random weights, {} bits", m_request.bits)
                                                : m_request.run.filename().string();
        BITLOOM_RETURN_IF_ERROR(device->put(runner.program, kRunnerName, m_control));
        BITLOOM_RETURN_IF_ERROR(putModels(deployment, *device));
        BITLOOM_RETURN_IF_ERROR(time(*device));
        BITLOOM_RETURN_IF_ERROR(device->close());
        return std::move(m_result);
    }

  private:
    [[nodiscard]] bool wants(const std::string& family) const {
        return m_request.families.empty() ||
               std::ranges::find(m_request.families, family) != m_request.families.end();
    }

    Status putModels(const Deployment& deployment, device::Device& device) {
        BITLOOM_ASSIGN_OR_RETURN(const Workplace workplace, Workplace::make());
        for (const Family family : kFamilies) {
            const std::string name = qsimd::familyName(family);
            if (!wants(name)) continue;
            m_sink.progress(
                {"copying " + name, static_cast<std::int64_t>(m_families.size()), 0, 0, report::kNoValue});
            BITLOOM_ASSIGN_OR_RETURN(const qsimd::Model model, lowerFor(deployment, family));
            const std::string file = name + ".bitloom";
            BITLOOM_RETURN_IF_ERROR(writeFileAtomically(workplace / file, qsimd::toBytes(model)));
            BITLOOM_RETURN_IF_ERROR(device.put(workplace / file, file, m_control));
            m_families.push_back(name);
        }
        return {};
    }

    Status time(device::Device& device) {
        std::vector<std::string> arguments = {kRunnerName};
        for (const std::string& family : m_families)
            arguments.push_back(family + ".bitloom");
        const auto add = [&arguments](const std::string& name, const std::string& value) {
            arguments.push_back(name);
            arguments.push_back(value);
        };
        arguments.insert(arguments.end(), {"--json", "--per-layer"});
        add("--repeat", std::to_string(m_request.repeat));
        add("--threads", std::to_string(m_request.threads));
        add("--copies", std::to_string(m_request.copies));
        const std::vector<int> cores =
            m_request.cores.empty() ? fastestCores(m_result.device, m_request.threads) : m_request.cores;
        if (!cores.empty()) add("--cores", listText(cores));
        if (!m_request.isa.empty()) add("--isa", m_request.isa);
        BITLOOM_ASSIGN_OR_RETURN(m_result.before, device.conditions(m_control));
        m_sink.progress({"timing on " + m_result.device.name, 0, 0, 0, report::kNoValue});
        BITLOOM_ASSIGN_OR_RETURN(const device::CommandOutcome outcome,
                                 device.run(arguments, kRunTimeout, m_control));
        if (outcome.exitCode != 0)
            return fail("{}: the runner failed: {}", m_result.device.name, device::lastWords(outcome));
        BITLOOM_ASSIGN_OR_RETURN(m_result.after, device.conditions(m_control));
        m_result.threads = m_request.threads;
        return readRunnerOutput(outcome.out, m_families, m_result);
    }

    const BenchRequest& m_request;
    report::ProgressSink& m_sink;
    JobControl& m_control;
    report::BenchResult m_result;
    std::vector<std::string> m_families;
};

}  // namespace

std::vector<std::string> benchFamilies() {
    std::vector<std::string> names;
    for (const Family family : kFamilies)
        names.emplace_back(qsimd::familyName(family));
    return names;
}

Result<report::BenchResult> runBenchJob(const BenchRequest& request, report::ProgressSink& sink,
                                        JobControl& control) {
    BITLOOM_RETURN_IF_ERROR(checkRequest(request));
    return Bench(request, sink, control).run();
}

}  // namespace bitloom::jobs
