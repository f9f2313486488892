// Models as files: the same bytes for the same model, and nothing but an error from damaged ones.
#include "engine/qsimd/runtime/model_file.h"

#include <fstream>
#include <functional>

#include <gmock/gmock.h>

#include "engine/base/random.h"
#include "engine/qsimd/lower.h"
#include "engine/qsimd/runtime/network.h"
#include "tests/qsimd/reference_network.h"

namespace bitloom::qsimd {
namespace {

using ::testing::HasSubstr;

Model everything() {
    const DeployedNetwork source = testing::sourceOf(testing::graphOfEverything(), 16);
    auto model = lower(source, {});
    EXPECT_TRUE(model.ok());
    return std::move(*model);
}

TEST(ModelFile, ComesBackAsItWas) {
    const Model model = everything();
    const std::vector<std::byte> bytes = toBytes(model);
    Model read;
    ASSERT_EQ(fromBytes(bytes, read), "");
    EXPECT_EQ(toBytes(read), bytes);
    const std::vector<float> image = testing::randomImage(testing::graphOfEverything(), 1);
    std::vector<float> expected(10);
    std::vector<float> output(10);
    Network(model, {}, 1).run(image.data(), expected.data());
    Network(read, {}, 1).run(image.data(), output.data());
    EXPECT_EQ(output, expected);
}

TEST(ModelFile, EveryShortenedFileIsRefused) {
    const std::vector<std::byte> bytes = toBytes(everything());
    for (std::size_t size = 0; size < bytes.size(); size += size < 256 ? 1 : 97) {
        Model read;
        EXPECT_NE(fromBytes(std::span(bytes).first(size), read), "") << size << " bytes";
    }
}

TEST(ModelFile, ErrorsSayWhatToDo) {
    std::vector<std::byte> bytes = toBytes(everything());
    Model read;
    EXPECT_THAT(fromBytes(std::span(bytes).first(bytes.size() / 2), read),
                HasSubstr("cut off, copy or export it again"));
    EXPECT_THAT(fromBytes({}, read), HasSubstr("is not a Bitloom model"));
    bytes[bytes.size() / 2] ^= std::byte{1};
    EXPECT_THAT(fromBytes(bytes, read), HasSubstr("damaged (its hash differs)"));
    bytes[8] = std::byte{9};
    EXPECT_THAT(fromBytes(bytes, read), HasSubstr("format version 9"));
    EXPECT_THAT(loadModel("/nowhere/net.bitloom", read), HasSubstr("/nowhere/net.bitloom: cannot be opened"));
}

/// As fromBytes, for a file whose maker was hostile: the hash is right.
std::string readForged(std::vector<std::byte> bytes, Model& model) {
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (std::size_t i = 32; i < bytes.size(); ++i)
        hash = (hash ^ static_cast<std::uint64_t>(bytes[i])) * 0x100000001b3u;
    for (std::size_t i = 0; i < 8; ++i)
        bytes[24 + i] = static_cast<std::byte>(hash >> (8 * i));
    return fromBytes(bytes, model);
}

// Run under the address sanitizer this finds every field that validate() trusts wrongly.
TEST(ModelFile, AForgedFileIsRefusedOrRuns) {
    const DeployedNetwork source = testing::sourceOf(testing::graphOfEverything(), 16);
    const std::vector<std::byte> bytes = toBytes(everything());
    const std::vector<float> image = testing::randomImage(source.graph, 1);
    Random random({2026, 11});
    int refused = 0;
    for (int i = 0; i < 600; ++i) {
        std::vector<std::byte> forged = bytes;
        for (std::uint64_t change = 0; change <= random.below(3); ++change)
            forged[32 + random.below(forged.size() - 32)] = static_cast<std::byte>(random.below(256));
        Model model;
        if (!readForged(forged, model).empty()) {
            ++refused;
            continue;
        }
        if (model.arenaBytes > (1u << 24)) continue;
        Network network(model, {}, 1);
        std::vector<float> input(network.values(0).size());
        std::vector<float> output(network.values(model.output).size());
        network.run(input.data(), output.data());
    }
    EXPECT_GT(refused, 50);
}

TEST(Validate, FindsWhatCannotBe) {
    struct Change {
        const char* expected;
        std::function<void(Model&, Convolution&)> apply;
    };
    const std::vector<Change> changes = {
        {"reads and writes impossible buffers", [](Model&, Convolution& c) { c.input = 1000; }},
        {"reads and writes impossible buffers", [](Model&, Convolution& c) { c.output = c.input; }},
        {"has a window that does not fit", [](Model&, Convolution& c) { c.kernelHeight = 5; }},
        {"has a window that does not fit", [](Model&, Convolution& c) { c.strideWidth = 0; }},
        {"has a window that does not fit", [](Model&, Convolution& c) { c.paddingHeight = 40; }},
        {"has groups that do not divide its channels", [](Model&, Convolution& c) { c.groups = 7; }},
        {"has a wrong number of weights", [](Model&, Convolution& c) { c.weights.pop_back(); }},
        {"has scales or a clamp", [](Model&, Convolution& c) { c.scale.pop_back(); }},
        {"has scales or a clamp",
         [](Model&, Convolution& c) { c.bias[0] = std::numeric_limits<float>::quiet_NaN(); }},
        {"has a codebook of the wrong size", [](Model&, Convolution& c) { c.codebook.pop_back(); }},
        {"has a codebook of the wrong type",
         [](Model&, Convolution& c) { c.format = WeightFormat::Codebook8; }},
        {"has an input of the wrong type", [](Model&, Convolution& c) { c.family = Family::K2; }},
        {"is of an unknown family", [](Model&, Convolution& c) { c.family = static_cast<Family>(77); }},
        {"has an impossible shape", [](Model& m, Convolution&) { m.buffers[2].height = -4; }},
        {"has an impossible shape", [](Model& m, Convolution&) { m.buffers[2].offset = m.arenaBytes; }},
        {"asks for more than 64 GiB", [](Model& m, Convolution&) { m.arenaBytes = ~std::uint64_t{0}; }},
        {"has no output", [](Model& m, Convolution&) { m.output = -1; }},
    };
    for (const Change& change : changes) {
        Model model = everything();
        Convolution* step = nullptr;
        for (Step& s : model.steps) {
            auto* convolution = std::get_if<Convolution>(&s);
            if (convolution != nullptr && convolution->layer == "main") step = convolution;
        }
        ASSERT_NE(step, nullptr);
        change.apply(model, *step);
        EXPECT_THAT(validate(model), HasSubstr(change.expected));
    }
}

}  // namespace
}  // namespace bitloom::qsimd
