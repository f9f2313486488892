// The doors from the command line: sets up the Qt application for a display, for pictures or for one plot.
#include "app/window_entry.h"

#include <QApplication>
#include <QFileInfo>
#include <QJsonDocument>
#include <QJsonObject>
#include <QMetaObject>
#include <QTemporaryDir>
#include <QTimer>
#include <algorithm>
#include <charconv>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>

#include "app/capture.h"
#include "app/main_window.h"
#include "app/stop_signals.h"
#include "engine/base/atomic_file.h"
#include "engine/base/text.h"
#include "engine/jobs/bit_target.h"
#include "engine/jobs/compare_runs.h"
#include "engine/jobs/embedding_job.h"
#include "engine/jobs/landscape_job.h"
#include "engine/jobs/run_playback.h"
#include "engine/jobs/version.h"
#include "widgets/plots/bitwidths_plot.h"
#include "widgets/plots/curves_plot.h"
#include "widgets/plots/embedding_plot.h"
#include "widgets/plots/landscape_plot.h"
#include "widgets/plots/mixture_plot.h"
#include "widgets/plots/pareto_plot.h"
#include "widgets/plots/render.h"
#include "widgets/theme.h"

namespace bitloom::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNoDisplay =
    "bitloom: cannot open a window: no display can be reached. Set DISPLAY or WAYLAND_DISPLAY (ssh: -X), "
    "run the job without a window with 'bitloom train', or save pictures of every view with "
    "'bitloom window ... --capture FOLDER'.\n";

void drawOffscreen() {
    if (!qEnvironmentVariableIsSet("QT_QPA_PLATFORM")) qputenv("QT_QPA_PLATFORM", "offscreen");
}

bool hasDisplay() {
    return qEnvironmentVariableIsSet("QT_QPA_PLATFORM") || !qEnvironmentVariableIsEmpty("DISPLAY") ||
           !qEnvironmentVariableIsEmpty("WAYLAND_DISPLAY");
}

/// Qt aborts when it cannot reach the display; a person gets a sentence and an exit code instead. What Qt
/// says of its own limits is no news: those of the offscreen platform, and where it puts sockets outside of a
/// login.
void explainMessage(QtMsgType type, const QMessageLogContext&, const QString& message) {
    if (message.startsWith(QLatin1String("This plugin does not support")) ||
        message.startsWith(QLatin1String("QStandardPaths: XDG_RUNTIME_DIR not set"))) {
        return;
    }
    std::fprintf(stderr, "bitloom: %s\n", qPrintable(message));
    if (type != QtFatalMsg) return;
    std::fputs(kNoDisplay, stderr);
    std::_Exit(1);
}

/// The process's QApplication, made with a command line of its own unless there is one. Numbers stay in the C
/// locale, as files need them.
class Application {
  public:
    Application() {
        if (QCoreApplication::instance()) return;
        qInstallMessageHandler(explainMessage);
        m_application = std::make_unique<QApplication>(m_count, m_arguments);
        std::setlocale(LC_NUMERIC, "C");
        QCoreApplication::setApplicationName(QStringLiteral("bitloom"));
        QGuiApplication::setApplicationDisplayName(QStringLiteral("Bitloom"));
        QCoreApplication::setApplicationVersion(QString::fromUtf8(jobs::version()));
    }

  private:
    int m_count = 1;
    char m_name[8] = "bitloom";
    char* m_arguments[2] = {m_name, nullptr};
    std::unique_ptr<QApplication> m_application;
};

/// One line of JSON for each visible control that has a name: where it is on the screen, for programs that
/// drive the window.
void printGeometry(MainWindow& window) {
    for (const QWidget* widget : window.findChildren<QWidget*>()) {
        if (!widget->isVisible() || widget->objectName().isEmpty() ||
            widget->objectName().startsWith(QLatin1String("qt_")))
            continue;
        const QPoint corner = widget->mapToGlobal(QPoint(0, 0));
        const QJsonObject line{{QStringLiteral("name"), widget->objectName()},
                               {QStringLiteral("x"), corner.x()},
                               {QStringLiteral("y"), corner.y()},
                               {QStringLiteral("width"), widget->width()},
                               {QStringLiteral("height"), widget->height()}};
        std::printf("%s\n", QJsonDocument(line).toJson(QJsonDocument::Compact).constData());
    }
    std::fflush(stdout);
}

Result<std::int64_t> stepFromText(const std::string& text) {
    if (text == "last") return std::numeric_limits<std::int64_t>::max();
    std::int64_t step = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), step);
    if (problem == std::errc() && end == text.data() + text.size() && step >= 0) return step;
    return usageError("--step {}: not a step. Give a number from 0, or \"last\".", text);
}

