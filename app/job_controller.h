// Holds the job that Start would run and runs it: train, continue, pause, stop; exports, benchmarks, and what
// views compute of a run.
// Failures leave by failed(), never as a dialog. GUI thread; the jobs themselves run on the threads of four
// EngineHosts.
#pragma once

#include <QObject>
#include <QString>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "app/engine_host.h"
#include "app/job_draft.h"
#include "engine/jobs/bench_job.h"
#include "engine/jobs/embedding_job.h"
#include "engine/jobs/export_job.h"
#include "engine/jobs/landscape_job.h"

namespace bitloom::app {

class JobController : public QObject {
    Q_OBJECT

  public:
    explicit JobController(QObject* parent = nullptr);

    [[nodiscard]] EngineHost& host() { return m_host; }
    [[nodiscard]] const EngineHost& host() const { return m_host; }

    /// Nothing until a job, weights or a run were opened.
    [[nodiscard]] const std::optional<JobDraft>& draft() const { return m_draft; }
    void setDraft(std::optional<JobDraft> draft);
    /// Reads a job file; false when it has an error.
    bool loadJob(const std::filesystem::path& path);

    /// What the next job shall do with one layer, in each of its stages; nothing follows the job's default.
    void setOverride(const std::string& layer, const std::optional<quant::LayerOptions>& options);
    [[nodiscard]] std::optional<quant::LayerOptions> overrideOf(const std::string& layer) const;

    /// Runs the draft into its output file, or a new one in the default folder. No-op while a job runs.
    void start();
    /// Goes on with a stopped or killed run. No-op while a job runs.
    void continueRun(const std::filesystem::path& run);
    /// The run file of the job at work, or of the last one; empty before.
    [[nodiscard]] const std::filesystem::path& runFile() const { return m_runFile; }
    /// What the command line would have to be told to do the same; empty before the first job.
    [[nodiscard]] const QString& command() const { return m_command; }

    /// No-op while another export is written or a benchmark runs. Fills in the command that repeats it.
    void exportRun(jobs::ExportRequest request);
    void cancelExport() { m_exports.stop(); }
    [[nodiscard]] bool exporting() const { return m_exports.busy(); }

    /// No-op while another benchmark or an analysis runs.
    void benchmark(const jobs::BenchRequest& request);
    /// Finds the fastest kernel of every layer, then as benchmark().
    void tuneAndBenchmark(const jobs::BenchRequest& request);
    /// Cleans up on the device, then ends.
    void cancelBenchmark() { m_benchmarks.stop(); }
    [[nodiscard]] bool benchmarking() const { return m_benchmarks.busy(); }

    enum class Analysis { None, Embedding, Landscape };
    /// No-op while anything else computes.
    void embed(const jobs::EmbeddingRequest& request);
    void survey(const jobs::LandscapeRequest& request);
    /// What was shown of it stays.
    void cancelAnalysis() { m_analyses.stop(); }
    [[nodiscard]] bool analysing() const { return m_analyses.busy(); }
    /// What is computed now.
    [[nodiscard]] Analysis analysis() const { return analysing() ? m_analysis : Analysis::None; }

    /// A benchmark or analysis, beside which nothing else may compute.
    [[nodiscard]] bool occupied() const { return benchmarking() || analysing(); }

  Q_SIGNALS:
    void draftChanged();
    void started(const QString& runFile);
    void failed(const QString& message);
    /// The training job has ended; `message` says where it was saved. Empty: it failed, and failed() follows.
    void ended(bool stopped, const QString& message);
    void logLine(const QString& line);
    /// A job was handed in that this command repeats.
    void submitted(const QString& command);
    /// The file is written and reads back as it was written.
    void exported(const QString& verdict);
    void exportingChanged();
    void exportProgress(const bitloom::report::Progress& progress);
    /// The network of `run` was timed.
    void benchmarked(const std::filesystem::path& run, const bitloom::report::BenchResult& result);
    /// After its first samples, and again as there are more.
    void benchmarkSoFar(const std::filesystem::path& run, const bitloom::report::BenchResult& result);
    void benchmarkingChanged();
    void benchmarkProgress(const bitloom::report::Progress& progress);
    /// As they form, and once they are done.
    void embedded(const std::filesystem::path& run, const bitloom::report::Embedding& embedding);
    void surveyed(const std::filesystem::path& run, const bitloom::report::Landscape& landscape);
    void analysingChanged();
    /// `whole`: neither cancelled nor failed.
    void analysisEnded(bool whole);
    void analysisProgress(const bitloom::report::Progress& progress);

  private:
    void run(EngineHost::Work work, const std::filesystem::path& out, const std::string& command);
    void trainingEnded(const Status& outcome);
    void exportEnded(const Result<jobs::ExportResult>& outcome, const std::filesystem::path& file);
    void startBenchmark(const std::filesystem::path& run, const std::string& command,
                        std::function<Result<report::BenchResult>(report::ProgressSink&, JobControl&)> work);
    /// For a job to call on its thread with what it has so far of `run`; `signal` is emitted on this one.
    template <class Value>
    [[nodiscard]] std::function<void(const Value&)> emitSoFar(
        const std::filesystem::path& run,
        void (JobController::*signal)(const std::filesystem::path&, const Value&));
    void benchmarkEnded(const Result<report::BenchResult>& outcome, const std::filesystem::path& run);
    void startAnalysis(Analysis analysis, const std::string& command, EngineHost::Work work);
    void analysisFinished(const Status& outcome);

    std::optional<JobDraft> m_draft;
    std::filesystem::path m_runFile;
    QString m_command;
    EngineHost m_host;
    EngineHost m_exports;
    EngineHost m_benchmarks;
    EngineHost m_analyses;
    Analysis m_analysis = Analysis::None;
};

/// One line with verdict and real bytes, as the log shows it; an error when the file differs from the run.
[[nodiscard]] Result<QString> describe(const jobs::ExportResult& result);

/// One line with the families' times beside the float baseline, device and verdict, as the log shows it.
[[nodiscard]] QString describe(const report::BenchResult& result);

}  // namespace bitloom::app
