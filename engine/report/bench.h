// Measured times of a network on a device, next to those of its rivals in the same run. Value structs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/report/device.h"

namespace bitloom::report {

/// One way to compute a network or a layer.
struct KernelTiming {
    /// "naive_fp32", "tuned_fp32", "paper_codebook", "k0", "k2", "onednn_fp32_direct", "onednn_fp32" (the
    /// faster of direct and Winograd), "onednn_int8"
    std::string family;
    std::string kernel;  ///< of a layer: the microkernel that ran; empty for networks
    TimingSummary time;
    std::vector<double> samplesMs;  ///< all, in order
    double gmacs = kNoValue;        ///< 10^9 multiply-adds a second, from the median
    double percentOfPeak =
        kNoValue;  ///< of what the best inner loop of its arithmetic reaches on that core, measured
    std::int64_t weightBytes = -1;  ///< as held while running
    std::int64_t peakBytes = -1;    ///< weights, activations and scratch; of networks
};

struct LayerTiming {
    std::string name;
    std::string shape;  ///< "64x56x56 -> 128x28x28, 3x3 /2"
    std::int64_t macs = 0;
    std::vector<KernelTiming> kernels;  ///< one a family
};

/// The device between two rounds of samples.
struct ConditionsSample {
    double seconds = 0;           ///< since the first, which is BenchResult::before
    DeviceConditions conditions;  ///< clocks and zones; no battery
};

struct BenchResult {
    std::string arch;
    std::string origin;  ///< "run.h5", or "random weights, 4 bits"
    DeviceInfo device;
    DeviceConditions before;
    DeviceConditions after;
    std::vector<ConditionsSample> trace;  ///< before the first round, after each one
    std::string isa;                      ///< strongest instruction set used
    int threads = 1;
    std::vector<int> cores;             ///< that the threads were pinned to
    std::int64_t macs = 0;              ///< of the network, for one image
    std::vector<KernelTiming> network;  ///< one a family
    std::vector<LayerTiming> layers;    ///< convolutions and linear layers
    int tunedLayers = 0;                ///< that ran as the tuner found best, over all families
    /// 10^9 multiply-adds a second of one core: its best inner loop on data in the first cache.
    double peakFloatGmacs = kNoValue;
    double peakInt8Gmacs = kNoValue;
    std::vector<double> sentinelMs;
    TimingVerdict verdict = TimingVerdict::Unstable;  ///< the worst of the network's
    std::string reason;
};

}  // namespace bitloom::report
