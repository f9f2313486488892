#include "engine/jobs/bench_job.h"

#include "engine/jobs/bench_session.h"
#include "engine/jobs/onednn_rival.h"
#include "engine/jobs/runner_output.h"

namespace bitloom::jobs {

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
    sink.progress({"timing on " + result.device.name, 0, 0, 0, report::kNoValue});
    BITLOOM_ASSIGN_OR_RETURN(const std::string output, session.time(schedule, request.repeat));
    BITLOOM_ASSIGN_OR_RETURN(result.after, session.conditions());
    BITLOOM_RETURN_IF_ERROR(readRunnerOutput(output, session.families(), result));
    BITLOOM_RETURN_IF_ERROR(session.close());
    const auto rival = onednnRival();
    if (rival && request.device == device::kHostId && request.families.empty()) {
        sink.progress({"timing oneDNN", 0, 0, 0, report::kNoValue});
        BITLOOM_RETURN_IF_ERROR(addOnednn(*rival, session.models().front(), request.repeat, control, result));
    }
    return result;
}

}  // namespace bitloom::jobs
