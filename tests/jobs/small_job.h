// Jobs of a few steps on a few generated images, and what the tests of runs share.
#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "engine/jobs/train_job.h"
#include "engine/report/progress_sink.h"

namespace bitloom::jobs {

/// ResNet-20 from random weights at 3 bits: 4 steps of 8 images, scored on 32.
[[nodiscard]] JobSpec smallJob();

/// Runs `spec` to its end and expects that it gets there.
report::RunSummary trainToEnd(const JobSpec& spec, const std::filesystem::path& out);

/// Stops the run once it has done `step` steps; expects that it says so.
void trainAndStop(const JobSpec& spec, const std::filesystem::path& out, std::int64_t step);

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

/// Plain weights of a ResNet-20 that fits smallJob(), as safetensors.
void writeSmallWeights(const std::filesystem::path& path);

}  // namespace bitloom::jobs
