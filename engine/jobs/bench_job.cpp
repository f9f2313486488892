#include "engine/jobs/bench_job.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "engine/jobs/bench_record.h"
#include "engine/jobs/bench_session.h"
#include "engine/jobs/onednn_rival.h"
#include "engine/jobs/runner_output.h"

namespace bitloom::jobs {
namespace {

/// Samples before there is something to see.
constexpr int kFirst = 5;
/// Samples of a round after that: ours, then oneDNN's, so that both meet the same clocks.
constexpr int kRound = 25;

std::vector<int> roundsOf(int repeat) {
    std::vector<int> rounds = {std::min(kFirst, repeat)};
    for (int left = repeat - rounds.front(); left > 0; left -= rounds.back())
        rounds.push_back(std::min(kRound, left));
    return rounds;
}

/// What the device was like before the first round and after each.
class ConditionsTrace {
  public:
    explicit ConditionsTrace(const report::DeviceConditions& before) { add(before); }
    void add(const report::DeviceConditions& now) {
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - m_start;
        m_samples.push_back({m_samples.empty() ? 0 : seconds.count(), now});
    }
    [[nodiscard]] const std::vector<report::ConditionsSample>& samples() const { return m_samples; }

  private:
    std::chrono::steady_clock::time_point m_start = std::chrono::steady_clock::now();
    std::vector<report::ConditionsSample> m_samples;
};

/// Beside the run, for comparisons of runs; what a limit was set for says little of the network itself.
void keepTimes(const BenchRequest& request, const report::BenchResult& result, report::ProgressSink& sink) {
    if (request.run.empty() || !request.isa.empty() || request.copies != 1) return;
    const Status kept = keepBench(request.run, result);
    sink.log(kept ? "times kept in " + benchRecordPath(request.run).string()
                  : "times are not kept beside the run: " + kept.error().message);
}

}  // namespace

Result<report::BenchResult> runBenchJob(const BenchRequest& request, report::ProgressSink& sink,
                                        JobControl& control, const BenchSoFar& soFar) {
    BITLOOM_RETURN_IF_ERROR(checkRequest(request));
    const Result<ScheduleCache> cache = ScheduleCache::open(scheduleCachePath());
    if (!cache) sink.log(cache.error().message + "; timing goes on without it");
    BITLOOM_ASSIGN_OR_RETURN(BenchSession session, BenchSession::open(request, sink, control));
    report::BenchResult start;
    start.device = session.deviceInfo();
    start.device.kernels = session.kernelNames();
    start.arch = session.models().front().name;
    start.origin = session.origin();
    std::string schedule;
    if (cache) schedule = session.bestSchedule(*cache, start.tunedLayers);
    BITLOOM_ASSIGN_OR_RETURN(start.before, session.conditions());
    ConditionsTrace trace(start.before);
    const bool rivals = request.device == device::kHostId && request.families.empty();
    const auto onednn = rivals ? onednnRival() : std::nullopt;
    report::BenchResult result;
    std::vector<std::string> ours;
    std::vector<std::string> theirs;
    int taken = 0;
    for (const int samples : roundsOf(request.repeat)) {
        sink.progress({"timing on " + start.device.name, taken, request.repeat, 0, report::kNoValue});
        BITLOOM_ASSIGN_OR_RETURN(ours.emplace_back(), session.time(schedule, samples));
        if (onednn) {
            BITLOOM_ASSIGN_OR_RETURN(
                theirs.emplace_back(),
                timeOnednn(*onednn, session.models().front(),
                           {request.threads, session.pins(), samples, request.copies}, control));
        }
        taken += samples;
        const bool last = taken >= request.repeat;
        BITLOOM_ASSIGN_OR_RETURN(const report::DeviceConditions now,
                                 last ? session.conditions() : session.clocks());
        trace.add(now);
        if (!last && !soFar) continue;
        result = start;
        result.after = now;
        result.trace = trace.samples();
        BITLOOM_RETURN_IF_ERROR(readRunnerOutput(ours, session.families(), result));
        if (onednn) BITLOOM_RETURN_IF_ERROR(addOnednn(theirs, result));
        if (!last) soFar(result);
    }
    BITLOOM_RETURN_IF_ERROR(session.close());
    keepTimes(request, result, sink);
    return result;
}

}  // namespace bitloom::jobs
