// Whole networks: every family against the definition, every instruction set and thread count against each
// other, int8 sums against integers computed from what the buffers hold.
#include "engine/qsimd/runtime/network.h"

#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "engine/qsimd/calibrate.h"
#include "engine/qsimd/lower.h"
#include "tests/qsimd/reference_network.h"

namespace bitloom::qsimd {
namespace {

using testing::graphOfEverything;
using testing::randomImage;
using testing::sourceOf;
using testing::zooGraph;

Model lowered(const DeployedNetwork& source, const LoweringOptions& options) {
    auto model = lower(source, options);
    EXPECT_TRUE(model.ok()) << (model.ok() ? "" : model.error().message);
    return model.ok() ? std::move(*model) : Model();
}

LoweringOptions exact(Family family) {
    LoweringOptions options;
    options.exactFamily = family;
    return options;
}

LoweringOptions int8For(const DeployedNetwork& source, int images = 2) {
    std::vector<std::vector<float>> calibration;
    calibration.reserve(static_cast<std::size_t>(images));
    for (int i = 0; i < images; ++i)
        calibration.push_back(randomImage(source.graph, 100 + static_cast<std::uint64_t>(i)));
    JobControl control;
    auto activations = calibrate(source, calibration, 1, control);
    EXPECT_TRUE(activations.ok()) << (activations.ok() ? "" : activations.error().message);
    LoweringOptions options;
    options.contract = Contract::Int8;
    options.activations = std::move(*activations);
    return options;
}

std::vector<float> outputOf(const Model& model, const std::vector<float>& image,
                            const Dispatch& dispatch = {}, int threads = 1) {
    Network network(model, dispatch, threads);
    std::vector<float> output(network.values(model.output).size());
    network.run(image.data(), output.data());
    return output;
}

/// Root of the mean square of differences over that of the expected values.
template <class Expected>
double relativeError(const std::vector<float>& values, const std::vector<Expected>& expected) {
    EXPECT_EQ(values.size(), expected.size());
    double error = 0;
    double size = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double difference = static_cast<double>(values[i]) - static_cast<double>(expected[i]);
        error += difference * difference;
        size += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
    }
    return std::sqrt(error / size);
}

std::vector<Isa> ceilings() {
    std::set<Isa> isas;
    for (const Microkernel& kernel : allMicrokernels())
        if (canRun(kernel.isa)) isas.insert(kernel.isa);
    return {isas.begin(), isas.end()};
}

constexpr Family kExactFamilies[] = {Family::NaiveFp32, Family::TunedFp32, Family::PaperCodebook, Family::K0};

struct Case {
    const char* name;
    const char* arch;  ///< of the zoo, or null for the graph of everything
    std::int64_t imageSize;
    int components;
    bool filterWise;
};
std::ostream& operator<<(std::ostream& out, const Case& c) {
    return out << c.name;
}

class NetworkTest : public ::testing::TestWithParam<Case> {
  protected:
    NetworkTest() {
        const Case& c = GetParam();
        m_source = sourceOf(c.arch ? zooGraph(c.arch, c.imageSize) : graphOfEverything(), c.components);
        if (c.filterWise) testing::makeFilterWise(m_source);
        m_image = randomImage(m_source.graph, 5);
    }
    DeployedNetwork m_source;
    std::vector<float> m_image;
};

TEST_P(NetworkTest, EveryExactFamilyComputesTheDefinition) {
    const auto expected = testing::referenceValues(m_source, m_image);
    for (const Family family : kExactFamilies) {
        const Model model = lowered(m_source, exact(family));
        Network network(model, {}, 1);
        std::size_t compared = 0;
        network.trace(m_image.data(), [&](std::size_t step) {
            const Buffer& buffer = model.buffers[static_cast<std::size_t>(network.outputOf(step))];
            if (buffer.lastStep == static_cast<std::int32_t>(step)) return;  // part of a concatenation
            if (step + 1 < model.steps.size() && network.outputOf(step + 1) == network.outputOf(step)) return;
            ++compared;
            EXPECT_LT(relativeError(network.values(network.outputOf(step)), expected.at(buffer.name)), 1e-5)
                << familyName(family) << " " << network.info(step).name << " -> " << buffer.name;
        });
        EXPECT_GT(compared, 5u);
    }
}

TEST_P(NetworkTest, FloatsAreBitEqualForEveryInstructionSetAndThreadCount) {
    const std::vector<float> expected =
        outputOf(lowered(m_source, exact(Family::TunedFp32)), m_image, {Isa::Scalar, {}});
    for (const Family family : {Family::TunedFp32, Family::K0, Family::NaiveFp32}) {
        const Model model = lowered(m_source, exact(family));
        for (const Isa isa : ceilings()) {
            for (const int threads : {1, 2, 3})
                EXPECT_EQ(outputOf(model, m_image, {isa, {}}, threads), expected)
                    << familyName(family) << " " << isaName(isa) << " threads " << threads;
        }
    }
}

TEST_P(NetworkTest, Int8IsNearTheDefinition) {
    const auto expected = testing::referenceValues(m_source, m_image);
    const Model model = lowered(m_source, int8For(m_source));
    const std::string& output = m_source.graph.node(m_source.graph.output()).name;
    EXPECT_LT(relativeError(outputOf(model, m_image), expected.at(output)), 0.15);
}

TEST_P(NetworkTest, Int8IsTheSameForEveryInstructionSetAndThreadCount) {
    const Model model = lowered(m_source, int8For(m_source));
    std::vector<std::vector<std::uint8_t>> expected;
    for (const Isa isa : ceilings()) {
        for (const int threads : {1, 2, 3}) {
            Network network(model, {isa, {}}, threads);
            std::vector<std::vector<std::uint8_t>> numbers;
            network.trace(m_image.data(), [&](std::size_t step) {
                numbers.push_back(network.numbers(network.outputOf(step)));
            });
            if (expected.empty()) expected = numbers;
            for (std::size_t step = 0; step < numbers.size(); ++step)
                ASSERT_EQ(numbers[step], expected[step])
                    << network.info(step).name << " " << isaName(isa) << " threads " << threads;
        }
    }
}

/// sum of (number - zeroPoint) x weight over the window, from the input buffer's numbers.
std::vector<std::int32_t> integerSums(const Model& model, const Convolution& step,
                                      const std::vector<std::uint8_t>& numbers) {
    const Buffer& from = model.buffers[static_cast<std::size_t>(step.input)];
    const Buffer& to = model.buffers[static_cast<std::size_t>(step.output)];
    const int inputs = from.channels / step.groups;
    const auto taps = static_cast<std::size_t>(step.kernelHeight) *
                      static_cast<std::size_t>(step.kernelWidth) * static_cast<std::size_t>(inputs);
    const auto weights = byteWeights(step, taps * static_cast<std::size_t>(to.channels));
    std::vector<std::int32_t> sums;
    for (int y = 0; y < to.height; ++y) {
        for (int x = 0; x < to.width; ++x) {
            for (int o = 0; o < to.channels; ++o) {
                std::int32_t sum = 0;
                std::size_t at = static_cast<std::size_t>(o) * taps;
                for (int ky = 0; ky < step.kernelHeight; ++ky) {
                    for (int kx = 0; kx < step.kernelWidth; ++kx) {
                        const int iy = y * step.strideHeight - step.paddingHeight + ky * step.dilationHeight;
                        const int ix = x * step.strideWidth - step.paddingWidth + kx * step.dilationWidth;
                        for (int c = 0; c < inputs; ++c, ++at) {
                            if (iy < 0 || ix < 0 || iy >= from.height || ix >= from.width) continue;
                            const int channel = o / (to.channels / step.groups) * inputs + c;
                            const int place = (iy * from.width + ix) * from.channels + channel;
                            const int number = numbers[static_cast<std::size_t>(place)];
                            sum += (number - from.zeroPoint) * weights[at];
                        }
                    }
                }
                sums.push_back(sum);
            }
        }
    }
    return sums;
}

TEST_P(NetworkTest, Int8SumsEqualIntegersComputedFromTheBuffers) {
    const Model model = lowered(m_source, int8For(m_source));
    for (const Isa isa : ceilings()) {
        Network network(model, {isa, {}}, 1);
        network.setImage(m_image.data());
        std::size_t compared = 0;
        for (std::size_t i = 0; i < model.steps.size(); ++i) {
            const auto* step = std::get_if<Convolution>(&model.steps[i]);
            if (step == nullptr || step->format != WeightFormat::Codebook8) {
                network.runStep(i);
                continue;
            }
            const std::vector<std::uint8_t> numbers = network.numbers(step->input);
            ASSERT_EQ(network.accumulators(i), integerSums(model, *step, numbers))
                << step->layer << " " << isaName(isa) << " " << network.info(i).kernel;
            ++compared;
        }
        EXPECT_GT(compared, 2u);
    }
}

INSTANTIATE_TEST_SUITE_P(All, NetworkTest,
                         ::testing::Values(Case{"Everything4Bit", nullptr, 0, 16, false},
                                           Case{"Everything2Bit", nullptr, 0, 4, false},
                                           Case{"Everything3Bit", nullptr, 0, 8, false},
                                           Case{"EverythingOf40Components", nullptr, 0, 40, false},
                                           Case{"EverythingFilterWise", nullptr, 0, 16, true},
                                           Case{"ResNet20", "resnet20", 0, 16, false},
                                           Case{"ResNet20B", "resnet20-b", 0, 4, false},
                                           Case{"VggSmallOf8", "vgg-small", 8, 16, false},
                                           Case{"ResNet18Of33", "resnet18", 33, 16, false}),
                         [](const auto& instance) { return std::string(instance.param.name); });

TEST(Network, ABottleneckResNetComputesTheDefinition) {
    const DeployedNetwork source = sourceOf(zooGraph("resnet50", 32), 8);
    const std::vector<float> image = randomImage(source.graph, 5);
    const std::vector<double> expected = testing::referenceValues(source, image).at("fc");
    EXPECT_LT(relativeError(outputOf(lowered(source, exact(Family::K0)), image), expected), 1e-5);
    EXPECT_LT(relativeError(outputOf(lowered(source, int8For(source)), image), expected), 0.2);
}

TEST(Network, EveryMicrokernelGivesTheSameNumbers) {
    const DeployedNetwork source = sourceOf(zooGraph("resnet20"), 16);
    const std::vector<float> image = randomImage(source.graph, 5);
    for (const bool bytes : {false, true}) {
        const Model model = lowered(source, bytes ? int8For(source) : exact(Family::K0));
        const std::vector<float> expected = outputOf(model, image, {Isa::Scalar, {}});
        for (const Microkernel& kernel : allMicrokernels()) {
            if ((kernel.bytes != nullptr) != bytes || !canRun(kernel.isa)) continue;
            for (const bool skipPadding : {true, false}) {
                for (const Split split : {Split::Rows, Split::Channels}) {
                    Dispatch dispatch;
                    for (const Step& step : model.steps) {
                        if (const auto* convolution = std::get_if<Convolution>(&step))
                            dispatch.schedules[{convolution->family, convolution->layer}] = {
                                kernel.name, split, skipPadding};
                    }
                    EXPECT_EQ(outputOf(model, image, dispatch, 2), expected) << kernel.name;
                }
            }
        }
    }
}

/// `schedule` for all convolutions.
Dispatch scheduled(const Model& model, const Schedule& schedule) {
    Dispatch dispatch;
    for (const Step& step : model.steps) {
        if (const auto* convolution = std::get_if<Convolution>(&step))
            dispatch.schedules[{convolution->family, convolution->layer}] = schedule;
    }
    return dispatch;
}

TEST(Network, EveryPointOfAScheduleGivesTheSameNumbers) {
    std::vector<Schedule> points;
    for (const int ahead : {0, 1, 2, 4, 1 << 20})
        points.push_back({.aheadKb = ahead});
    for (const int part : {0, 1, 3, 16, 64, 1 << 20}) {
        for (const bool decoded : {false, true}) {
            points.push_back({.partKb = part, .decoded = decoded});
            points.push_back(
                {.skipPadding = false, .aheadKb = 1, .partKb = part, .tiles = 3, .decoded = decoded});
        }
    }
    for (const int tiles : {1, 2, 7, 1 << 20})
        points.push_back({.tiles = tiles});
    points.push_back({.microkernel = "int8_scalar_4x8", .partKb = 1, .tiles = 1});
    points.push_back({.microkernel = "fp32_scalar_4x8", .partKb = 1, .tiles = 1});
    for (const DeployedNetwork& source : {sourceOf(graphOfEverything(), 4), sourceOf(graphOfEverything(), 16),
                                          sourceOf(zooGraph("resnet20"), 16)}) {
        const std::vector<float> image = randomImage(source.graph, 5);
        const LoweringOptions int8 = int8For(source);
        for (const LoweringOptions& options : {exact(Family::TunedFp32), exact(Family::K0), int8}) {
            const Model model = lowered(source, options);
            const std::vector<float> expected = outputOf(model, image, {Isa::Scalar, {}});
            for (std::size_t i = 0; i < points.size(); ++i)
                ASSERT_EQ(outputOf(model, image, scheduled(model, points[i]), 1 + static_cast<int>(i % 2)),
                          expected)
                    << "point " << i << " of "
                    << (options.contract == Contract::Int8 ? "k2" : familyName(options.exactFamily));
        }
    }
}

TEST(Network, AScheduleMayDecodeWeightsWhenTheyAreLoaded) {
    const DeployedNetwork source = sourceOf(zooGraph("resnet20"), 16);
    for (const LoweringOptions& options : {exact(Family::K0), int8For(source)}) {
        const Model model = lowered(source, options);
        const Network packed(model, {}, 1);
        const Network decoded(model, scheduled(model, {.decoded = true}), 1);
        const bool bytes = options.contract == Contract::Int8;
        int compared = 0;
        for (std::size_t i = 0; i < model.steps.size(); ++i) {
            const auto* step = std::get_if<Convolution>(&model.steps[i]);
            if (step == nullptr || step->indexBits != 4) continue;
            ++compared;
            EXPECT_GT(decoded.info(i).preparedBytes, packed.info(i).preparedBytes) << step->layer;
            EXPECT_EQ(packed.info(i).family, bytes ? "k2" : "k0") << step->layer;
            EXPECT_EQ(decoded.info(i).family, bytes ? "k2" : "tuned_fp32") << "what runs, " << step->layer;
        }
        EXPECT_GT(compared, 10);
    }
}

TEST(Network, UsesTheMicrokernelThatTheScheduleNames) {
    const DeployedNetwork source = sourceOf(zooGraph("resnet20"), 16);
    const Model model = lowered(source, exact(Family::K0));
    Dispatch dispatch;
    dispatch.schedules[{Family::K0, "layer1.0.conv1"}].microkernel = "fp32_scalar_1x8";
    dispatch.schedules[{Family::K0, "layer1.0.conv2"}].microkernel = "fp32_of_another_machine_1x8";
    const Network network(model, dispatch, 1);
    std::map<std::string, std::string> kernels;
    for (std::size_t i = 0; i < model.steps.size(); ++i)
        kernels[network.info(i).name] = network.info(i).kernel;
    EXPECT_EQ(kernels.at("layer1.0.conv1"), "fp32_scalar_1x8");
    EXPECT_EQ(kernels.at("layer1.0.conv2"), kernels.at("layer1.1.conv2"))
        << "an unknown name leaves the choice";
}

TEST(Network, PackedWeightsStayPackedWhileTheyRun) {
    const DeployedNetwork source = sourceOf(zooGraph("resnet18", 64), 16);
    const Network k0(lowered(source, exact(Family::K0)), {}, 1);
    const Network tuned(lowered(source, exact(Family::TunedFp32)), {}, 1);
    for (std::size_t i = 0; i < k0.model().steps.size(); ++i) {
        if (k0.info(i).family != "k0") continue;
        EXPECT_LT(static_cast<double>(k0.info(i).preparedBytes),
                  0.2 * static_cast<double>(tuned.info(i).preparedBytes))
            << k0.info(i).name;
    }
    EXPECT_LT(k0.peakBytes(), tuned.peakBytes() / 2);
}

}  // namespace
}  // namespace bitloom::qsimd
