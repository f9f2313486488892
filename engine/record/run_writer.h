// Writes a run file: HDF5, SWMR, so that other processes read it while it grows and it is readable after a
// kill. Layout in schema.h. Every dataset exists before the first step and is only extended. One writer, one
// thread at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/report/run.h"
#include "engine/report/snapshot.h"

namespace bitloom::record {

/// Sizes of one layer's datasets, fixed for the run.
struct LayerLayout {
    std::string name;
    int mixtures = 1;    ///< 1, or output channels
    int components = 0;  ///< of each mixture at most; 0: full precision, only a histogram is recorded
    int bins = 256;
};

class RunWriter {
  public:
    /// Creates `path` (an existing file is replaced only once the new one is ready to be appended to).
    [[nodiscard]] static Result<std::unique_ptr<RunWriter>> create(const std::filesystem::path& path,
                                                                   const report::RunInfo& info,
                                                                   const std::vector<LayerLayout>& layers);

    /// Continues a run: keeps every row with step <= `step`, drops what came later, clears the mark that a
    /// killed writer left. The file stays whole at every moment (rewritten beside and renamed).
    [[nodiscard]] static Result<std::unique_ptr<RunWriter>> resume(const std::filesystem::path& path,
                                                                   std::int64_t step);

    virtual ~RunWriter() = default;
    [[nodiscard]] virtual Status appendMetric(const report::MetricSample& sample) = 0;
    [[nodiscard]] virtual Status appendLayer(const report::LayerSnapshot& snapshot) = 0;
    [[nodiscard]] virtual Status appendEvent(const report::RunEvent& event) = 0;
    [[nodiscard]] virtual Status setFp32Accuracy(double top1) = 0;
    /// Makes everything appended so far visible to readers.
    [[nodiscard]] virtual Status flush() = 0;
    /// flush(), and waits until the disk has it, so that a checkpoint written next is not ahead of the run
    /// after a power cut. Milliseconds to tenths of a second, as the disk takes: not for every step.
    [[nodiscard]] virtual Status sync() = 0;
    /// Writes the summary and status and closes the file.
    [[nodiscard]] virtual Status finish(const report::RunSummary& summary) = 0;
};

}  // namespace bitloom::record
