// `bitloom plot` and `bitloom window`: what needs the window's library.
#include <filesystem>

#include "app/cli_output.h"
#include "app/cli_progress.h"
#include "app/cli_verbs.h"
#include "app/stop_signals.h"

namespace bitloom::app {
namespace {

Error noWindow(const char* verb) {
    return usageError("this build has no window, so no '{}'; build with -DBITLOOM_GUI=ON", verb);
}

struct PlotVerbOptions {
    PlotOptions plot;
    bool json = false;
};

int runPlot(const PlotVerbOptions& options, const FrontEnd& frontEnd) {
    const PlotOptions& plot = options.plot;
    if (!frontEnd.plot) return reportError(noWindow("plot"));
    JobControl control;
    const StopOnSignal signals([&control] { control.stop(); });
    TerminalSink sink;
    const auto drawn = frontEnd.plot(plot, sink, control);
    if (!drawn) return reportError(drawn.error());
    for (const std::string& problem : drawn->problems)
        sink.log("not read: " + problem);
    if (!options.json) return 0;
    Json json = {{"out", plot.out},
                 {"view", plot.view},
                 {"layer", drawn->layer.empty() ? Json() : Json(drawn->layer)},
                 {"step", drawn->step < 0 ? Json() : Json(drawn->step)}};
    for (const auto& [name, value] : drawn->figures)
        json[name] = value;
    if (!drawn->problems.empty()) json["problems"] = drawn->problems;
    printJson(json);
    return 0;
}

/// Of views that are computed first. Options of both go to both requests.
void addComputedOptions(CLI::App& verb, PlotOptions& options) {
    jobs::EmbeddingRequest& embedding = options.embedding;
    jobs::LandscapeRequest& landscape = options.landscape;
    const std::string group = "Embedding and landscape";
    verb.add_option_function<std::int64_t>(
            "--images", [&](std::int64_t images) { embedding.images = landscape.images = images; },
            fmt::format(
                "So many test images, the first ones; 0: all. Else {} for an embedding, {} for a landscape",
                embedding.images, landscape.images))
        ->check(CLI::NonNegativeNumber)
        ->group(group);
    verb.add_option_function<std::uint64_t>(
            "--seed", [&](std::uint64_t seed) { embedding.seed = landscape.seed = seed; },
            "Of the layout's start, or of the directions; else 0")
        ->group(group);
    verb.add_option_function<int>(
            "--threads", [&](int threads) { embedding.threads = landscape.threads = threads; },
            "Threads; else all cores")
        ->check(CLI::NonNegativeNumber)
        ->group(group);
    verb.add_option("--perplexity", embedding.perplexity,
                    "How many neighbours of an image count in the embedding")
        ->group(group)
        ->capture_default_str();
    verb.add_option("--iterations", embedding.iterations, "Of each layout of the embedding")
        ->check(CLI::PositiveNumber)
        ->group(group)
        ->capture_default_str();
    verb.add_option("--grid", landscape.size, "Points of the landscape along each direction, an odd number")
        ->group(group)
        ->capture_default_str();
    verb.add_option("--range", landscape.range,
                    "How far the landscape reaches to each side; 1 is a filter's own norm")
        ->group(group)
        ->capture_default_str();
}

int runWindowVerb(const WindowOptions& options, const FrontEnd& frontEnd) {
    if (!frontEnd.window) return reportError(noWindow("window"));
    if (!options.captureFolder.empty() && options.open.empty() && options.runs.empty() && !options.start) {
        return reportError(
            usageError("--capture needs something to show: name a FILE, or give --job JOB --start"));
    }
    return frontEnd.window(options);
}

}  // namespace

void addPlotVerb(const VerbContext& context) {
    auto verbOptions = std::make_shared<PlotVerbOptions>();
    PlotOptions* options = &verbOptions->plot;
    CLI::App* verb = addVerb<PlotVerbOptions>(
        context, "plot", "Draw a view of a run into a file",
        "  bitloom plot run.h5 --view mixture --layer layer1.0.conv1 --step last --out figure.svg\n"
        "  bitloom plot run.h5 --view curves --theme dark --out curves.png\n"
        "  bitloom plot run.h5 --view bitwidths --out bits.svg\n"
        "  bitloom plot runs --view pareto --cost bytes --out pareto.svg\n"
        "  bitloom plot runs --view pareto --cost milliseconds --device host --out pareto.svg\n"
        "  bitloom plot run.h5 --view embedding --images 5000 --perplexity 50 --out embedding.svg\n"
        "  bitloom plot run.h5 --view landscape --grid 51 --range 0.5 --out landscape.csv\n",
        verbOptions,
        [&frontEnd = context.frontEnd](const PlotVerbOptions& given) { return runPlot(given, frontEnd); });
    verb->add_option_function<std::vector<std::string>>(
            "RUN",
            [options](const std::vector<std::string>& runs) {
                options->run = runs.front();
                options->beside.assign(runs.begin() + 1, runs.end());
            },
            "Run file; for pareto several, or folders of runs; for curves the others are drawn beneath")
        ->required();
    verb->add_option("--view", options->view, "mixture, curves, bitwidths, pareto, embedding or landscape")
        ->required();
    verb->add_option("--cost", options->cost,
                     "What pareto sets the accuracy against: bits, bytes, bit_operations, or milliseconds as "
                     "'bitloom bench RUN' measured them")
        ->check(CLI::IsMember({"bits", "bytes", "bit_operations", "milliseconds"}))
        ->capture_default_str();
    verb->add_option("--device", options->device,
                     "Whose times pareto shows: a device of 'bitloom devices' by id or name; else where most "
                     "runs were timed");
    verb->add_option("--layer", options->layer,
                     "Layer, for example layer1.0.conv1; the first quantized one when not given");
    verb->add_option("--step", options->step, "Step, or last")->capture_default_str();
    verb->add_option("--out", options->out, "File to write: .svg, .pdf or .png; .csv for the values")
        ->required();
    verb->add_option("--theme", options->theme, "light or dark")->check(CLI::IsMember({"light", "dark"}));
    verb->add_option("--width", options->width, "Width: pixels of a .png, units of an .svg or .pdf")
        ->check(CLI::Range(100, 10000))
        ->capture_default_str();
    verb->add_option("--height", options->height, "Height, like --width")
        ->check(CLI::Range(100, 10000))
        ->capture_default_str();
    verb->add_flag("--json", verbOptions->json, "Print what was drawn as JSON");
    addComputedOptions(*verb, *options);
}

void addWindowVerb(const VerbContext& context) {
    auto options = std::make_shared<WindowOptions>();
    CLI::App* verb = addVerb<WindowOptions>(
        context, "window", "Open the window; also what 'bitloom' alone does",
        "  bitloom window run.h5\n"
        "  bitloom window runs\n"
        "  bitloom window --job job.toml --start\n"
        "  bitloom window --job job.toml --start --capture pictures --until-step 200\n",
        options, [&frontEnd = context.frontEnd](const WindowOptions& given) {
            return runWindowVerb(given, frontEnd);
        });
    verb->add_option_function<std::vector<std::string>>(
        "FILE",
        [options](const std::vector<std::string>& files) {
            std::error_code ignored;
            if (files.size() == 1 && !std::filesystem::is_directory(files.front(), ignored)) {
                options->open = files.front();
            } else {
                options->runs = files;
            }
        },
        "Weight file or run to show; several runs, or folders of runs, to compare");
    verb->add_option("--job", options->job, "Job file to load")->check(CLI::ExistingFile);
    verb->add_flag("--start", options->start, "Start the job at once")->needs(verb->get_option("--job"));
    verb->add_flag(
            "--benchmark", options->benchmark,
            "Time the run on the device chosen last; with --capture on this computer, before the pictures")
        ->needs(verb->get_option("FILE"))
        ->excludes(verb->get_option("--start"));
    verb->add_option(
            "--compute", options->compute,
            "Compute this view of the run: embedding or landscape; with --capture before the pictures")
        ->check(CLI::IsMember({"embedding", "landscape"}))
        ->needs(verb->get_option("FILE"))
        ->excludes(verb->get_option("--start"))
        ->excludes(verb->get_option("--benchmark"));
    verb->add_option("--out", options->out, "Run file of the job; a new one in ./runs when not given");
    verb->add_option("--capture", options->captureFolder,
                     "Save every view as a picture in this folder, then exit");
    verb->add_option("--until-step", options->untilStep,
                     "Capture once this step of the started job is shown; else when it ends")
        ->check(CLI::NonNegativeNumber)
        ->needs(verb->get_option("--start"))
        ->needs(verb->get_option("--capture"));
    verb->add_option("--theme", options->theme, "light or dark")->check(CLI::IsMember({"light", "dark"}));
    verb->add_flag("--print-geometry", options->printGeometry,
                   "Print where each control is, for programs that drive the window");
}

}  // namespace bitloom::app
