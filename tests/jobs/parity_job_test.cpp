// A network on a device against this program and libtorch: on this computer, on an emulated phone, and with
// answers that a broken device would give.
#include "engine/jobs/parity_job.h"

#include <cmath>
#include <cstdlib>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "engine/graph/zoo/zoo.h"
#include "engine/jobs/parity_comparison.h"
#include "engine/qsimd/calibrate.h"
#include "engine/qsimd/lower.h"
#include "engine/qsimd/runtime/hashes.h"
#include "tests/jobs/small_job.h"
#include "tests/support/adb_server.h"
#include "tests/support/emulated_phone.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// In one process with the benchmarks ("Bench" in the name): they share the runners that they build.
class ParityBenchTest : public ::testing::Test {
  protected:
    void SetUp() override { ::setenv("XDG_CACHE_HOME", BITLOOM_TEST_CACHE, 1); }

    ParityRequest requestOfSmallRun() {
        trainToEnd(smallJob(), m_folder / "run.h5");
        ParityRequest request;
        request.run = m_folder / "run.h5";
        request.images = 5;
        request.deployment.calibrationImages = 4;
        return request;
    }

    static void expectParity(const report::ParityResult& result) {
        EXPECT_TRUE(result.passed);
        ASSERT_EQ(result.networks.size(), 2u);
        for (const report::ParityNetwork& network : result.networks) {
            EXPECT_EQ(network.diverges, "") << network.family;
            EXPECT_EQ(network.exceeds, "") << network.family;
            EXPECT_EQ(network.images, 5);
            EXPECT_EQ(network.sameOutputs, 5);
            std::size_t compared = 0;
            for (const report::ParityStep& step : network.steps)
                compared += std::isnan(step.error) ? 0 : 1;
            EXPECT_GE(compared, 20u) << "every convolution is named as libtorch's node";
        }
        EXPECT_EQ(result.networks[0].family, "k0");
        EXPECT_EQ(result.networks[0].sameClass, 5);
        EXPECT_EQ(result.networks[0].top1Device, result.networks[0].top1Reference);
    }

    testing::TemporaryFolder m_folder;
    SteeringSink m_sink;
    JobControl m_control;
};

TEST_F(ParityBenchTest, ThisComputerAgreesWithItselfAndLibtorch) {
    ParityRequest request = requestOfSmallRun();
    for (const char* isa : {"", "scalar"}) {
        request.isa = isa;
        const auto result = runParityJob(request, m_sink, m_control);
        ASSERT_TRUE(result.ok()) << result.error().message;
        expectParity(*result);
    }
}

TEST_F(ParityBenchTest, SoDoesAPhoneWhichIsLeftClean) {
    if (!testing::AdbServer::available()) GTEST_SKIP() << "adb, qemu-aarch64 or the ARM compiler is missing";
    testing::AdbServer server;
    const testing::EmulatedPhone phone;
    server.connect(phone.serial());
    ParityRequest request = requestOfSmallRun();
    request.device = phone.serial();
    const auto result = runParityJob(request, m_sink, m_control);
    ASSERT_TRUE(result.ok()) << result.error().message;
    expectParity(*result);
    EXPECT_TRUE(result->device.emulated);
    EXPECT_EQ(result->isa, "neondot");
    EXPECT_THAT(phone.jobFolders(), IsEmpty());
}

TEST_F(ParityBenchTest, APhoneUnpluggedBetweenStepsAndImagesIsNoDevice) {
    if (!testing::AdbServer::available()) GTEST_SKIP() << "adb, qemu-aarch64 or the ARM compiler is missing";
    testing::AdbServer server;
    testing::EmulatedPhone phone;
    server.connect(phone.serial());
    ParityRequest request = requestOfSmallRun();
    request.device = phone.serial();
    bool unplugged = false;
    m_sink.onProgress = [&](const report::Progress& progress) {
        if (unplugged || progress.phase != "comparing images") return;
        unplugged = true;
        phone.unplug();
    };
    const auto result = runParityJob(request, m_sink, m_control);
    EXPECT_TRUE(unplugged);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().kind, ErrorKind::NoDevice) << result.error().message;
    EXPECT_THAT(result.error().message, HasSubstr(request.device));
}

