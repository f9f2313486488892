#include "app/cli.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "app/cli_output.h"
#include "app/cli_verbs.h"
#include "app/shell_word.h"
#include "engine/base/text.h"
#include "engine/jobs/version.h"

namespace bitloom::app {
namespace {

constexpr int kUsage = static_cast<int>(ErrorKind::Usage);

const char* const kExamples =
    "\nExamples:\n"
    "  bitloom                                              open the window\n"
    "  bitloom inspect net.pth                              what is in a weight file\n"
    "  bitloom train job.toml --out run.h5                  train and record a job\n"
    "  bitloom report run.h5 --json                         its figures\n"
    "  bitloom export run.h5 --to safetensors --out q.safetensors\n"
    "\n'bitloom VERB --help' tells more. Exit codes: 0 done, 1 failed, 2 usage, 3 cancelled, 4 no device.\n";

std::string commandOf(int argc, char** argv) {
    std::string command = "bitloom";
    for (int i = 1; i < argc; ++i)
        command += " " + shellWord(argv[i]);
    return command;
}

void setUpLogging() {
    auto logger =
        std::make_shared<spdlog::logger>("bitloom", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    logger->set_pattern("bitloom: %^%l%$: %v");
    spdlog::set_default_logger(std::move(logger));
}

std::vector<std::string> verbNames(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* verb : app.get_subcommands({}))
        names.push_back(verb->get_name());
    return names;
}

/// The first word of the command line is a verb or a file, unless it is an option.
Status checkFirstWord(const CLI::App& app, const std::string& word) {
    const std::vector<std::string> verbs = verbNames(app);
    std::error_code ignored;
    if (word.empty() || word.starts_with('-') || std::ranges::find(verbs, word) != verbs.end() ||
        std::filesystem::exists(word, ignored)) {
        return {};
    }
    return usageError("'{}' is neither a file nor a verb; did you mean {}? 'bitloom --help' lists the verbs",
                      word, nearestName(word, verbs));
}

/// `bitloom` and `bitloom FILE`.
int openWindow(const FrontEnd& frontEnd, const std::string& file) {
    if (!frontEnd.window) {
        return reportError(usageError("this build has no window; 'bitloom --help' lists what it can do"));
    }
    WindowOptions options;
    options.open = file;
    return frontEnd.window(options);
}

/// "; did you mean --out instead of --otu?" for the first option that nobody knows; empty when there is none.
std::string nearestOption(const CLI::App& app) {
    const auto verbs = app.get_subcommands();
    const CLI::App& parsed = verbs.empty() ? app : *verbs.front();
    std::vector<std::string> known;
    for (const CLI::Option* option : parsed.get_options()) {
        for (const std::string& name : option->get_lnames())
            known.push_back("--" + name);
    }
    for (const std::string& word : app.remaining(true)) {
        if (!word.starts_with("--") || word == "--") continue;
        const std::string name = word.substr(0, word.find('='));
        if (std::ranges::find(known, name) != known.end()) continue;
        return fmt::format("; did you mean {} instead of {}?", nearestName(name, known), name);
    }
    return {};
}

/// CLI11's message, and the nearest option where one was not known.
int reportUsage(const CLI::App& app, const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help and --version
    spdlog::error("{}{}; see 'bitloom --help' or 'bitloom VERB --help'", error.what(), nearestOption(app));
    return kUsage;
}

int parseAndRun(int argc, char** argv, const FrontEnd& frontEnd) {
    CLI::App app("Bitloom, a workbench for low-bit neural networks", "bitloom");
    app.set_version_flag("--version", std::string("bitloom ") + jobs::version(),
                         "Print the version and exit");
    app.footer(kExamples);
    app.require_subcommand(0, 1);
    std::string file;
    app.add_option("FILE", file, "Weight file or run to open in the window");
    Action chosen;
    const VerbContext context{app, chosen, frontEnd, commandOf(argc, argv)};
    for (const auto add :
         {addInspectVerb, addEvaluateVerb, addTrainVerb, addSweepVerb, addReportVerb, addPlotVerb,
          addExportVerb, addDevicesVerb, addBenchVerb, addTuneVerb, addParityVerb, addWindowVerb}) {
        add(context);
    }
    if (const Status known = checkFirstWord(app, argc > 1 ? argv[1] : ""); !known)
        return reportError(known.error());
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return reportUsage(app, error);
    }
    return chosen ? chosen() : openWindow(frontEnd, file);
}

}  // namespace

int runCli(int argc, char** argv, const FrontEnd& frontEnd) {
    setUpLogging();
    try {
        const int code = parseAndRun(argc, argv, frontEnd);
        if (code == 0 && (std::fflush(stdout) != 0 || std::ferror(stdout) != 0))
            return reportError(fail("standard output cannot be written: the results are lost"));
        return code;
    } catch (const std::exception& error) {
        return reportError(fail("{}", error.what()));
    }
}

}  // namespace bitloom::app
