// What each method of quantization takes of a job, for who offers them to a person. Found out from the checks
// that a job passes before it starts, so that nothing is offered which they refuse. No libtorch here.
#pragma once

#include <string>
#include <vector>

namespace bitloom::jobs {

struct MethodFields {
    std::string name;        ///< quantizer.method
    std::vector<int> sizes;  ///< values of quantizer.components, ascending; empty: full precision
    bool values = false;     ///< quantizer.values, a set of the person's own
    bool budget = false;     ///< quantizer.target and quantizer.budget: it learns how many bits a layer takes
    bool mixture = false;    ///< quantizer.transfer: it starts from a Gaussian mixture
};

/// Of every method of the registry, in its order. Found out once, some milliseconds. Any thread.
[[nodiscard]] const std::vector<MethodFields>& methodFields();

}  // namespace bitloom::jobs
