// A program in place of oneDNN's (tests/bench/onednn_rival.cpp), which only some computers have: it reads the
// same lines and prints the same JSON, with times that a test can compute.
#pragma once

#include <filesystem>
#include <fstream>

namespace bitloom::testing {

/// Writes an executable script. Sample n (from 1) of every layer takes n times 4000 ns (fp32_direct), 3000 ns
/// (fp32) or 1000 ns (int8); its weights take 40, 60 and 10 bytes, the activations of the k-th layer 100 k.
inline void writeOnednnScript(const std::filesystem::path& path) {
    std::ofstream(path) << R"script(#!/bin/sh
exec awk -v repeat="$3" '
function family(name, weights, ns,    i, times) {
    for (i = 1; i <= repeat; ++i) times = times (i > 1 ? "," : "") i * ns
    return sprintf("\"%s\":{\"weight_bytes\":%d,\"activation_bytes\":%d,\"samples_ns\":[%s]}", name, weights, 100 * NR, times)
}
{
    printf "%s{\"name\":\"%s\",%s,%s,%s}", (NR > 1 ? "," : "{\"onednn\":\"0.0.0\",\"layers\":["), $1,
           family("fp32", 60, 3000), family("fp32_direct", 40, 4000), family("int8", 10, 1000)
}
END { print "]}" }' "$1"
)script";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
}

}  // namespace bitloom::testing