TEST_F(ParityBenchTest, NoImagesAreAUsageError) {
    ParityRequest request;
    request.run = m_folder / "run.h5";
    request.images = 0;
    EXPECT_EQ(runParityJob(request, m_sink, m_control).error().kind, ErrorKind::Usage);
}

/// What a device says of a network, right or with something wrong in it.
class ParityComparisonTest : public ::testing::Test {
  protected:
    void SetUp() override {
        const auto source = qsimd::randomNetwork(graph::zoo::makeModel("resnet20").value(), 16, 1);
        ASSERT_TRUE(source.ok());
        qsimd::LoweringOptions options;
        options.contract = qsimd::Contract::Exact;
        m_model = qsimd::lower(*source, options).value();
        m_reference = std::make_unique<train::ReferenceNetwork>(
            train::ReferenceNetwork::create(quantizedModel(*source)).value());
        m_image.resize(std::size_t{3} * 32 * 32);
        for (std::size_t i = 0; i < m_image.size(); ++i)
            m_image[i] = std::sin(static_cast<float>(i));
    }

    static quant::QuantizedModel quantizedModel(const qsimd::DeployedNetwork& source) {
        quant::QuantizedModel model;
        model.graph = source.graph;
        model.rest = source.rest;
        for (const graph::Node& node : source.graph.nodes()) {
            const auto weights = source.quantized.find(node.name);
            if (weights == source.quantized.end()) continue;
            const auto& [components, codebook, indices] = weights->second;
            model.layers.emplace(node.name, quant::QuantizedTensor{graph::parametersOf(node.op).front().shape,
                                                                   1, components, codebook, indices});
        }
        return model;
    }

    nlohmann::json rightAnswer() {
        qsimd::Network network(m_model, {}, 1);
        nlohmann::json steps;
        for (const qsimd::StepHashes& step : qsimd::hashesOf(network, m_image.data()))
            steps.push_back({{"name", step.name},
                             {"output", qsimd::hashText(step.output)},
                             {"sums", step.sums ? qsimd::hashText(*step.sums) : ""}});
        return steps;
    }

    qsimd::Model m_model;
    std::unique_ptr<train::ReferenceNetwork> m_reference;
    train::Image m_image;
};

TEST_F(ParityComparisonTest, NamesTheFirstStepThatDiffers) {
    nlohmann::json answer = rightAnswer();
    ParityComparison right(m_model, "k0");
    ASSERT_TRUE(right.compareSteps(m_image, *m_reference, answer.dump()).ok());
    EXPECT_TRUE(passed(right.result()));
    for (std::size_t wrong = 7; wrong < answer.size(); ++wrong)
        answer[wrong]["output"] = "0123456789abcdef";
    ParityComparison broken(m_model, "k0");
    ASSERT_TRUE(broken.compareSteps(m_image, *m_reference, answer.dump()).ok());
    EXPECT_EQ(broken.result().diverges, answer[7]["name"].get<std::string>());
    EXPECT_TRUE(broken.result().steps[6].sameOutput);
    EXPECT_FALSE(broken.result().steps[7].sameOutput);
    EXPECT_FALSE(passed(broken.result()));
}

TEST_F(ParityComparisonTest, NamesTheFirstStepThatLibtorchComputesDifferently) {
    // One weight of layer2.0.conv1 that the lowered network has and libtorch's has not.
    for (qsimd::Step& step : m_model.steps) {
        auto* convolution = std::get_if<qsimd::Convolution>(&step);
        if (convolution != nullptr && convolution->layer == "layer2.0.conv1") convolution->bias[3] += 0.5F;
    }
    ParityComparison comparison(m_model, "k0");
    ASSERT_TRUE(comparison.compareSteps(m_image, *m_reference, rightAnswer().dump()).ok());
    EXPECT_EQ(comparison.result().exceeds, "layer2.0.conv1");
    EXPECT_EQ(comparison.result().diverges, "");
    EXPECT_FALSE(passed(comparison.result()));
    ParityComparison rounded(m_model, "k2");
    ASSERT_TRUE(rounded.compareSteps(m_image, *m_reference, rightAnswer().dump()).ok());
    EXPECT_EQ(rounded.result().exceeds, "") << "int8 is shown, not held to a bound";
}

