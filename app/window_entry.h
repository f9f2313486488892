// The two doors from the command line into the window's library. Plain values, no Qt: the command line is
// built and tested without it. Defined only where BITLOOM_GUI is set; both run on the process's main thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/job_control.h"
#include "engine/base/result.h"
#include "engine/jobs/embedding_job.h"
#include "engine/jobs/landscape_job.h"
#include "engine/report/progress_sink.h"

namespace bitloom::app {

struct WindowOptions {
    std::string open;               ///< weight file or run file to show first; empty: none
    std::vector<std::string> runs;  ///< runs and folders of runs to compare, in place of `open`
    std::string job;                ///< job file to load; empty: none
    bool start = false;             ///< start the job at once
    bool benchmark = false;         ///< time the opened run once it is shown
    std::string compute;            ///< "embedding" or "landscape" of the opened run; empty: neither
    std::string captureFolder;      ///< save every view as a picture here, then exit; empty: stay open
    std::int64_t untilStep = -1;    ///< capture once this step of the started job is shown; -1: when it ends
    std::string theme;              ///< "light", "dark"; empty: as last time
    std::string out;                ///< run file of the job; empty: a new one in ./runs
    bool printGeometry = false;  ///< print where each named control is, one line of JSON each, for programs
                                 ///< that drive the window
};

struct PlotOptions {
    std::string run;                  ///< run file
    std::vector<std::string> beside;  ///< more runs or, for "pareto", folders of runs
    std::string view;           ///< "mixture", "curves", "bitwidths", "pareto", "embedding", "landscape"
    std::string layer;          ///< node name; empty: the first quantized layer
    std::string step = "last";  ///< "last" or a step number
    std::string out;            ///< .svg, .pdf, .png, or .csv for the values
    std::string theme;          ///< "light" (also when empty) or "dark"
    int width = 1200;           ///< pixels of a .png, units of the others
    int height = 800;
    std::string cost = "bits";         ///< of "pareto": "bits", "bytes", "bit_operations", "milliseconds"
    std::string device;                ///< of "milliseconds": id or name; empty: that of most runs
    jobs::EmbeddingRequest embedding;  ///< but for the run, which is `run`
    jobs::LandscapeRequest landscape;  ///< likewise
};

/// What was drawn.
struct PlotResult {
    std::string layer;       ///< of a mixture, else empty
    std::int64_t step = -1;  ///< of the layer, or where the cursor of curves and bits stands; -1: nowhere
    /// Of all but mixture and curves, by name in JSON.
    std::vector<std::pair<std::string, double>> figures;
    std::vector<std::string> problems = {};  ///< files that are missing from the picture, and why
};

/// Opens the window and returns the process's exit code when it closes. SIGINT and SIGTERM save and close it.
/// A capture needs a file to open or a job to start.
[[nodiscard]] int runWindow(const WindowOptions& options);

/// Draws one view of a run into a file, without a display; embedding and landscape are computed first, with
/// progress to `sink` until `control` stops them. Errors name the run, the layer or the view.
[[nodiscard]] Result<PlotResult> plotRun(const PlotOptions& options, report::ProgressSink& sink,
                                         JobControl& control);

/// The same in silence and to its end.
[[nodiscard]] Result<PlotResult> plotRun(const PlotOptions& options);

}  // namespace bitloom::app
