// What a job says about the rounding of activations, [activation] of a job file (README.md). Plain values.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace bitloom::quant {

enum class ActivationMethod {
    None,  ///< float activations
    Ptq,   ///< after training: searched ranges, then scales trained block by block
    Lsq    ///< step sizes trained with the network
};

struct ActivationOptions {
    ActivationMethod method = ActivationMethod::None;
    int bits = 8;           ///< 2 to 8
    int firstLastBits = 8;  ///< of the image, the first layer's output and the last layer's input, 2 to 8
    std::int64_t images = 1024;     ///< training images that ranges come from, at least 1
    std::int64_t iterations = 500;  ///< PTQ: steps that train the scales of a block; 0: none
    double rate = 4e-4;             ///< PTQ: of Adam in these steps, > 0
    /// Bits by the name of the node whose output they are of: 2 to 8, or 32 for float. Wins over the others.
    std::map<std::string, int> layers;
};

}  // namespace bitloom::quant
