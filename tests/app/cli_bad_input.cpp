#include "tests/app/cli_bad_input.h"

#include <fstream>
#include <sstream>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/cli.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/graph/zoo/zoo.h"
#include "tests/app/cli_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::app {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

ProcessResult runCommand(Arguments arguments) {
    arguments.insert(arguments.begin(), "bitloom");
    std::vector<char*> argv;
    for (std::string& argument : arguments)
        argv.push_back(argument.data());
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int exitCode = runCli(static_cast<int>(argv.size()), argv.data(), {});
    return {exitCode, ::testing::internal::GetCapturedStdout(), ::testing::internal::GetCapturedStderr()};
}

Arguments trainCommand(const fs::path& folder, const Arguments& settings) {
    writeSmallJob(folder / "job.toml");
    Arguments arguments = {"train", folder / "job.toml", "--out", folder / "run.h5",
                           "--set", "train.steps=1"};
    for (const std::string& setting : settings)
        arguments.insert(arguments.end(), {"--set", setting});
    return arguments;
}

void expectRefusal(const ProcessResult& result, int exitCode, const std::vector<std::string>& texts) {
    EXPECT_EQ(result.exitCode, exitCode) << result.err;
    EXPECT_THAT(result.err, HasSubstr("bitloom: error: "));
    for (const std::string& text : texts)
        EXPECT_THAT(result.err, HasSubstr(text));
    EXPECT_EQ(result.out, "");
}

graph::StateDict plainWeights(const std::string& arch) {
    const auto network = graph::zoo::makeModel(arch);
    if (!network) throw std::runtime_error(network.error().message);
    graph::StateDict weights;
    for (const graph::ParameterSpec& spec : network->parameters()) {
        if (spec.name.ends_with("num_batches_tracked")) continue;
        std::vector<float> values(static_cast<std::size_t>(graph::elementCount(spec.shape)), 1.0f);
        if (!spec.name.ends_with("running_var")) {
            for (std::size_t i = 0; i < values.size(); ++i)
                values[i] = 0.01f * static_cast<float>(i % 7) - 0.03f;
        }
        weights[spec.name] = graph::Tensor::fromFloats(spec.shape, values);
    }
    return weights;
}

void writeWeights(const fs::path& path, const graph::StateDict& weights) {
    const Status written = checkpoint::writeSafetensors(path, weights);
    if (!written) throw std::runtime_error(written.error().message);
}

void writeBytes(const fs::path& path, std::string_view bytes) {
    std::ofstream stream(path, std::ios::binary);
    if (!stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush())
        throw std::runtime_error("cannot write " + path.string());
}

std::string bytesOf(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    if (!stream) throw std::runtime_error("cannot read " + path.string());
    std::ostringstream bytes;
    bytes << stream.rdbuf();
    return bytes.str();
}

std::string fixtureBytes(const std::string& name) {
    return bytesOf(testing::projectRoot() / "tests/data/checkpoint" / name);
}

}  // namespace bitloom::app
