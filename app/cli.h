// The command line: `bitloom VERB ...`. Parses, calls the same jobs as the window, prints tables or JSON to
// standard output and everything else to standard error. Knows the window only through what main() hands in.
#pragma once

#include <functional>

#include "app/window_entry.h"

namespace bitloom::app {

/// The window's side of the program; empty functions in a build without it.
struct FrontEnd {
    std::function<int(const WindowOptions&)> window;
    std::function<Result<PlotResult>(const PlotOptions&, report::ProgressSink&, JobControl&)> plot;
};

/// Runs one command and returns its exit code: 0 done, 1 failed, 2 usage, 3 cancelled, 4 no device. Main
/// thread, once.
[[nodiscard]] int runCli(int argc, char** argv, const FrontEnd& frontEnd);

}  // namespace bitloom::app
