#include "engine/jobs/bench_job.h"

#include <algorithm>
#include <optional>

#include "engine/jobs/bench_session.h"
#include "engine/jobs/onednn_rival.h"
#include "engine/jobs/runner_output.h"

namespace bitloom::jobs {
namespace {

/// Samples of ours before oneDNN has its turn, or the reverse.
constexpr int kTurn = 25;

}  // namespace

Result<report::BenchResult> runBenchJob(const BenchRequest& request, report::ProgressSink& sink,
                                        JobControl& control) {
    BITLOOM_RETURN_IF_ERROR(checkRequest(request));
    const Result<ScheduleCache> cache = ScheduleCache::open(scheduleCachePath());
    if (!cache) sink.log(cache.error().message + "; timing goes on without it");
    BITLOOM_ASSIGN_OR_RETURN(BenchSession session, BenchSession::open(request, sink, control));
    report::BenchResult result;
    result.device = session.deviceInfo();
    result.arch = session.models().front().name;
    result.origin = session.origin();
    std::string schedule;
    if (cache) schedule = session.bestSchedule(*cache, result.tunedLayers);
    BITLOOM_ASSIGN_OR_RETURN(result.before, session.conditions());
    const bool rivals = request.device == device::kHostId && request.families.empty();
    const auto onednn = rivals ? onednnRival() : std::nullopt;
    // In turns with the rival, so that both meet the same clocks.
    const int rounds = onednn ? (request.repeat + kTurn - 1) / kTurn : 1;
    const int repeat = (request.repeat + rounds - 1) / rounds;
    std::vector<std::string> ours;
    std::vector<std::string> theirs;
    for (int round = 0; round < rounds; ++round) {
        sink.progress({"timing on " + result.device.name, round, rounds, 0, report::kNoValue});
        BITLOOM_ASSIGN_OR_RETURN(ours.emplace_back(), session.time(schedule, repeat));
        if (!onednn) continue;
        sink.progress({"timing oneDNN", round, rounds, 0, report::kNoValue});
        BITLOOM_ASSIGN_OR_RETURN(
            theirs.emplace_back(),
            timeOnednn(*onednn, session.models().front(), request.threads, repeat, request.copies, control));
    }
    BITLOOM_ASSIGN_OR_RETURN(result.after, session.conditions());
    BITLOOM_RETURN_IF_ERROR(readRunnerOutput(ours, session.families(), result));
    BITLOOM_RETURN_IF_ERROR(session.close());
    if (onednn) BITLOOM_RETURN_IF_ERROR(addOnednn(theirs, result));
    return result;
}

}  // namespace bitloom::jobs