TEST_F(ParityComparisonTest, NamesTheFirstLayerWhoseSumsDiffer) {
    const auto source = qsimd::randomNetwork(graph::zoo::makeModel("resnet20").value(), 16, 1);
    JobControl control;
    qsimd::LoweringOptions options;
    options.contract = qsimd::Contract::Int8;
    options.activations = qsimd::calibrate(*source, {{m_image}}, 1, control).value();
    m_model = qsimd::lower(*source, options).value();
    nlohmann::json answer = rightAnswer();
    ParityComparison right(m_model, "k2");
    ASSERT_TRUE(right.compareSteps(m_image, *m_reference, answer.dump()).ok());
    EXPECT_TRUE(passed(right.result())) << right.result().diverges;
    const auto stepOf = [&](const std::string& layer) {
        return static_cast<std::size_t>(
            std::ranges::find_if(answer, [&](const auto& step) { return step.at("name") == layer; }) -
            answer.begin());
    };
    // Rounding may hide in the outputs what the sums show; a step without sums where there are some differs.
    const std::size_t wrong = stepOf("layer2.1.conv2");
    const std::size_t without = stepOf("layer3.0.conv1");
    ASSERT_LT(without, answer.size());
    ASSERT_EQ(answer[wrong]["sums"].get<std::string>().size(), 16u);
    answer[wrong]["sums"] = "0123456789abcdef";
    answer[without]["sums"] = "";
    ParityComparison broken(m_model, "k2");
    ASSERT_TRUE(broken.compareSteps(m_image, *m_reference, answer.dump()).ok());
    const report::ParityNetwork result = broken.result();
    EXPECT_EQ(result.diverges, "layer2.1.conv2");
    for (std::size_t i = 0; i < answer.size(); ++i) {
        EXPECT_TRUE(result.steps[i].sameOutput) << result.steps[i].name;
        EXPECT_EQ(result.steps[i].sameSums, i != wrong && i != without) << result.steps[i].name;
    }
    EXPECT_FALSE(passed(result));
}

TEST_F(ParityComparisonTest, CountsEqualScoresAndClasses) {
    const std::vector<train::Image> images(3, m_image);
    const auto classes = m_reference->classes(images);
    ASSERT_TRUE(classes.ok());
    qsimd::Network network(m_model, {}, 1);
    std::vector<float> scores(30);
    for (std::size_t i = 0; i < images.size(); ++i)
        network.run(m_image.data(), scores.data() + 10 * i);
    scores[10] = std::nextafter(scores[10], 1e9F);  // of the second image: another bit, the same class
    const auto wrong = static_cast<std::size_t>(20 + ((*classes)[2] + 1) % 10);
    scores[wrong] = 1e6F;  // of the third: another class
    ParityComparison comparison(m_model, "k0");
    const std::vector<int> labels(3, (*classes)[0]);
    ASSERT_TRUE(comparison.compareImages(images, labels, *classes, scores).ok());
    const report::ParityNetwork result = comparison.result();
    EXPECT_EQ(result.images, 3);
    EXPECT_EQ(result.sameOutputs, 1);
    EXPECT_EQ(result.sameClass, 2);
    EXPECT_NEAR(result.top1Device, 200.0 / 3, 1e-9);
    EXPECT_EQ(result.top1Reference, 100);
    EXPECT_FALSE(passed(result));
}

TEST_F(ParityComparisonTest, AnswersThatNoRunnerGivesAreErrors) {
    ParityComparison comparison(m_model, "k0");
    for (const char* text : {"", "Segmentation fault", "{\"a\": 1}", "[]"})
        EXPECT_FALSE(comparison.compareSteps(m_image, *m_reference, text).ok()) << text;
    EXPECT_THAT(comparison.compareImages({&m_image, 1}, {}, {}, std::vector<float>(9)).error().message,
                HasSubstr("9 scores instead of 10"));
}

}  // namespace
}  // namespace bitloom::jobs