/// --layer, where it is given, is one of the run's.
Status checkLayer(const jobs::RunPlayback& run, const PlotOptions& options) {
    std::vector<std::string> names;
    for (const report::LayerInfo& layer : run.info().network.layers)
        names.push_back(layer.name);
    if (options.layer.empty() || std::ranges::find(names, options.layer) != names.end()) return {};
    return usageError("{}: no layer {}. Did you mean {}? Layers: {}", options.run, options.layer,
                      nearestName(options.layer, names), joinNames(names));
}

Result<report::LayerSnapshotPtr> layerToPlot(jobs::RunPlayback& run, const PlotOptions& options,
                                             std::int64_t step) {
    BITLOOM_RETURN_IF_ERROR(checkLayer(run, options));
    if (!options.layer.empty()) return run.layer(options.layer, step);
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<report::LayerSnapshotPtr> layers, run.layers(step));
    if (layers.empty())
        return fail("{}: no layer is recorded yet. Plot it once the first step is done.", options.run);
    const auto quantized =
        std::ranges::find_if(layers, [](const report::LayerSnapshotPtr& l) { return !l->mixtures.empty(); });
    return quantized == layers.end() ? layers.front() : *quantized;
}

Status save(QWidget& view, const QByteArray& csv, const PlotOptions& options) {
    if (fs::path(options.out).extension() == ".csv") {
        return writeFileAtomically(options.out,
                                   std::string_view(csv.constData(), static_cast<std::size_t>(csv.size())));
    }
    view.resize(options.width, options.height);
    QString error;
    constexpr int kPixelRatio = 1;  // the size asked for is that of the file
    if (widgets::renderToFile(view, QString::fromStdString(options.out), &error, kPixelRatio)) return {};
    return fail("{}", error.toStdString());
}

/// What takes minutes to compute must have a place to go.
Status checkOut(const PlotOptions& options) {
    const fs::path out = options.out;
    const std::vector<std::string> suffixes = {".svg", ".pdf", ".png", ".csv"};
    if (std::ranges::find(suffixes, out.extension().string()) == suffixes.end())
        return usageError("--out {}: names end in {}", options.out, joinNames(suffixes));
    std::error_code ignored;
    if (out.has_parent_path() && !fs::is_directory(out.parent_path(), ignored))
        return fail("{}: there is no folder {}", options.out, out.parent_path().string());
    return {};
}

Result<PlotResult> plotMixture(jobs::RunPlayback& run, const PlotOptions& options, std::int64_t step) {
    BITLOOM_ASSIGN_OR_RETURN(report::LayerSnapshotPtr layer, layerToPlot(run, options, step));
    PlotResult drawn{layer->layer, layer->step, {}};
    widgets::MixturePlot view;
    view.setSnapshot(std::move(layer));
    BITLOOM_RETURN_IF_ERROR(save(view, view.csv(), options));
    return drawn;
}

Result<PlotResult> plotCurves(jobs::RunPlayback& run, const PlotOptions& options, std::int64_t step) {
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<report::MetricSample> metrics, run.metrics());
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<report::RunEvent> events, run.events());
    widgets::CurvesPlot view;
    view.setMetrics(metrics);
    view.setEvents(events);
    view.setFp32Accuracy(run.info().top1Fp32);
    if (options.step != "last") view.setCurrentStep(step);
    const jobs::ComparedRuns others = jobs::readRuns({options.beside.begin(), options.beside.end()});
    view.setOtherRuns(others.runs);
    BITLOOM_RETURN_IF_ERROR(save(view, view.csv(), options));
    PlotResult drawn{{}, options.step == "last" ? -1 : step, {}};
    drawn.problems = others.problems;
    return drawn;
}

Result<PlotResult> plotBitwidths(jobs::RunPlayback& run, const PlotOptions& options, std::int64_t step) {
    BITLOOM_RETURN_IF_ERROR(checkLayer(run, options));
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<report::BitwidthTrack> tracks, run.bitwidths());
    if (tracks.empty())
        return fail("{}: no quantized layer is recorded yet. Plot it once the first step is done.",
                    options.run);
    widgets::BitwidthsPlot view;
    view.setNetwork(run.info().network);
    view.setTarget(jobs::bitTarget(run.info().jobToml));
    view.setTracks(tracks);
    view.selectLayer(QString::fromStdString(options.layer));
    if (options.step != "last") view.setCurrentStep(step);
    BITLOOM_RETURN_IF_ERROR(save(view, view.csv(), options));
    const report::BitTotals totals =
        report::totalsAt(report::bitTotals(run.info().network, tracks, false), step);
    return PlotResult{
        {},
        options.step == "last" ? -1 : step,
        {{"bits", totals.bits}, {"weight_bytes", totals.bytes}, {"bit_operations", totals.bitOperations}}};
}

