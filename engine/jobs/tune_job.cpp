#include "engine/jobs/tune_job.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "engine/base/text.h"
#include "engine/jobs/bench_session.h"
#include "engine/jobs/runner_output.h"
#include "engine/jobs/tuning_rounds.h"

namespace bitloom::jobs {
namespace {

/// Samples of a round: a median of so few decides between candidates that differ by several per cent.
constexpr int kSamples = 15;

std::vector<TuningRounds::Layer> layersOf(const BenchSession& session) {
    std::vector<TuningRounds::Layer> layers;
    for (std::size_t family = 0; family < session.models().size(); ++family) {
        const qsimd::Model& model = session.models()[family];
        for (const qsimd::Step& s : model.steps) {
            const auto* step = std::get_if<qsimd::Convolution>(&s);
            if (step == nullptr) continue;
            layers.push_back({family, step->layer, BenchSession::prefixOf(*step), session.keyOf(model, *step),
                              tunedShape(model, *step)});
        }
    }
    return layers;
}

Result<TuningRounds::Times> timesOf(BenchSession& session, std::size_t family,
                                    const std::vector<std::string>& schedules) {
    BITLOOM_ASSIGN_OR_RETURN(const std::string output, session.timeSchedules(family, schedules, kSamples));
    report::BenchResult result;
    BITLOOM_RETURN_IF_ERROR(readRunnerOutput(
        {output}, std::vector<std::string>(schedules.size(), session.families()[family]), result));
    TuningRounds::Times times;
    for (const report::LayerTiming& layer : result.layers) {
        for (const report::KernelTiming& timing : layer.kernels)
            times[layer.name].push_back(timing.time.medianMs);
    }
    return times;
}

std::vector<TunedLayer> resultsOf(const BenchSession& session, const TuningRounds& rounds,
                                  const ScheduleCache& cache) {
    std::vector<TunedLayer> results;
    for (const TuningRounds::Layer& layer : rounds.layers()) {
        TunedLayer tuned;
        tuned.family = session.families()[layer.family];
        tuned.name = layer.name;
        tuned.shape = layer.key.substr(layer.key.find(": ") + 2);
        tuned.schedule = cache.best(layer.key).value_or(kOwnChoice);
        tuned.chosenMs = cache.time(layer.key, kOwnChoice).value_or(report::kNoValue);
        tuned.tunedMs = cache.time(layer.key, tuned.schedule).value_or(report::kNoValue);
        tuned.candidates = static_cast<int>(rounds.candidates(layer).size());
        results.push_back(std::move(tuned));
    }
    return results;
}

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
    TuningRounds rounds(layersOf(session), session.kernels(), request.threads, cache,
                        [&session](std::size_t family, const std::vector<std::string>& schedules) {
                            return timesOf(session, family, schedules);
                        });
    TuneResult result;
    BITLOOM_ASSIGN_OR_RETURN(result.rounds, rounds.run(sink, control));
    result.device = session.deviceInfo();
    result.arch = session.models().front().name;
    result.isa = session.isa();
    result.threads = request.threads;
    result.layers = resultsOf(session, rounds, cache);
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
