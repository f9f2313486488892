// `bitloom plot` and `bitloom window`: what needs the window's library.
#include "app/cli_output.h"
#include "app/cli_verbs.h"

namespace bitloom::app {
namespace {

Error noWindow(const char* verb) {
    return usageError("this build has no window, so no '{}'; build with -DBITLOOM_GUI=ON", verb);
}

}  // namespace

void addPlotVerb(VerbContext context) {
    auto options = std::make_shared<PlotOptions>();
    CLI::App* verb = addVerb<PlotOptions>(
        context, "plot", "Draw a view of a run into a file",
        "  bitloom plot run.h5 --view mixture --layer layer1.0.conv1 --step last --out figure.svg\n"
        "  bitloom plot run.h5 --view curves --theme dark --out curves.png\n",
        options, [&frontEnd = context.frontEnd](const PlotOptions& given) {
            const Status drawn = frontEnd.plot ? frontEnd.plot(given) : Status(noWindow("plot"));
            return drawn ? 0 : reportError(drawn.error());
        });
    verb->add_option("RUN", options->run, "Run file")->required();
    verb->add_option("--view", options->view, "mixture or curves")->required();
    verb->add_option("--layer", options->layer,
                     "Layer, for example layer1.0.conv1; the first when not given");
    verb->add_option("--step", options->step, "Step, or last")->capture_default_str();
    verb->add_option("--out", options->out, "Picture to write: .svg, .pdf or .png")->required();
    verb->add_option("--theme", options->theme, "light or dark")->check(CLI::IsMember({"light", "dark"}));
    verb->add_option("--width", options->width, "Pixels")
        ->check(CLI::Range(100, 10000))
        ->capture_default_str();
    verb->add_option("--height", options->height, "Pixels")
        ->check(CLI::Range(100, 10000))
        ->capture_default_str();
}

void addWindowVerb(VerbContext context) {
    auto options = std::make_shared<WindowOptions>();
    CLI::App* verb = addVerb<WindowOptions>(
        context, "window", "Open the window; also what 'bitloom' alone does",
        "  bitloom window run.h5\n"
        "  bitloom window --job job.toml --start\n"
        "  bitloom window --job job.toml --start --capture pictures --until-step 200\n",
        options, [&frontEnd = context.frontEnd](const WindowOptions& given) {
            return frontEnd.window ? frontEnd.window(given) : reportError(noWindow("window"));
        });
    verb->add_option("FILE", options->open, "Weight file or run to show");
    verb->add_option("--job", options->job, "Job file to load")->check(CLI::ExistingFile);
    verb->add_flag("--start", options->start, "Start the job at once")->needs(verb->get_option("--job"));
    verb->add_option("--out", options->out, "Run file of the job; a new one in ./runs when not given");
    verb->add_option("--capture", options->captureFolder,
                     "Save every view as a picture in this folder, then exit");
    verb->add_option("--until-step", options->untilStep,
                     "Capture once this step is shown; else when the job ends")
        ->check(CLI::NonNegativeNumber);
    verb->add_option("--theme", options->theme, "light or dark")->check(CLI::IsMember({"light", "dark"}));
    verb->add_flag("--print-geometry", options->printGeometry,
                   "Print where each control is, for programs that drive the window");
}

}  // namespace bitloom::app
