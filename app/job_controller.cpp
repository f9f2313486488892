#include "app/job_controller.h"

#include <QLocale>
#include <cmath>
#include <functional>
#include <memory>
#include <utility>

#include "app/shell_word.h"
#include "engine/jobs/train_job.h"
#include "engine/jobs/tune_job.h"

namespace bitloom::app {
namespace {

std::string commandOf(const char* verb, const jobs::BenchRequest& request) {
    return fmt::format("bitloom {} {} --device {} --threads {}", verb, shellWord(request.run.string()),
                       shellWord(request.device), request.threads);
}

}  // namespace

JobController::JobController(QObject* parent) : QObject(parent) {
    connect(&m_host, &EngineHost::finished, this, &JobController::trainingEnded);
    connect(&m_exports, &EngineHost::stateChanged, this, &JobController::exportingChanged);
    connect(&m_benchmarks, &EngineHost::stateChanged, this, &JobController::benchmarkingChanged);
    connect(&m_analyses, &EngineHost::stateChanged, this, &JobController::analysingChanged);
    connect(&m_analyses, &EngineHost::finished, this, &JobController::analysisFinished);
    const auto passOn = [this](EngineHost& host, void (JobController::*progress)(const report::Progress&)) {
        connect(&host, &EngineHost::delivered, this, [this, progress](const Delivery& delivery) {
            for (const std::string& line : delivery.log)
                Q_EMIT logLine(QString::fromStdString(line));
            if (delivery.progress) Q_EMIT(this->*progress)(*delivery.progress);
        });
    };
    passOn(m_exports, &JobController::exportProgress);
    passOn(m_benchmarks, &JobController::benchmarkProgress);
    passOn(m_analyses, &JobController::analysisProgress);
}

void JobController::setDraft(std::optional<JobDraft> draft) {
    m_draft = std::move(draft);
    Q_EMIT draftChanged();
}

bool JobController::loadJob(const std::filesystem::path& path) {
    auto spec = jobs::readJob(path);
    if (!spec) {
        Q_EMIT failed(QString::fromStdString(spec.error().message));
        return false;
    }
    setDraft(JobDraft{std::move(*spec), std::filesystem::absolute(path), {}});
    return true;
}

void JobController::setOverride(const std::string& layer, const std::optional<quant::LayerOptions>& options) {
    if (!m_draft) return;
    const jobs::JobSpec before = m_draft->spec;
    jobs::setLayer(m_draft->spec, layer, options);
    if (m_draft->spec == before) return;
    m_draft->file.clear();
    Q_EMIT draftChanged();
}

std::optional<quant::LayerOptions> JobController::overrideOf(const std::string& layer) const {
    return m_draft ? jobs::layerOf(m_draft->spec, layer) : std::nullopt;
}

void JobController::start() {
    if (m_host.busy() || occupied() || !m_draft) return;
    JobDraft job = *m_draft;
    if (job.out.empty()) job.out = freshRunPath(job, defaultRunFolder());
    auto command = prepare(job);
    if (!command) {
        Q_EMIT failed(QString::fromStdString(command.error().message));
        return;
    }
    m_draft->file = job.file;
    m_draft->out.clear();  // the next start makes another file
    m_draft->replace = false;
    const jobs::TrainRequest request{std::move(job.spec), job.out, *command, job.replace};
    run(
        [request](report::ProgressSink& sink, JobControl& control) -> Status {
            const auto summary = jobs::runTrainJob(request, sink, control);
            return summary ? Status() : Status(summary.error());
        },
        job.out, *command);
}

void JobController::continueRun(const std::filesystem::path& path) {
    if (m_host.busy() || occupied()) return;
    run(
        [path](report::ProgressSink& sink, JobControl& control) -> Status {
            const auto summary = jobs::resumeTrainJob(path, sink, control);
            return summary ? Status() : Status(summary.error());
        },
        path, "bitloom train --resume " + shellWord(path.string()));
}

void JobController::run(EngineHost::Work work, const std::filesystem::path& out, const std::string& command) {
    m_runFile = out;
    m_command = QString::fromStdString(command);
    Q_EMIT submitted(m_command);
    Q_EMIT started(QString::fromStdString(out.string()));
    m_host.start(std::move(work));
}

void JobController::trainingEnded(const Status& outcome) {
    const QString file = QString::fromStdString(m_runFile.string());
    if (outcome) {
        Q_EMIT ended(false, tr("Finished. The run is in %1").arg(file));
    } else if (outcome.error().kind == ErrorKind::Cancelled) {
        Q_EMIT ended(true, tr("Stopped and saved in %1. Job > Continue run goes on from there.").arg(file));
    } else {
        Q_EMIT ended(false, QString());
        Q_EMIT failed(QString::fromStdString(outcome.error().message));
    }
}

void JobController::exportRun(jobs::ExportRequest request) {
    if (m_exports.busy() || occupied()) return;
    auto result = std::make_shared<std::optional<jobs::ExportResult>>();
    connect(
        &m_exports, &EngineHost::finished, this,
        [this, result, file = request.out](const Status& outcome) {
            if (outcome) {
                exportEnded(**result, file);
            } else {
                exportEnded(outcome.error(), file);
            }
        },
        Qt::SingleShotConnection);
    request.command = fmt::format("bitloom export {} --to {} --out {}", shellWord(request.run.string()),
                                  request.to, shellWord(request.out.string()));
    Q_EMIT submitted(QString::fromStdString(request.command));
    m_exports.start([request, result](report::ProgressSink& sink, JobControl& control) -> Status {
        BITLOOM_ASSIGN_OR_RETURN(*result, jobs::runExportJob(request, sink, control));
        return {};
    });
}

void JobController::exportEnded(const Result<jobs::ExportResult>& outcome,
                                const std::filesystem::path& file) {
    if (!outcome && outcome.error().kind == ErrorKind::Cancelled) {
        Q_EMIT logLine(tr("Export cancelled. What may stand in %1 was not checked.")
                           .arg(QString::fromStdString(file.string())));
        return;
    }
    const auto verdict = outcome ? describe(*outcome) : Result<QString>(outcome.error());
    if (verdict) {
        Q_EMIT exported(*verdict);
    } else {
        Q_EMIT failed(QString::fromStdString(verdict.error().message));
    }
}

/// The hosts wait for the end of their threads before this object goes.
template <class Value>
std::function<void(const Value&)> JobController::emitSoFar(
    const std::filesystem::path& run,
    void (JobController::*signal)(const std::filesystem::path&, const Value&)) {
    return [this, run, signal](const Value& value) {
        const auto pass = [this, run, signal, value] { std::invoke(signal, this, run, value); };
        QMetaObject::invokeMethod(this, pass, Qt::QueuedConnection);
    };
}

void JobController::benchmark(const jobs::BenchRequest& request) {
    startBenchmark(request.run, commandOf("bench", request),
                   [this, request](report::ProgressSink& sink, JobControl& control) {
                       return jobs::runBenchJob(request, sink, control,
                                                emitSoFar(request.run, &JobController::benchmarkSoFar));
                   });
}

void JobController::tuneAndBenchmark(const jobs::BenchRequest& request) {
    startBenchmark(
        request.run, commandOf("tune", request) + " && " + commandOf("bench", request),
        [this, request](report::ProgressSink& sink, JobControl& control) -> Result<report::BenchResult> {
            BITLOOM_ASSIGN_OR_RETURN(const jobs::TuneResult tuned, jobs::runTuneJob(request, sink, control));
            for (std::size_t i = 0; i < tuned.before.size(); ++i)
                sink.log(fmt::format("tuned {}: {:.4g} ms before, {:.4g} ms after", tuned.before[i].family,
                                     tuned.before[i].time.medianMs, tuned.after[i].time.medianMs));
            return jobs::runBenchJob(request, sink, control,
                                     emitSoFar(request.run, &JobController::benchmarkSoFar));
        });
}

void JobController::startBenchmark(
    const std::filesystem::path& run, const std::string& command,
    std::function<Result<report::BenchResult>(report::ProgressSink&, JobControl&)> work) {
    if (occupied()) return;
    auto result = std::make_shared<std::optional<report::BenchResult>>();
    connect(
        &m_benchmarks, &EngineHost::finished, this,
        [this, result, run](const Status& outcome) {
            if (outcome) {
                benchmarkEnded(**result, run);
            } else {
                benchmarkEnded(outcome.error(), run);
            }
        },
        Qt::SingleShotConnection);
    Q_EMIT submitted(QString::fromStdString(command));
    m_benchmarks.start(
        [work = std::move(work), result](report::ProgressSink& sink, JobControl& control) -> Status {
            BITLOOM_ASSIGN_OR_RETURN(*result, work(sink, control));
            return {};
        });
}

void JobController::benchmarkEnded(const Result<report::BenchResult>& outcome,
                                   const std::filesystem::path& run) {
    if (outcome) {
        Q_EMIT logLine(describe(*outcome));
        Q_EMIT benchmarked(run, *outcome);
    } else if (outcome.error().kind == ErrorKind::Cancelled) {
        Q_EMIT logLine(tr("Benchmark cancelled."));
    } else {
        Q_EMIT failed(QString::fromStdString(outcome.error().message));
    }
}

void JobController::embed(const jobs::EmbeddingRequest& request) {
    const auto show = emitSoFar(request.run, &JobController::embedded);
    startAnalysis(
        Analysis::Embedding,
        fmt::format(
            "bitloom plot {} --view embedding --images {} --perplexity {} --seed {} --out embedding.svg",
            shellWord(request.run.string()), request.images, request.perplexity, request.seed),
        [request, show](report::ProgressSink& sink, JobControl& control) -> Status {
            BITLOOM_ASSIGN_OR_RETURN(const report::Embedding embedding,
                                     jobs::runEmbeddingJob(request, sink, control, show));
            show(embedding);
            return {};
        });
}

void JobController::survey(const jobs::LandscapeRequest& request) {
    const auto show = emitSoFar(request.run, &JobController::surveyed);
    startAnalysis(
        Analysis::Landscape,
        fmt::format("bitloom plot {} --view landscape --images {} --grid {} --seed {} --out landscape.svg",
                    shellWord(request.run.string()), request.images, request.size, request.seed),
        [request, show](report::ProgressSink& sink, JobControl& control) -> Status {
            const auto landscape = jobs::runLandscapeJob(request, sink, control, show);
            return landscape ? Status() : Status(landscape.error());
        });
}

void JobController::startAnalysis(Analysis analysis, const std::string& command, EngineHost::Work work) {
    if (m_host.busy() || m_exports.busy() || occupied()) return;
    m_analysis = analysis;
    Q_EMIT submitted(QString::fromStdString(command));
    m_analyses.start(std::move(work));
}

void JobController::analysisFinished(const Status& outcome) {
    const bool embedding = m_analysis == Analysis::Embedding;
    if (outcome) {
        Q_EMIT logLine(embedding ? tr("Embedding computed.") : tr("Landscape computed."));
    } else if (outcome.error().kind == ErrorKind::Cancelled) {
        Q_EMIT logLine(embedding ? tr("Embedding cancelled.") : tr("Landscape cancelled."));
    } else {
        Q_EMIT failed(QString::fromStdString(outcome.error().message));
    }
    Q_EMIT analysisEnded(outcome.ok());
}

QString describe(const report::BenchResult& result) {
    QStringList times;
    for (const report::KernelTiming& timing : result.network) {
        const double ms = timing.time.medianMs;
        times += QStringLiteral("%1 %2 ms")
                     .arg(QString::fromStdString(timing.family),
                          std::isfinite(ms) ? QString::number(ms, 'g', 4) : QStringLiteral("-"));
    }
    return QObject::tr("%1, %2 on %3: %4; %5")
        .arg(QString::fromStdString(result.arch), QString::fromStdString(result.origin),
             QString::fromStdString(result.device.name), times.join(QStringLiteral(", ")),
             QString::fromLatin1(report::toText(result.verdict)));
}

Result<QString> describe(const jobs::ExportResult& result) {
    if (!result.identical) {
        return fail("{}: read back, it differs from the run. Do not use this file; export the run again.",
                    result.path);
    }
    if (result.format == "strategy")
        return QObject::tr(
                   "%1: the bits of each layer. Read back: identical. Another job follows them with "
                   "quantizer.strategy")
            .arg(QString::fromStdString(result.path));
    QString text =
        QObject::tr(
            "%1: %2 bytes on disk, %3 times smaller than float32 (%4 bytes). Read back: identical, bit "
            "for bit")
            .arg(QString::fromStdString(result.path), QLocale::c().toString(qlonglong{result.bytes}),
                 QString::number(result.compression, 'f', 2),
                 QLocale::c().toString(qlonglong{result.fp32Bytes}));
    if (!result.checked.empty()) text += QObject::tr(": %1").arg(QString::fromStdString(result.checked));
    if (std::isfinite(result.top1File)) {
        text += QObject::tr("; top-1 %1 %").arg(QString::number(result.top1File, 'f', 2));
        if (std::isfinite(result.top1Run))
            text += QObject::tr(", the run recorded %1 %").arg(QString::number(result.top1Run, 'f', 2));
    }
    return text;
}

}  // namespace bitloom::app
