// What a person decides about a network that leaves for a device. Torch-free, for window and command line.
#pragma once

#include <map>
#include <string>

namespace bitloom::jobs {

struct DeploymentOptions {
    std::string target = "aarch64";  ///< that a bundle is built for: "host", "aarch64" or "android"
    std::string contract = "int8";   ///< of every layer: "int8" or "exact"
    std::map<std::string, std::string> contracts;  ///< of single layers
    int calibrationImages = 256;                   ///< of the training set, the first ones; at least 1
};

}  // namespace bitloom::jobs
