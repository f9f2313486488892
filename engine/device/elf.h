// Whether a program can run on a device, before it is sent there. Any thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/report/device.h"

namespace bitloom::device {

/// Fails when `file` is an ELF file for another processor than `abi` ("arm64-v8a", "armeabi-v7a", "x86_64",
/// "x86", "riscv64"), or one that has been cut short. Files that are no ELF pass: data, scripts. Errors name
/// the file and both architectures.
Status checkAbi(const std::filesystem::path& file, const std::string& abi);

/// Those of `required` (in /proc/cpuinfo's words: "asimddp", "i8mm", "avx512_vnni") that the device lacks.
[[nodiscard]] std::vector<std::string> missingFeatures(const report::DeviceInfo& info,
                                                       const std::vector<std::string>& required);

}  // namespace bitloom::device
