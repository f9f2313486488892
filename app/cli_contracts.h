// Options of every verb that lowers a network: which layers take activations of 8 bits. Private to the
// command line.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "engine/jobs/deployment_options.h"

namespace bitloom::app {

/// --contract, --exact, --int8 and --calibration into `deployment`, which outlives `verb`; of two words about
/// one layer the last of --exact, then --int8 counts. `group`: their heading in the help; empty: the verb's
/// own.
void addContractOptions(CLI::App& verb, jobs::DeploymentOptions& deployment, const std::string& group = {});

}  // namespace bitloom::app
