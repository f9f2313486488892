// One function a verb: declares its options and help on a subcommand and sets what runs when it is chosen.
// Private to the command line.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "app/cli.h"

namespace bitloom::app {

/// What the chosen verb does; returns the exit code.
using Action = std::function<int()>;

/// What every verb needs to declare itself.
struct VerbContext {
    CLI::App& app;   ///< the whole command line
    Action& chosen;  ///< set by the verb that was given
    const FrontEnd& frontEnd;
    std::string command;  ///< as typed, quoted for a shell
};

void addInspectVerb(const VerbContext& context);
void addEvaluateVerb(const VerbContext& context);
void addTrainVerb(const VerbContext& context);
void addSweepVerb(const VerbContext& context);
void addReportVerb(const VerbContext& context);
void addPlotVerb(const VerbContext& context);
void addExportVerb(const VerbContext& context);
void addDevicesVerb(const VerbContext& context);
void addBenchVerb(const VerbContext& context);
void addTuneVerb(const VerbContext& context);
void addParityVerb(const VerbContext& context);
void addWindowVerb(const VerbContext& context);

/// A subcommand with examples under its help. `options` live as long as the application does.
template <class Options>
CLI::App* addVerb(const VerbContext& context, const std::string& name, const std::string& help,
                  const std::string& examples, std::shared_ptr<Options> options,
                  std::function<int(const Options&)> run) {
    CLI::App* verb = context.app.add_subcommand(name, help);
    verb->footer("\nExamples:\n" + examples);
    verb->callback([&chosen = context.chosen, options, run = std::move(run)] {
        chosen = [options, run] { return run(*options); };
    });
    return verb;
}

}  // namespace bitloom::app
