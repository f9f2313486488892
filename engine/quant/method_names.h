// The methods there are, for who offers them: no libtorch here.
#pragma once

#include <string>
#include <vector>

namespace bitloom::quant {

/// Names of the registry (registry.cpp), "none" first: what LayerOptions::method may be.
[[nodiscard]] std::vector<std::string> methodNames();

}  // namespace bitloom::quant
