// Finds the fastest schedule of every layer on a device, by timing: candidates of all layers are tried side
// by side, a few a layer in every round, in turns with the runner's own choice. Blocking; call on a worker
// thread.
#pragma once

#include "engine/jobs/bench_job.h"

namespace bitloom::jobs {

struct TunedLayer {
    std::string family;
    std::string name;
    std::string shape;
    std::string schedule;  ///< the fastest, as a line of a schedule: "int8_neondot_8x8 rows skip"
    double chosenMs = 0;   ///< of the runner's own choice
    double tunedMs = 0;    ///< of the fastest
    int candidates = 0;    ///< timed, now or before
};

struct TuneResult {
    report::DeviceInfo device;
    std::string arch;
    std::string isa;
    int threads = 1;
    int rounds = 0;  ///< timed now; 0 when everything was known
    std::vector<TunedLayer> layers;
    /// Whole networks with the runner's own choices and tuned, timed after each other, by family.
    std::vector<report::KernelTiming> before;
    std::vector<report::KernelTiming> after;
};

/// The families that have microkernels to choose from.
[[nodiscard]] std::vector<std::string> tunableFamilies();

/// As runBenchJob; without families: all that can be tuned. Times are kept in scheduleCachePath() after every
/// round: a cancelled tuning goes on where it was, and bench uses what is there.
[[nodiscard]] Result<TuneResult> runTuneJob(const BenchRequest& request, report::ProgressSink& sink,
                                            JobControl& control);

/// The same on several devices: opened one after another, then tuned side by side, as each has processors of
/// its own. One result a device, in their order; those that fail leave the others alone.
[[nodiscard]] std::vector<Result<TuneResult>> runTuneJobs(BenchRequest request,
                                                          const std::vector<std::string>& devices,
                                                          report::ProgressSink& sink, JobControl& control);

}  // namespace bitloom::jobs
