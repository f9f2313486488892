// The methods there are, for who offers them: no libtorch here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bitloom::quant {

/// Names of the registry (registry.cpp), "none" first: what LayerOptions::method may be.
[[nodiscard]] std::vector<std::string> methodNames();

/// Whether layers of this method learn how many bits they take, within QuantizerOptions::sdq's budget.
[[nodiscard]] bool learnsBits(std::string_view method);

/// Whether layers of this method have a Gaussian mixture, which LayerOptions::transfer can give and take.
[[nodiscard]] bool startsFromMixture(std::string_view method);

}  // namespace bitloom::quant
