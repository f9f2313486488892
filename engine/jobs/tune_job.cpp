#include "engine/jobs/tune_job.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "engine/base/text.h"
#include "engine/jobs/bench_session.h"
#include "engine/jobs/runner_output.h"

namespace bitloom::jobs {
namespace {

using qsimd::Convolution;

/// The runner's own choice.
constexpr const char* kChosen = "auto auto skip";
/// Microkernels tried a layer: those that the model of dispatch.cpp ranks below are far from the best.
constexpr std::size_t kMostKernels = 6;
/// Samples of a round: a median of so few decides between candidates that differ by several per cent.
constexpr int kSamples = 15;
/// Candidates timed in turns, each with a network of its own.
constexpr std::size_t kAtOnce = 3;

/// Time that a microkernel would take if it did the same work a second for all: what is wasted at the edges.
double wasteOf(const BenchSession::Kernel& kernel, int width, int channels) {
    const auto rounded = [](int value, int step) {
        const int steps = (value + step - 1) / step;
        return static_cast<double>(steps) * step;
    };
    return rounded(width, kernel.pixels) * rounded(channels, kernel.channels) /
           (static_cast<double>(width) * channels);
}

class Tuning {
  public:
    struct Layer {
        const qsimd::Model* model;
        const Convolution* step;
        std::size_t family;
        std::string key;
        std::vector<Candidate> candidates;
    };

    Tuning(BenchSession& session, ScheduleCache& cache, report::ProgressSink& sink, int threads,
           const JobControl& control)
        : m_session(session), m_cache(cache), m_sink(sink), m_threads(threads), m_control(control) {
        for (std::size_t family = 0; family < session.models().size(); ++family) {
            const qsimd::Model& model = session.models()[family];
            for (const qsimd::Step& s : model.steps) {
                const auto* step = std::get_if<Convolution>(&s);
                if (step == nullptr) continue;
                m_layers.push_back(
                    {&model, step, family, session.keyOf(model, *step), candidatesOf(model, *step)});
            }
        }
    }

    /// Times what is not known; returns the rounds that took.
    Result<int> run() {
        std::size_t total = 0;
        for (const Layer& layer : m_layers)
            total = std::max(total, untried(layer).size());
        for (int rounds = 0;; ++rounds) {
            std::size_t left = 0;
            for (const Layer& layer : m_layers)
                left = std::max(left, untried(layer).size());
            if (left == 0) return rounds;
            m_sink.progress({"tuning", static_cast<std::int64_t>(total - left),
                             static_cast<std::int64_t>(total), 0, report::kNoValue});
            for (std::size_t family = 0; family < m_session.models().size(); ++family)
                BITLOOM_RETURN_IF_ERROR(timeRound(family));
            BITLOOM_RETURN_IF_ERROR(m_cache.save(m_control));
        }
    }

    [[nodiscard]] std::vector<TunedLayer> results() const {
        std::vector<TunedLayer> results;
        for (const Layer& layer : m_layers) {
            TunedLayer tuned;
            tuned.family = m_session.families()[layer.family];
            tuned.name = layer.step->layer;
            tuned.shape = layer.key.substr(layer.key.find(": ") + 2);
            tuned.schedule = m_cache.best(layer.key).value_or(kChosen);
            tuned.chosenMs = m_cache.time(layer.key, kChosen).value_or(report::kNoValue);
            tuned.tunedMs = m_cache.time(layer.key, tuned.schedule).value_or(report::kNoValue);
            tuned.candidates = static_cast<int>(layer.candidates.size());
            results.push_back(std::move(tuned));
        }
        return results;
    }

