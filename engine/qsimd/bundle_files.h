// The sources of kernels/, runtime/ and runner/ and the files of bundle/, as they were when this program was
// built.
#pragma once

#include <string_view>
#include <vector>

namespace bitloom::qsimd {

struct BundleFile {
    std::string_view path;  ///< "kernels/scalar.cpp"
    std::string_view text;
};

[[nodiscard]] const std::vector<BundleFile>& bundleFiles();

}  // namespace bitloom::qsimd