/// Where the times were taken that the picture shows.
Result<std::string> placeOfTimes(const std::vector<report::RunFigures>& runs, const PlotOptions& options) {
    const std::vector<std::string> places = report::timePlaces(runs);
    if (places.empty())
        return fail(
            "{}: no run has been timed as it is now. Time them first: bitloom bench RUN --device DEVICE",
            options.run);
    if (options.device.empty()) return places.front();
    std::string place = report::findPlace(runs, options.device);
    if (!place.empty()) return place;
    return fail("--device {}: no run was timed there; there are times of: {}", options.device,
                joinNames(places));
}

Result<PlotResult> plotPareto(const PlotOptions& options) {
    BITLOOM_RETURN_IF_ERROR(checkOut(options));
    std::vector<fs::path> paths = {options.run};
    paths.insert(paths.end(), options.beside.begin(), options.beside.end());
    const jobs::ComparedRuns compared = jobs::readRuns(paths);
    if (compared.runs.empty()) return fail("{}", compared.problems.front());
    widgets::ParetoPlot view;
    view.setRuns(compared.runs);
    if (options.cost == "milliseconds") {
        BITLOOM_ASSIGN_OR_RETURN(const std::string place, placeOfTimes(compared.runs, options));
        view.setPlace(QString::fromStdString(place));
    }
    view.setProblems(compared.problems);
    view.setCost(QString::fromStdString(options.cost));
    BITLOOM_RETURN_IF_ERROR(save(view, view.csv(), options));
    PlotResult drawn;
    if (options.cost == "milliseconds") {
        const std::string place = view.place().toStdString();
        const auto timed = std::ranges::count_if(
            compared.runs, [&](const report::RunFigures& run) { return run.timeAt(place) != nullptr; });
        drawn.figures = {{"timed_runs", static_cast<double>(timed)}};
    }
    drawn.figures.insert(drawn.figures.end(),
                         {{"runs", static_cast<double>(compared.runs.size())},
                          {"networks", static_cast<double>(report::groupsOf(compared.runs).size())}});
    drawn.problems = compared.problems;
    return drawn;
}

Result<PlotResult> plotEmbedding(const PlotOptions& options, report::ProgressSink& sink,
                                 JobControl& control) {
    BITLOOM_RETURN_IF_ERROR(checkOut(options));
    jobs::EmbeddingRequest request = options.embedding;
    request.run = options.run;
    BITLOOM_ASSIGN_OR_RETURN(const report::Embedding embedding,
                             jobs::runEmbeddingJob(request, sink, control));
    widgets::EmbeddingPlot view;
    view.setEmbedding(embedding);
    BITLOOM_RETURN_IF_ERROR(save(view, view.csv(), options));
    return PlotResult{{},
                      -1,
                      {{"images", static_cast<double>(embedding.labels.size())},
                       {"dimension", static_cast<double>(embedding.dimension)},
                       {"perplexity", embedding.perplexity},
                       {"seed", static_cast<double>(embedding.seed)},
                       {"top1_fp32", embedding.fullPrecision.top1},
                       {"top1_hard", embedding.quantized.top1},
                       {"divergence_fp32", embedding.fullPrecision.divergence},
                       {"divergence_hard", embedding.quantized.divergence}}};
}

Result<PlotResult> plotLandscape(const PlotOptions& options, report::ProgressSink& sink,
                                 JobControl& control) {
    BITLOOM_RETURN_IF_ERROR(checkOut(options));
    jobs::LandscapeRequest request = options.landscape;
    request.run = options.run;
    BITLOOM_ASSIGN_OR_RETURN(const report::Landscape landscape,
                             jobs::runLandscapeJob(request, sink, control));
    widgets::LandscapePlot view;
    view.setLandscape(landscape);
    BITLOOM_RETURN_IF_ERROR(save(view, view.csv(), options));
    const std::size_t centre = landscape.centre();
    return PlotResult{{},
                      -1,
                      {{"images", static_cast<double>(landscape.images)},
                       {"grid", static_cast<double>(landscape.size)},
                       {"range", landscape.range},
                       {"seed", static_cast<double>(landscape.seed)},
                       {"loss_fp32", landscape.fullPrecision.loss[centre]},
                       {"loss_hard", landscape.quantized.loss[centre]},
                       {"top1_fp32", landscape.fullPrecision.top1[centre]},
                       {"top1_hard", landscape.quantized.top1[centre]},
                       {"least_loss_fp32", std::ranges::min(landscape.fullPrecision.loss)},
                       {"least_loss_hard", std::ranges::min(landscape.quantized.loss)}}};
}

/// Once the run is open, what its button does; a run that nothing can be computed of is an error.
void computeWhenOpened(MainWindow& window, const std::string& view) {
    const auto compute = [&window, view] {
        const QString obstacle = window.analysisObstacle();
        if (!obstacle.isEmpty()) Q_EMIT window.jobs().failed(obstacle);
        view == "embedding" ? window.embed() : window.survey();
    };
    QObject::connect(&window.session(), &Session::opened, &window, compute,
                     static_cast<Qt::ConnectionType>(Qt::QueuedConnection | Qt::SingleShotConnection));
}

}  // namespace

