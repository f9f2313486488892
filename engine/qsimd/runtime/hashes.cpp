#include "engine/qsimd/runtime/hashes.h"

#include <cstdio>
#include <cstring>

namespace bitloom::qsimd {
namespace {

template <class Value>
std::uint64_t hashOf(const std::vector<Value>& values) {
    std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
    for (const Value value : values) {
        std::uint32_t bits = 0;
        if constexpr (sizeof(Value) == 4) {
            std::memcpy(&bits, &value, sizeof bits);
        } else {
            bits = value;
        }
        hash = (hash ^ bits) * 0x100000001b3u;
    }
    return hash;
}

}  // namespace

std::vector<StepHashes> hashesOf(Network& network, const float* image) {
    std::vector<StepHashes> all;
    network.setImage(image);
    for (std::size_t step = 0; step < network.model().steps.size(); ++step) {
        StepHashes& hashes = all.emplace_back();
        const std::vector<std::int32_t> sums = network.accumulators(step);
        if (!sums.empty()) hashes.sums = hashOf(sums);
        network.runStep(step);
        const BufferIndex output = network.outputOf(step);
        const std::vector<std::uint8_t> numbers = network.numbers(output);
        hashes.name = network.info(step).name;
        hashes.bytes = !numbers.empty();
        hashes.output = hashes.bytes ? hashOf(numbers) : hashOf(network.values(output));
    }
    return all;
}

std::string hashText(std::uint64_t hash) {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
    return text;
}

}  // namespace bitloom::qsimd
