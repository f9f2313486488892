// Whether a device computes what this program and libtorch compute. Value structs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/report/device.h"

namespace bitloom::report {

struct ParityStep {
    std::string name;         ///< of the layer, or of the node that the step computes
    bool sameOutput = false;  ///< bits of the device and of this computer
    bool sameSums = true;     ///< of int8 layers: their int32 sums
    double error = kNoValue;  ///< of the values here against libtorch's, |a - b| / |b|
};

/// One way to compute the network: "k0" (floats) or "k2" (int8).
struct ParityNetwork {
    std::string family;
    std::vector<ParityStep> steps;  ///< for the first image
    std::string diverges;           ///< the first step that the device computes differently; empty: none
    double bound = kNoValue;        ///< on `error` of every step; none for int8, whose values are rounded
    std::string exceeds;            ///< the first step beyond it; empty: none
    std::int64_t images = 0;
    std::int64_t sameOutputs = 0;     ///< images whose scores are equal to the bit, device and here
    std::int64_t sameClass = 0;       ///< images of which device and libtorch name the same class
    double top1Device = kNoValue;     ///< per cent
    double top1Reference = kNoValue;  ///< libtorch's, with the hard weights
};

struct ParityResult {
    std::string arch;
    std::string origin;  ///< "run.h5"
    DeviceInfo device;
    std::string isa;  ///< strongest instruction set used there
    std::vector<ParityNetwork> networks;
    bool passed = false;  ///< nothing diverges, nothing exceeds its bound, all scores are equal
};

}  // namespace bitloom::report
