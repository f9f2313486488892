#include "engine/qsimd/emit.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <system_error>

#include "engine/base/atomic_file.h"
#include "engine/base/hash.h"
#include "engine/qsimd/bundle_files.h"
#include "engine/qsimd/runtime/model_file.h"
#include "engine/qsimd/runtime/network.h"

namespace bitloom::qsimd {
namespace {

constexpr std::string_view kTargets[] = {"host", "aarch64",
                                         "android"};  // presets of bundle/CMakePresets.json
constexpr std::string_view kBundleFolder = "bundle/";

std::string readme(const Model& model, const BundleText& text, const Bundle& bundle) {
    const Buffer& image = model.buffers.front();
    return fmt::format(
        "# {0}\n\n"
        "Made by Bitloom {1} from {2}:\n\n"
        "```\n{3}\n```\n\n"
        "`model.bitloom` holds the network: {4} bytes, of which {5} are weights, codebooks and scales; "
        "activations take {6}\n"
        "bytes at run time. It is the same file for every processor; `bitloom_runner` chooses its kernels "
        "when it starts.\n\n"
        "## Build\n\n"
        "```\ncmake --preset {10} && cmake --build --preset {10}      # build/{10}/bitloom_runner\n```\n\n"
        "Presets: `host` (the machine that builds), `aarch64` (ARM Linux and Android, one static file, "
        "Debian's\n"
        "g++-aarch64-linux-gnu), `android` (the NDK in ANDROID_NDK_ROOT). All need CMake 3.21 and a C++20 "
        "compiler.\n\n"
        "## Run\n\n"
        "```\n./build/{10}/bitloom_runner model.bitloom                                             # times\n"
        "./build/{10}/bitloom_runner model.bitloom --per-layer --threads 2 --cores 6,7 --json\n"
        "./build/{10}/bitloom_runner model.bitloom --input test_image.bin --expect test_output.bin\n"
        "./build/{10}/bitloom_runner model.bitloom --input test_image.bin --output output.bin\n"
        "./build/{10}/bitloom_runner --help\n```\n\n"
        "Images are float32, {7} x {8} x {9} (channels, rows, columns), normalised as in training. "
        "`test_output.bin` is what\n"
        "Bitloom computed for `test_image.bin`: every processor gives the same bytes, which `--expect` "
        "checks, but for\n"
        "steps that stay in float and use exp (softmax).\n\n"
        "On a phone: `adb push build/{10}/bitloom_runner model.bitloom /data/local/tmp/` and\n"
        "`adb shell /data/local/tmp/bitloom_runner /data/local/tmp/model.bitloom`.\n",
        model.name, text.version, text.origin, text.command, bundle.modelBytes, bundle.weightBytes,
        bundle.arenaBytes, image.channels, image.height, image.width, text.target);
}

std::span<const std::byte> bytesOf(const std::vector<float>& values) {
    return std::as_bytes(std::span(values));
}

constexpr std::size_t kLargestFile = std::size_t{1} << 32U;  // a model file may be large

Result<std::vector<float>> readFloats(const std::filesystem::path& path, std::size_t count) {
    BITLOOM_ASSIGN_OR_RETURN(const std::string bytes, readFile(path, kLargestFile));
    if (bytes.size() != count * sizeof(float))
        return fail("{}: holds {} bytes, not {} float32 values; export again", path.string(), bytes.size(),
                    count);
    std::vector<float> values(count);
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
}

}  // namespace

Result<Bundle> writeBundle(const Model& model, const std::vector<float>& image, const BundleText& text,
                           const std::filesystem::path& folder) {
    if (std::ranges::find(kTargets, text.target) == std::end(kTargets))
        return usageError("unknown target '{}'; known are host, aarch64 and android", text.target);
    std::error_code error;
    if (std::filesystem::exists(folder, error) && !std::filesystem::is_empty(folder, error))
        return fail("{}: is there and not empty; name a new folder", folder.string());
    if (const std::string problem = validate(model); !problem.empty()) return fail("The model {}", problem);

    Network network(model, {}, 1);
    if (image.size() != network.values(0).size())
        return fail("{}: the test image has {} values, the network takes {}", folder.string(), image.size(),
                    network.values(0).size());
    std::vector<float> output(network.values(model.output).size());
    network.run(image.data(), output.data());

    Bundle bundle;
    const auto write = [&](const std::string& path, std::span<const std::byte> bytes) -> Status {
        std::filesystem::create_directories((folder / path).parent_path(), error);
        if (error) return fail("{}: {}", (folder / path).parent_path().string(), error.message());
        bundle.files.push_back(path);
        bundle.hashes[path] = hashBytes(bytes);
        return writeFileAtomically(folder / path, bytes);
    };
    const auto writeText = [&](const std::string& path, std::string_view content) {
        return write(path, std::as_bytes(std::span(content)));
    };
    for (const BundleFile& file : bundleFiles()) {
        const std::string_view path = file.path;
        if (path == "bundle/qsimd.cmake") {
            BITLOOM_RETURN_IF_ERROR(writeText("engine/qsimd/CMakeLists.txt", file.text));
        } else if (path.starts_with(kBundleFolder)) {
            BITLOOM_RETURN_IF_ERROR(writeText(std::string(path.substr(kBundleFolder.size())), file.text));
        } else {
            BITLOOM_RETURN_IF_ERROR(writeText("engine/qsimd/" + std::string(path), file.text));
        }
    }
    const std::vector<std::byte> modelBytes = toBytes(model);
    bundle.modelBytes = modelBytes.size();
    bundle.arenaBytes = model.arenaBytes;
    for (const Step& step : model.steps) {
        if (const auto* convolution = std::get_if<Convolution>(&step))
            bundle.weightBytes += weightBytes(*convolution);
    }
    BITLOOM_RETURN_IF_ERROR(write("model.bitloom", modelBytes));
    BITLOOM_RETURN_IF_ERROR(write("test_image.bin", bytesOf(image)));
    BITLOOM_RETURN_IF_ERROR(write("test_output.bin", bytesOf(output)));
    BITLOOM_RETURN_IF_ERROR(writeText("README.md", readme(model, text, bundle)));
    std::ranges::sort(bundle.files);
    return bundle;
}

Status checkBundle(const Bundle& bundle, const std::filesystem::path& folder) {
    for (const auto& [path, hash] : bundle.hashes) {
        BITLOOM_ASSIGN_OR_RETURN(const std::string bytes, readFile(folder / path, kLargestFile));
        if (hashBytes(std::as_bytes(std::span(bytes))) != hash)
            return fail("{}: does not hold what was written; is the disk whole? Export again",
                        (folder / path).string());
    }
    Model model;
    const std::string path = (folder / "model.bitloom").string();
    if (const std::string problem = loadModel(path, model); !problem.empty()) return fail("{}", problem);
    Network network(model, {}, 1);
    const std::filesystem::path outputFile = folder / "test_output.bin";
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<float> image,
                             readFloats(folder / "test_image.bin", network.values(0).size()));
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<float> expected,
                             readFloats(outputFile, network.values(model.output).size()));
    std::vector<float> output(expected.size());
    network.run(image.data(), output.data());
    if (std::memcmp(output.data(), expected.data(), output.size() * sizeof(float)) != 0)
        return fail("{}: {} computes other values; export again", outputFile.string(), path);
    return {};
}

}  // namespace bitloom::qsimd
