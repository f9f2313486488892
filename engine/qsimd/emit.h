// A network as a project of its own: sources, model, test vector and the commands to build and run it,
// without Bitloom. Any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/qsimd/runtime/model.h"

namespace bitloom::qsimd {

/// What the README of a bundle says about where it came from.
struct BundleText {
    std::string origin;              ///< "run.h5, 4-bit DGMS of resnet20"
    std::string command;             ///< that made it
    std::string version;             ///< of Bitloom
    std::string target = "aarch64";  ///< preset that the README builds: "host", "aarch64" or "android"
};

struct Bundle {
    std::uint64_t modelBytes = 0;                 ///< of model.bitloom
    std::uint64_t weightBytes = 0;                ///< of it: weights, codebooks, scales
    std::uint64_t arenaBytes = 0;                 ///< activations at run time
    std::vector<std::string> files;               ///< relative paths, sorted
    std::map<std::string, std::uint64_t> hashes;  ///< hashBytes() of what was written, by path
};

/// Writes `folder`, which must not exist or be empty, with CMakeLists.txt, README.md, model.bitloom, the
/// sources, test_image.bin ([channels][height][width] float32) and test_output.bin, what this program
/// computes for it. The same input gives the same bytes. Errors name the path.
[[nodiscard]] Result<Bundle> writeBundle(const Model& model, const std::vector<float>& image,
                                         const BundleText& text, const std::filesystem::path& folder);

/// Opens every file of `folder` again: each holds what writeBundle() wrote, and the model file, loaded anew,
/// computes test_output.bin from test_image.bin to the bit on this processor. Errors name the file. Compiles
/// nothing.
[[nodiscard]] Status checkBundle(const Bundle& bundle, const std::filesystem::path& folder);

}  // namespace bitloom::qsimd
