// The command line of the runner.
#pragma once

#include <string>
#include <vector>

#include "engine/qsimd/kernels/microkernel.h"

namespace bitloom::qsimd {

struct RunnerOptions {
    std::vector<std::string> models;  ///< timed in turns, so that clocks and heat meet all alike
    int warmup = 5;                   ///< runs of each model before the first sample
    int repeat = 50;                  ///< samples of each model
    int block = 5;                    ///< samples of one model before the next has its turn
    int threads = 1;
    std::vector<int> cores;  ///< thread i is pinned to cores[i]; empty: the system decides
    Isa isa = Isa::Scalar;   ///< the strongest allowed
    int copies = 1;          ///< of each network, used in turns: with enough of them weights come from memory
    bool perLayer = false;
    bool json = false;
    bool list = false;    ///< print the microkernels that run here, and nothing else
    bool hashes = false;  ///< print what every step computed, once, instead of times
    /// Files of lines "family layer microkernel rows|channels|auto skip|keep [ahead=KB] [part=KB] [tiles=N]
    /// [decoded]", as members of Schedule: one for all models, or one a model.
    std::vector<std::string> schedules;
    std::string input;   ///< images, float32 [count][channels][height][width]; empty: one of zeros and ones
    std::string output;  ///< where outputs of all images are written, float32, instead of times
    std::string expect;  ///< outputs, float32, that all images must give to the bit, instead of times
};

/// Empty on success; else what is wrong, in one line.
[[nodiscard]] std::string parseOptions(int count, char** arguments, RunnerOptions& options);

[[nodiscard]] const char* runnerHelp();

}  // namespace bitloom::qsimd
