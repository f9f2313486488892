// Runs beside each other: what each comes down to, and which of them no other beats. Value structs and pure
// functions.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/report/run.h"

namespace bitloom::report {

/// How long a run's network takes for one image on one device.
struct RunTime {
    std::string device;      ///< DeviceInfo::id
    std::string deviceName;  ///< DeviceInfo::name
    bool emulated = false;
    int threads = 1;
    std::string family;  ///< of the kernels: "k2"
    double medianMs = kNoValue;
    double p10Ms = kNoValue;
    double p90Ms = kNoValue;
    std::string verdict;  ///< "stable", "unstable" or "throttled"

    /// What times must share to be compared: "Pixel 7, 2 threads"; an emulated device is called so.
    [[nodiscard]] std::string place() const;
};

/// One run. Figures are those of its newest evaluation; NaN where nothing is known yet.
struct RunFigures {
    std::string path;
    std::string name;        ///< for a person: the file without folder and suffix
    std::string network;     ///< "resnet20"
    std::string images;      ///< what it was scored on: "cifar10", "data/photos", "cifar10, first 500 images"
    std::string method;      ///< of the job: "dgms"; "dgms, sdq" where layers differ, "sdq, then
                             ///< uniform" where stages do
    std::string started;     ///< as RunInfo::started
    double top1 = kNoValue;  ///< per cent, hard weights
    double top1Fp32 = kNoValue;
    double bits = kNoValue;          ///< mean bits a quantized weight
    double bytes = kNoValue;         ///< of the packed export
    double bitOps = kNoValue;        ///< an image, as RunSummary::bitOps
    double milliseconds = kNoValue;  ///< an image, the median at the place that showTimes() was told
    std::vector<RunTime> times;      ///< one a device and number of threads
    std::string problem;             ///< what of the run could not be read; empty: nothing
    RunStatus status = RunStatus::Running;
    std::vector<MetricSample> metrics;

    /// What runs must share to be compared: network and images.
    [[nodiscard]] std::string group() const { return network + ", " + images; }
    /// The time taken at this place; null without one.
    [[nodiscard]] const RunTime* timeAt(const std::string& place) const;
};

/// Where runs were timed, the place of most runs first.
[[nodiscard]] std::vector<std::string> timePlaces(const std::vector<RunFigures>& runs);

/// The first of timePlaces() that is meant by `device`: a place, the name of a device or its id. Empty: none.
[[nodiscard]] std::string findPlace(const std::vector<RunFigures>& runs, const std::string& device);

/// Makes the times taken at `place` the runs' milliseconds.
void showTimes(std::vector<RunFigures>& runs, const std::string& place);

/// Indices of the runs that none of the same group beats: as good in both, `cost` (less is better) and top-1,
/// and better in one. Ascending by cost; runs without either figure have no part.
[[nodiscard]] std::vector<std::size_t> paretoFront(const std::vector<RunFigures>& runs,
                                                   double RunFigures::*cost, const std::string& group);

/// Every group once, in the order of the first run of each.
[[nodiscard]] std::vector<std::string> groupsOf(const std::vector<RunFigures>& runs);
/// Every method once, in alphabetical order.
[[nodiscard]] std::vector<std::string> methodsOf(const std::vector<RunFigures>& runs);

}  // namespace bitloom::report
