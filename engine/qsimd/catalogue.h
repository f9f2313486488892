// Which kernels another processor can run, told from what a system says of it and from the sources that its
// runner is compiled from: no device is asked. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bitloom::qsimd {

/// Processors that there are kernels for, as Android names their ABIs.
enum class Processor { X86, Arm };
[[nodiscard]] std::optional<Processor> processorOf(std::string_view abi);  ///< "x86_64", "arm64-v8a"

/// An instruction set that kernels ask for, and the words that /proc/cpuinfo has for it.
struct InstructionSet {
    std::string name;                   ///< isaName()
    std::vector<std::string> features;  ///< "asimddp", "avx512_vnni"
};
/// Weakest first.
[[nodiscard]] const std::vector<InstructionSet>& instructionSets(Processor processor);

/// Names of the registry's lines for `processor` that a device with `features` (of /proc/cpuinfo) can run.
[[nodiscard]] std::vector<std::string> runnableKernels(Processor processor,
                                                       const std::vector<std::string>& features);

/// How a file of a bundle is compiled for `processor`: what kernels/flags.txt says. None for a file of
/// another processor; no flags for files that need none. `gnu`: the compiler is g++.
[[nodiscard]] std::optional<std::vector<std::string>> compilerFlags(std::string_view file,
                                                                    Processor processor, bool gnu);

}  // namespace bitloom::qsimd
