// Landscapes of real, if small, runs.
#include "engine/jobs/landscape_job.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gmock/gmock.h>

#include "engine/jobs/evaluate_job.h"
#include "tests/jobs/small_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::SizeIs;

Result<report::Landscape> surveyedBy(const LandscapeRequest& request) {
    report::ProgressSink silent;
    JobControl control;
    return runLandscapeJob(request, silent, control);
}

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
    const auto result = surveyedBy(surveyRequestFor(folder / "run.h5"));
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_EQ(result->done, 9);
    EXPECT_EQ(result->images, 16);
    EXPECT_THAT(result->quantized.loss, SizeIs(9));
    EXPECT_EQ(result->coordinate(0), -1);
    EXPECT_EQ(result->coordinate(1), 0);

    EvaluateRequest evaluation;
    evaluation.weights = folder / "run.h5";
    evaluation.images = 16;
    evaluation.threads = 1;
    report::ProgressSink silent;
    JobControl control;
    const auto quantized = runEvaluateJob(evaluation, silent, control);
    ASSERT_TRUE(quantized.ok()) << quantized.error().message;
    EXPECT_NEAR(result->quantized.loss[result->centre()], quantized->loss, 1e-6);
    EXPECT_EQ(result->quantized.top1[result->centre()], quantized->top1);
    evaluation.weights = folder / "net.safetensors";
    evaluation.data = spec.data.source;
    evaluation.normalize = spec.data.normalize;
    const auto full = runEvaluateJob(evaluation, silent, control);
    ASSERT_TRUE(full.ok()) << full.error().message;
    EXPECT_NEAR(result->fullPrecision.loss[result->centre()], full->loss, 1e-6);
    for (const double loss : result->quantized.loss)
        EXPECT_FALSE(std::isnan(loss));
    for (const report::LossSurface* surface : {&result->fullPrecision, &result->quantized}) {
        const auto [least, most] = std::ranges::minmax(surface->loss);
        EXPECT_GT(most, least) << "the weights move";
    }
}

TEST(LandscapeJob, IsDeterministicBySeed) {
    const testing::TemporaryFolder folder;
    JobSpec spec = smallJob();
    spec.train.steps = 1;
    trainToEnd(spec, folder / "run.h5");
    LandscapeRequest request = surveyRequestFor(folder / "run.h5");
    const auto one = surveyedBy(request);
    ASSERT_TRUE(one.ok()) << one.error().message;
    const auto same = surveyedBy(request);
    EXPECT_EQ(same->fullPrecision.loss, one->fullPrecision.loss);
    EXPECT_EQ(same->quantized.loss, one->quantized.loss);
    request.seed = 1;
    const auto other = surveyedBy(request);
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
    const auto messageOf = [](const LandscapeRequest& request) {
        const auto result = surveyedBy(request);
        return result ? std::string("no error") : result.error().message;
    };
    LandscapeRequest request = surveyRequestFor("absent.h5");
    EXPECT_THAT(messageOf(request), HasSubstr("absent.h5"));
    request.size = 8;
    EXPECT_THAT(messageOf(request), HasSubstr("odd number from 3"));
    request.size = 5;
    request.range = 0;
    EXPECT_THAT(messageOf(request), HasSubstr("positive"));
}

}  // namespace
}  // namespace bitloom::jobs