int runWindow(const WindowOptions& options) {
    const bool capture = !options.captureFolder.empty();
    if (capture) drawOffscreen();
    if (!hasDisplay()) {
        std::fputs(kNoDisplay, stderr);
        return 1;
    }
    const Application application;
    std::optional<QTemporaryDir>
        scratch;  // a picture shows the default layout and leaves a person's own alone
    if (capture) scratch.emplace();
    Settings settings = capture ? Settings(scratch->filePath(QStringLiteral("settings.ini"))) : Settings();
    if (capture) settings.set(settings::kTheme, QStringLiteral("light"));

    MainWindow window(settings, standardDialogs());
    const StopOnSignal signal(
        [&window] { QMetaObject::invokeMethod(&window, &MainWindow::stopAndClose, Qt::QueuedConnection); });
    if (!options.theme.empty()) window.setTheme(QString::fromStdString(options.theme));
    std::optional<Capture> shooting;
    if (capture) {
        window.resize(Capture::kWidth, Capture::kHeight);
        const auto moment = options.start              ? Capture::Moment::Job
                            : options.benchmark        ? Capture::Moment::Benchmark
                            : !options.compute.empty() ? Capture::Moment::Computed
                                                       : Capture::Moment::Shown;
        shooting.emplace(window, options.captureFolder, options.untilStep, moment);
    }
    window.show();
    if (!options.job.empty()) window.openJob(options.job);
    if (std::optional<JobDraft> job = window.jobs().draft()) {
        job->out = options.out;
        if (capture && options.out.empty())
            job->out = fs::path(options.captureFolder) / fs::path(options.job).stem().concat(".h5");
        window.jobs().setDraft(std::move(job));
    }
    // Beside a job, the file is shown and the job stays; alone, it also prepares a job of its own.
    if (!options.open.empty() && window.jobs().draft())
        window.session().open(options.open);
    else if (!options.open.empty())
        window.open(options.open);
    if (!options.runs.empty()) window.openRuns({options.runs.begin(), options.runs.end()});
    if (options.start && window.jobs().draft()) window.start();
    if (options.benchmark) {
        const auto benchmark = [&window] {
            const QString obstacle = window.benchmarkObstacle();
            if (!obstacle.isEmpty()) Q_EMIT window.jobs().failed(obstacle);
            window.benchmark();
        };
        QObject::connect(&window.session(), &Session::opened, &window, benchmark,
                         static_cast<Qt::ConnectionType>(Qt::QueuedConnection | Qt::SingleShotConnection));
    }
    if (!options.compute.empty()) computeWhenOpened(window, options.compute);
    if (options.printGeometry) QTimer::singleShot(0, &window, [&window] { printGeometry(window); });
    const int code = QApplication::exec();
    // The window that closes also ends the event loop, with 0.
    return shooting && shooting->exitCode() != 0 ? shooting->exitCode() : code;
}

Result<PlotResult> plotRun(const PlotOptions& options) {
    report::ProgressSink silent;
    JobControl control;
    return plotRun(options, silent, control);
}

Result<PlotResult> plotRun(const PlotOptions& options, report::ProgressSink& sink, JobControl& control) {
    BITLOOM_ASSIGN_OR_RETURN(const std::int64_t step, stepFromText(options.step));
    const std::vector<std::string> views = {"mixture", "curves",    "bitwidths",
                                            "pareto",  "embedding", "landscape"};
    if (std::ranges::find(views, options.view) == views.end()) {
        return usageError("--view {}: no such view. Views: {}.", options.view, joinNames(views));
    }
    const bool pareto = options.view == "pareto";
    if (!pareto && options.view != "curves" && !options.beside.empty())
        return usageError("--view {} shows one run; --view pareto and --view curves show several",
                          options.view);
    std::unique_ptr<jobs::RunPlayback> run;
    if (!pareto) {
        BITLOOM_ASSIGN_OR_RETURN(run, jobs::RunPlayback::open(options.run));
    }
    drawOffscreen();
    const Application application;
    widgets::applyTheme(*qApp, options.theme == "dark" ? widgets::Theme::Dark : widgets::Theme::Light);
    if (pareto) return plotPareto(options);
    if (options.view == "embedding") return plotEmbedding(options, sink, control);
    if (options.view == "landscape") return plotLandscape(options, sink, control);
    if (options.view == "mixture") return plotMixture(*run, options, step);
    if (options.view == "bitwidths") return plotBitwidths(*run, options, step);
    return plotCurves(*run, options, step);
}

}  // namespace bitloom::app
