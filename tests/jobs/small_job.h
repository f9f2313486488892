// Jobs of a few steps on a few generated images, and what the tests of runs share.
#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "engine/jobs/evaluate_job.h"
#include "engine/jobs/train_job.h"
#include "engine/report/progress_sink.h"

namespace bitloom::jobs {

/// ResNet-20 from random weights at 3 bits: 4 steps of 8 images, scored on 32.
[[nodiscard]] JobSpec smallJob();

/// Runs `spec` to its end and expects that it gets there.
report::RunSummary trainToEnd(const JobSpec& spec, const std::filesystem::path& out);

/// Stops the run once it has done `step` steps; expects that it says so.
void trainAndStop(const JobSpec& spec, const std::filesystem::path& out, std::int64_t step);

/// Expects that the run, stopped at each of `steps` in turn and continued, ends with the hash and the
/// accuracy of one that was not.
void expectResumesToTheBit(const JobSpec& spec, const std::filesystem::path& folder,
                           const std::vector<std::int64_t>& steps);

/// Steers a job from what it reports, and keeps the log.
class SteeringSink final : public report::ProgressSink {
  public:
    void progress(const report::Progress& progress) override {
        if (onProgress) onProgress(progress);
    }
    void metric(const report::MetricSample& sample) override {
        if (onMetric) onMetric(sample);
    }
    void runStarted(const report::RunInfo& info) override { started.push_back(info); }
    void runFinished(const report::RunSummary& summary) override { finished.push_back(summary); }
    void log(std::string_view line) override { lines.emplace_back(line); }

    std::function<void(const report::Progress&)> onProgress;
    std::function<void(const report::MetricSample&)> onMetric;
    std::vector<report::RunInfo> started;
    std::vector<report::RunSummary> finished;
    std::vector<std::string> lines;
};

/// Checkpoint files of a run, sorted by name.
[[nodiscard]] std::vector<std::filesystem::path> checkpointsOf(const std::filesystem::path& run);

/// Runs a job that computes something of a run, of which only the result is of interest.
template <class Request, class Value>
[[nodiscard]] Result<Value> runSilently(Result<Value> (*job)(const Request&, report::ProgressSink&,
                                                             JobControl&,
                                                             const std::function<void(const Value&)>&),
                                        const Request& request) {
    report::ProgressSink silent;
    JobControl control;
    return job(request, silent, control, {});
}

template <class Value>
[[nodiscard]] std::string messageOf(const Result<Value>& result) {
    return result ? std::string("no error") : result.error().message;
}

/// What `bitloom evaluate` says of the first `images` test images for a run's quantized network, and for the
/// full-precision weights that it started from. Expects that it can.
struct EvaluatedPair {
    EvaluateResult quantized;
    EvaluateResult fullPrecision;
};
[[nodiscard]] EvaluatedPair evaluatedPair(const std::filesystem::path& run,
                                          const std::filesystem::path& weights, const JobSpec& spec,
                                          std::int64_t images);

/// Plain weights of a ResNet-20 that fits smallJob(), as safetensors.
void writeSmallWeights(const std::filesystem::path& path);

}  // namespace bitloom::jobs