  private:
    [[nodiscard]] std::vector<Candidate> candidatesOf(const qsimd::Model& model,
                                                      const Convolution& step) const {
        const qsimd::Buffer& to = model.buffers[static_cast<std::size_t>(step.output)];
        const bool bytes = step.family == qsimd::Family::K2;
        const int channels = to.channels / step.groups;
        std::vector<BenchSession::Kernel> kernels;
        for (const BenchSession::Kernel& kernel : m_session.kernels()) {
            if (kernel.bytes == bytes && kernel.pixels <= to.width &&
                kernel.name.find("scalar") == std::string::npos)
                kernels.push_back(kernel);
        }
        std::ranges::stable_sort(kernels, {}, [&](const BenchSession::Kernel& kernel) {
            // Big tiles load less a multiply-add.
            return wasteOf(kernel, to.width, channels) *
                   (1 + 1.0 / kernel.pixels + 4.0 / static_cast<double>(kernel.channels));
        });
        kernels.resize(std::min(kernels.size(), kMostKernels));
        std::vector<Candidate> candidates;
        const bool padded = step.paddingHeight > 0 && to.height <= 16;
        for (const BenchSession::Kernel& kernel : kernels) {
            for (const char* split : {"rows", "channels"}) {
                if (m_threads == 1 && std::string_view(split) == "channels") continue;
                candidates.push_back(kernel.name + " " + split + " skip");
                if (padded && m_threads == 1) candidates.push_back(kernel.name + " " + split + " keep");
            }
        }
        return candidates;
    }

    [[nodiscard]] std::vector<Candidate> untried(const Layer& layer) const {
        std::vector<Candidate> open;
        for (const Candidate& candidate : layer.candidates)
            if (!m_cache.time(layer.key, candidate)) open.push_back(candidate);
        return open;
    }

    /// Up to kAtOnce candidates a layer in turns with the runner's own choice, and by what they take of its
    /// time: clocks that change meet all of them alike.
    Status timeRound(std::size_t family) {
        std::map<std::string, std::size_t> asked;  // layers of one key share its candidates
        std::vector<std::vector<Candidate>> tried;
        std::vector<std::string> schedules(1 + kAtOnce);
        std::size_t most = 0;
        for (const Layer& layer : m_layers) {
            std::vector<Candidate>& own = tried.emplace_back();
            if (layer.family != family) continue;
            const std::vector<Candidate> open = untried(layer);
            for (std::size_t& next = asked[layer.key]; own.size() < std::min(kAtOnce, open.size()); ++next) {
                own.push_back(open[next % open.size()]);
                schedules[own.size()] += BenchSession::lineOf(*layer.step, own.back());
            }
            most = std::max(most, own.size());
        }
        if (most == 0) return {};
        schedules.resize(1 + most);
        BITLOOM_ASSIGN_OR_RETURN(const std::string output,
                                 m_session.timeSchedules(family, schedules, kSamples));
        report::BenchResult times;
        BITLOOM_RETURN_IF_ERROR(readRunnerOutput(
            {output}, std::vector<std::string>(schedules.size(), m_session.families()[family]), times));
        for (std::size_t i = 0; i < m_layers.size(); ++i) {
            if (tried[i].empty()) continue;
            const Layer& layer = m_layers[i];
            const auto found = std::ranges::find(times.layers, layer.step->layer, &report::LayerTiming::name);
            if (found == times.layers.end())
                return fail("The runner did not time layer {}", layer.step->layer);
            const auto medianOf = [&](std::size_t schedule) {
                return found->kernels[schedule].time.medianMs;
            };
            if (!m_cache.time(layer.key, kChosen)) m_cache.setTime(layer.key, kChosen, medianOf(0));
            const double chosen = m_cache.time(layer.key, kChosen).value_or(medianOf(0));
            // What the runner could not take (it chose another) is kept too: it need not be tried again.
            for (std::size_t c = 0; c < tried[i].size(); ++c)
                m_cache.setTime(layer.key, tried[i][c], chosen * medianOf(1 + c) / medianOf(0));
        }
        return {};
    }

    BenchSession& m_session;
    ScheduleCache& m_cache;
    report::ProgressSink& m_sink;
    int m_threads;
    const JobControl& m_control;
    std::vector<Layer> m_layers;
};

}  // namespace

std::vector<std::string> tunableFamilies() {
    return {"tuned_fp32", "k0", "k2"};
}

namespace {

/// Brings what several threads report to one sink, by turns and with the device's name.
class DeviceSink final : public report::ProgressSink {
  public:
    DeviceSink(report::ProgressSink& sink, std::mutex& turn, std::string device)
        : m_sink(sink), m_turn(turn), m_device(std::move(device)) {}
    void progress(const report::Progress& progress) override {
        report::Progress named = progress;
        named.phase = named.phase + " " + m_device;
        const std::lock_guard lock(m_turn);
        m_sink.progress(named);
    }
    void log(std::string_view line) override {
        const std::lock_guard lock(m_turn);
        m_sink.log(fmt::format("{}: {}", m_device, line));
    }

