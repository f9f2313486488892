// Landscapes of real, if small, runs.
#include "engine/jobs/landscape_job.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gmock/gmock.h>

#include "tests/jobs/small_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::SizeIs;

LandscapeRequest surveyRequestFor(const fs::path& run) {
    LandscapeRequest request;
    request.run = run;
    request.images = 16;
    request.size = 3;
    request.threads = 1;
    return request;
}

class LandscapeOf : public ::testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Methods, LandscapeOf, ::testing::Values("dgms", "rdhs", "uniform"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST_P(LandscapeOf, TheMiddleIsTheNetworkItself) {
    const testing::TemporaryFolder folder;
    writeSmallWeights(folder / "net.safetensors");
    JobSpec spec = smallJob();
    spec.model.weights = (folder / "net.safetensors").string();
    spec.quantizer.layer.method = GetParam();
    trainToEnd(spec, folder / "run.h5");
    const auto result = runSilently(runLandscapeJob, surveyRequestFor(folder / "run.h5"));
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_EQ(result->done, 9);
    EXPECT_TRUE(result->pretrained);
    EXPECT_EQ(result->quantizedAnew, GetParam() != std::string("rdhs"));
    EXPECT_EQ(result->images, 16);
    EXPECT_THAT(result->quantized.loss, SizeIs(9));
    EXPECT_EQ(result->coordinate(0), -1);
    EXPECT_EQ(result->coordinate(1), 0);

    const auto [quantized, full] = evaluatedPair(folder / "run.h5", folder / "net.safetensors", spec, 16);
    EXPECT_NEAR(result->quantized.loss[result->centre()], quantized.loss, 1e-6);
    EXPECT_EQ(result->quantized.top1[result->centre()], quantized.top1);
    EXPECT_NEAR(result->fullPrecision.loss[result->centre()], full.loss, 1e-6);
    for (const double loss : result->quantized.loss)
        EXPECT_FALSE(std::isnan(loss));
    for (const report::LossSurface* surface : {&result->fullPrecision, &result->quantized}) {
        const auto [least, most] = std::ranges::minmax(surface->loss);
        EXPECT_GT(most, least) << "the weights move";
    }
}

TEST(LandscapeJob, RoundsActivationsAsTheNetworkDoes) {
    for (const quant::ActivationMethod method :
         {quant::ActivationMethod::Ptq, quant::ActivationMethod::Lsq}) {
        const testing::TemporaryFolder folder;
        writeSmallWeights(folder / "net.safetensors");
        JobSpec spec = smallJob();
        spec.model.weights = (folder / "net.safetensors").string();
        spec.quantizer.activation.method = method;
        spec.quantizer.activation.bits = 2;
        spec.quantizer.activation.images = 16;
        spec.quantizer.activation.iterations = 0;
        trainToEnd(spec, folder / "run.h5");
        const auto result = runSilently(runLandscapeJob, surveyRequestFor(folder / "run.h5"));
        ASSERT_TRUE(result.ok()) << result.error().message;
        const auto [quantized, full] = evaluatedPair(folder / "run.h5", folder / "net.safetensors", spec, 16);
        EXPECT_NEAR(result->quantized.loss[result->centre()], quantized.loss, 1e-6);
        EXPECT_NEAR(result->fullPrecision.loss[result->centre()], full.loss, 1e-6) << "in float";
        spec.quantizer.activation = {};
        trainToEnd(spec, folder / "floats.h5");
        const auto floats = runSilently(runLandscapeJob, surveyRequestFor(folder / "floats.h5"));
        ASSERT_TRUE(floats.ok());
        EXPECT_NE(floats->quantized.loss[floats->centre()], result->quantized.loss[result->centre()]);
    }
}

TEST(LandscapeJob, IsDeterministicBySeed) {
    const testing::TemporaryFolder folder;
    JobSpec spec = smallJob();
    spec.train.steps = 1;
    trainToEnd(spec, folder / "run.h5");
    LandscapeRequest request = surveyRequestFor(folder / "run.h5");
    const auto one = runSilently(runLandscapeJob, request);
    ASSERT_TRUE(one.ok()) << one.error().message;
    const auto same = runSilently(runLandscapeJob, request);
    EXPECT_EQ(same->fullPrecision.loss, one->fullPrecision.loss);
    EXPECT_EQ(same->quantized.loss, one->quantized.loss);
    request.seed = 1;
    const auto other = runSilently(runLandscapeJob, request);
    EXPECT_NE(other->quantized.loss, one->quantized.loss);
    EXPECT_EQ(other->quantized.loss[other->centre()], one->quantized.loss[one->centre()]);
}

TEST(LandscapeJob, ShowsEachPointAndStopsWhenAsked) {
    const testing::TemporaryFolder folder;
    JobSpec spec = smallJob();
    spec.train.steps = 1;
    trainToEnd(spec, folder / "run.h5");
    JobControl control;
    report::ProgressSink silent;
    std::vector<int> seen;
    const auto result = runLandscapeJob(
        surveyRequestFor(folder / "run.h5"), silent, control, [&](const report::Landscape& landscape) {
            seen.push_back(landscape.done);
            const auto known = std::ranges::count_if(landscape.quantized.loss,
                                                     [](double loss) { return !std::isnan(loss); });
            EXPECT_EQ(known, landscape.done);
            EXPECT_FALSE(std::isnan(landscape.fullPrecision.loss[landscape.centre()])) << "comes first";
            if (landscape.done == 2) control.stop();
        });
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().kind, ErrorKind::Cancelled);
    EXPECT_THAT(seen, ::testing::ElementsAre(1, 2));
}

TEST(LandscapeJob, RefinesFromTheMiddle) {
    EXPECT_THAT(refinementOrder(3), ::testing::ElementsAre(4, 0, 1, 2, 3, 5, 6, 7, 8));
    for (const int size : {5, 31, 51}) {
        std::vector<int> order = refinementOrder(size);
        EXPECT_EQ(order.front(), size / 2 * size + size / 2);
        // The first tenth reaches into every quarter.
        bool quarters[4] = {};
        for (std::size_t i = 1; i < std::max<std::size_t>(9, order.size() / 10); ++i)
            quarters[(order[i] / size > size / 2 ? 2 : 0) + (order[i] % size > size / 2 ? 1 : 0)] = true;
        EXPECT_THAT(quarters, ::testing::Each(true)) << size;
        std::ranges::sort(order);
        for (int i = 0; i < size * size; ++i)
            ASSERT_EQ(order[static_cast<std::size_t>(i)], i) << size;
    }
}

TEST(LandscapeJob, ErrorsNameWhatToGive) {
    LandscapeRequest request = surveyRequestFor("absent.h5");
    EXPECT_THAT(messageOf(runSilently(runLandscapeJob, request)), HasSubstr("absent.h5"));
    request.size = 8;
    EXPECT_THAT(messageOf(runSilently(runLandscapeJob, request)), HasSubstr("odd number from 3"));
    request.size = 5;
    request.range = 0;
    EXPECT_THAT(messageOf(runSilently(runLandscapeJob, request)), HasSubstr("positive"));
}

}  // namespace
}  // namespace bitloom::jobs
