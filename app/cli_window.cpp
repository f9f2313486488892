// `bitloom plot` and `bitloom window`: what needs the window's library.
#include "app/cli_output.h"
#include "app/cli_verbs.h"

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
    const auto drawn = frontEnd.plot ? frontEnd.plot(plot) : Result<PlotResult>(noWindow("plot"));
    if (!drawn) return reportError(drawn.error());
    if (!options.json) return 0;
    printJson({{"out", plot.out},
               {"view", plot.view},
               {"layer", drawn->layer.empty() ? Json() : Json(drawn->layer)},
               {"step", drawn->step < 0 ? Json() : Json(drawn->step)}});
    return 0;
}

int runWindowVerb(const WindowOptions& options, const FrontEnd& frontEnd) {
    if (!frontEnd.window) return reportError(noWindow("window"));
    if (!options.captureFolder.empty() && options.open.empty() && !options.start) {
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
        "  bitloom plot run.h5 --view curves --theme dark --out curves.png\n",
        verbOptions,
        [&frontEnd = context.frontEnd](const PlotVerbOptions& given) { return runPlot(given, frontEnd); });
    verb->add_option("RUN", options->run, "Run file")->required();
    verb->add_option("--view", options->view, "mixture or curves")->required();
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
}

void addWindowVerb(const VerbContext& context) {
    auto options = std::make_shared<WindowOptions>();
    CLI::App* verb = addVerb<WindowOptions>(
        context, "window", "Open the window; also what 'bitloom' alone does",
        "  bitloom window run.h5\n"
        "  bitloom window --job job.toml --start\n"
        "  bitloom window --job job.toml --start --capture pictures --until-step 200\n",
        options, [&frontEnd = context.frontEnd](const WindowOptions& given) {
            return runWindowVerb(given, frontEnd);
        });
    verb->add_option("FILE", options->open, "Weight file or run to show");
    verb->add_option("--job", options->job, "Job file to load")->check(CLI::ExistingFile);
    verb->add_flag("--start", options->start, "Start the job at once")->needs(verb->get_option("--job"));
    verb->add_flag(
            "--benchmark", options->benchmark,
            "Time the run on the device chosen last; with --capture on this computer, before the pictures")
        ->needs(verb->get_option("FILE"))
        ->excludes(verb->get_option("--start"));
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
