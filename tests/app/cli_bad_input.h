// Bad input through the command line: what the tests of weight files share with those of data, jobs and runs.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "engine/graph/tensor.h"
#include "tests/app/cli_process.h"

namespace bitloom::app {

using Arguments = std::vector<std::string>;

/// Runs one command in this process, without a window.
[[nodiscard]] ProcessResult runCommand(Arguments arguments);

/// `bitloom train` of the small job into <folder>/run.h5: one step, with `settings` ("data.batch=2") on top.
/// Writes the job file.
[[nodiscard]] Arguments trainCommand(const std::filesystem::path& folder, const Arguments& settings = {});

/// Expects this exit code, an error that holds all `texts`, and nothing on standard output.
void expectRefusal(const ProcessResult& result, int exitCode, const std::vector<std::string>& texts);

/// Finite weights of a network of the zoo.
[[nodiscard]] graph::StateDict plainWeights(const std::string& arch);
void writeWeights(const std::filesystem::path& path, const graph::StateDict& weights);

void writeBytes(const std::filesystem::path& path, std::string_view bytes);
[[nodiscard]] std::string bytesOf(const std::filesystem::path& path);
/// A committed file by another program: tests/data/checkpoint/<name>.
[[nodiscard]] std::string fixtureBytes(const std::string& name);

}  // namespace bitloom::app