  private:
    report::ProgressSink& m_sink;
    std::mutex& m_turn;
    std::string m_device;
};

Result<TuneResult> tuneOn(BenchSession& session, const BenchRequest& request, report::ProgressSink& sink,
                          const JobControl& control) {
    BITLOOM_ASSIGN_OR_RETURN(ScheduleCache cache, ScheduleCache::open(scheduleCachePath()));
    Tuning tuning(session, cache, sink, request.threads, control);
    TuneResult result;
    BITLOOM_ASSIGN_OR_RETURN(result.rounds, tuning.run());
    result.device = session.deviceInfo();
    result.arch = session.models().front().name;
    result.isa = session.isa();
    result.threads = request.threads;
    result.layers = tuning.results();
    sink.progress({"comparing", 0, 0, 0, report::kNoValue});
    int tuned = 0;
    const std::string schedule = session.bestSchedule(cache, tuned);
    const auto timed = [&](const std::string& lines) -> Result<std::vector<report::KernelTiming>> {
        BITLOOM_ASSIGN_OR_RETURN(const std::string output, session.time(lines, request.repeat));
        report::BenchResult times;
        BITLOOM_RETURN_IF_ERROR(readRunnerOutput({output}, session.families(), times));
        return std::move(times.network);
    };
    BITLOOM_ASSIGN_OR_RETURN(result.before, timed(""));
    BITLOOM_ASSIGN_OR_RETURN(result.after, timed(schedule));
    BITLOOM_RETURN_IF_ERROR(session.close());
    return result;
}

Status checkTuning(const BenchRequest& request) {
    BITLOOM_RETURN_IF_ERROR(checkRequest(request));
    const std::vector<std::string> tunable = tunableFamilies();
    for (const std::string& family : request.families) {
        if (std::ranges::find(tunable, family) == tunable.end())
            return usageError("{} runs one way only; there is something to tune in {}", family,
                              joinNames(tunable));
    }
    return {};
}

}  // namespace

Result<TuneResult> runTuneJob(const BenchRequest& request, report::ProgressSink& sink, JobControl& control) {
    return std::move(runTuneJobs(request, {request.device}, sink, control).front());
}

std::vector<Result<TuneResult>> runTuneJobs(BenchRequest request, const std::vector<std::string>& devices,
                                            report::ProgressSink& sink, JobControl& control) {
    if (request.families.empty()) request.families = tunableFamilies();
    Status usable = checkTuning(request);
    if (usable && std::set(devices.begin(), devices.end()).size() != devices.size())
        usable = usageError("a device is named twice in {}", joinNames(devices));
    if (usable) {
        const Result<ScheduleCache> cache = ScheduleCache::open(scheduleCachePath());
        if (!cache) usable = cache.error();
    }
    if (!usable) return std::vector<Result<TuneResult>>(devices.size(), usable.error());
    std::mutex turn;
    std::vector<BenchRequest> requests(devices.size(), request);
    std::vector<std::unique_ptr<DeviceSink>> named;
    std::vector<report::ProgressSink*> sinks;
    std::vector<Result<TuneResult>> results;
    std::vector<std::unique_ptr<BenchSession>> sessions;
    for (std::size_t i = 0; i < devices.size(); ++i) {
        requests[i].device = devices[i];
        named.push_back(std::make_unique<DeviceSink>(sink, turn, devices[i]));
        sinks.push_back(devices.size() == 1 ? &sink : named.back().get());
        Result<BenchSession> session = BenchSession::open(requests[i], *sinks[i], control);
        results.emplace_back(session ? Result<TuneResult>(TuneResult{}) : session.error());
        sessions.push_back(session ? std::make_unique<BenchSession>(std::move(*session)) : nullptr);
    }
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < devices.size(); ++i) {
        if (!sessions[i]) continue;
        threads.emplace_back([&, i] { results[i] = tuneOn(*sessions[i], requests[i], *sinks[i], control); });
    }
    threads.clear();  // waits
    return results;
}

}  // namespace bitloom::jobs
