#include <algorithm>
#include <cmath>
#include <set>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "engine/base/hash.h"
#include "engine/data/dataset.h"
#include "engine/data/generated_shapes.h"

namespace bitloom::data {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Pixels = std::vector<std::uint8_t>;

std::unique_ptr<Dataset> open(std::string_view source, Split split = Split::Train) {
    auto dataset = openDataset(source, split);
    if (!dataset.ok()) throw std::runtime_error(dataset.error().message);
    return std::move(dataset).value();
}

Pixels imageOf(const Dataset& dataset, std::int64_t index) {
    Pixels pixels(dataset.shape().bytes());
    const auto label = dataset.read(index, pixels);
    EXPECT_TRUE(label.ok());
    return pixels;
}

std::uint64_t hashOf(const Pixels& pixels, std::uint64_t state = kHashSeed) {
    return hashBytes(std::as_bytes(std::span(pixels)), state);
}

TEST(Generated, HasTheSizesAskedFor) {
    EXPECT_EQ(open("generated")->size(), 20'000);
    EXPECT_EQ(open("generated", Split::Test)->size(), 2'000);
    EXPECT_EQ(open("generated:")->size(), 20'000);
    EXPECT_EQ(open("generated:7,30,4")->size(), 30);
    EXPECT_EQ(open("generated:7,30,4", Split::Test)->size(), 4);
    EXPECT_EQ(open("generated")->shape().bytes(), 3072u);
}

TEST(Generated, NamesTenClassesAndBalancesThem) {
    const auto dataset = open("generated:1,100,10");
    EXPECT_THAT(dataset->classNames(), ElementsAre("disc", "ring", "square", "triangle", "cross", "star",
                                                   "crescent", "dots", "stripes", "checker"));
    std::vector<int> counts(10);
    Pixels pixels(3072);
    for (std::int64_t i = 0; i < 100; ++i)
        ++counts.at(static_cast<std::size_t>(*dataset->read(i, pixels)));
    EXPECT_THAT(counts, ::testing::Each(10));
}

TEST(Generated, DependsOnSeedSplitAndIndexOnly) {
    const auto small = open("generated:3,20,20");
    const auto large = open("generated:3,5000,20");
    const auto test = open("generated:3,20,20", Split::Test);
    const auto other = open("generated:4,20,20");
    std::set<std::uint64_t> distinct;
    for (std::int64_t i = 0; i < 20; ++i) {
        const Pixels pixels = imageOf(*small, i);
        EXPECT_EQ(pixels, imageOf(*large, i));
        EXPECT_EQ(pixels, imageOf(*small, i)) << "the second reading comes from memory";
        for (const Dataset* dataset : {small.get(), test.get(), other.get()})
            distinct.insert(hashOf(imageOf(*dataset, i)));
    }
    EXPECT_EQ(distinct.size(), 60u);
}

TEST(Generated, StaysAsTheSampleNetworkSawIt) {
    // The committed sample network was trained on these pictures: a change here asks for a new one.
    const auto dataset = open("generated");
    std::uint64_t hash = kHashSeed;
    for (std::int64_t i = 0; i < 200; ++i)
        hash = hashOf(imageOf(*dataset, i), hash);
    EXPECT_EQ(hashText(hash), "fd600c17edc6d08c");
}

TEST(Generated, ReadsTheSameFromSeveralThreads) {
    const auto shared = open("generated:8,200,1");
    std::vector<std::vector<Pixels>> seen(4);
    std::vector<std::thread> threads;
    threads.reserve(seen.size());
    for (std::vector<Pixels>& mine : seen) {
        threads.emplace_back([&shared, &mine] {
            for (std::int64_t i = 0; i < 200; ++i)
                mine.push_back(imageOf(*shared, i));
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(seen[1], seen[0]);
    EXPECT_EQ(seen[2], seen[0]);
    EXPECT_EQ(seen[3], seen[0]);
}

TEST(Generated, ColourTellsNothingAboutTheClass) {
    // Mean colour of 400 images a class: deviations of single images are about 45, so means agree within 4 x
    // 45 / 20.
    const auto dataset = open("generated:2,4000,1");
    std::vector<std::array<double, 3>> means(10, {0, 0, 0});
    Pixels pixels(3072);
    for (std::int64_t i = 0; i < 4000; ++i) {
        const auto label = static_cast<std::size_t>(*dataset->read(i, pixels));
        for (std::size_t c = 0; c < 3; ++c) {
            double sum = 0;
            for (std::size_t p = 0; p < 1024; ++p)
                sum += pixels[c * 1024 + p];
            means[label][c] += sum / 1024 / 400;
        }
    }
    for (std::size_t c = 0; c < 3; ++c) {
        double overall = 0;
        for (const auto& mean : means)
            overall += mean[c] / 10;
        for (const auto& mean : means)
            EXPECT_NEAR(mean[c], overall, 9);
    }
}

TEST(Generated, RefusesBadNumbers) {
    for (const char* source : {"generated:1", "generated:1,2", "generated:1,2,3,4", "generated:1,2,3,",
                               "generated:a,2,3", "generated:1,2.5,3", "generated:-1,2,3", "generated:1,,3",
                               "generated: 1,2,3", "generated:99999999999999999999,2,3"}) {
        const auto dataset = openDataset(source, Split::Train);
        ASSERT_FALSE(dataset.ok()) << source;
        EXPECT_EQ(dataset.error().kind, ErrorKind::Usage);
        EXPECT_THAT(dataset.error().message,
                    AllOf(HasSubstr(source), HasSubstr("for example generated:1,20000,2000")));
    }
    for (const char* source : {"generated:1,0,3", "generated:1,2,-3", "generated:1,10000001,3"}) {
        const auto dataset = openDataset(source, Split::Test);
        ASSERT_FALSE(dataset.ok()) << source;
        EXPECT_EQ(dataset.error().kind, ErrorKind::Usage);
        EXPECT_THAT(dataset.error().message, AllOf(HasSubstr(source), HasSubstr("from 1 to 10000000")));
    }
}

/// Area and distance of every shape, sampled on a fine grid.
TEST(GeneratedShapes, AreDistinctAndFillTheDiscAlike) {
    constexpr int kSteps = 200;
    std::set<std::vector<bool>> masks;
    for (int shape = 0; shape < kShapeCount; ++shape) {
        std::vector<bool> mask;
        for (int i = 0; i < kSteps * kSteps; ++i) {
            const int column = i % kSteps;
            const int row = i / kSteps;
            const float x = -1.5f + 3.0f * static_cast<float>(column) / kSteps;
            const float y = -1.5f + 3.0f * static_cast<float>(row) / kSteps;
            const bool inside = shapeDistance(static_cast<Shape>(shape), x, y) < 0;
            mask.push_back(inside);
            ASSERT_FALSE(inside && std::hypot(x, y) > 1.4f)
                << "shape " << shape << " reaches " << x << ' ' << y;
        }
        const double area = 9.0 * static_cast<double>(std::ranges::count(mask, true)) / (kSteps * kSteps);
        EXPECT_GT(area, 0.7) << shape;
        EXPECT_LT(area, 2.5) << shape;
        masks.insert(mask);
    }
    EXPECT_EQ(masks.size(), static_cast<std::size_t>(kShapeCount));
}

TEST(GeneratedShapes, PolygonsHaveTheirCorners) {
    EXPECT_NEAR(shapeDistance(Shape::Triangle, 0, 0.95f), 0, 1e-5) << "upper corner";
    EXPECT_NEAR(shapeDistance(Shape::Triangle, 0, -0.7f), 0, 1e-5) << "middle of the base";
    EXPECT_NEAR(shapeDistance(Shape::Star, 0, 1.1f), 0, 1e-5) << "a tip";
    const float angle = 2 * 3.14159265f / 5;
    EXPECT_NEAR(shapeDistance(Shape::Star, 1.1f * std::sin(2 * angle), 1.1f * std::cos(2 * angle)), 0, 1e-5)
        << "another tip";
    EXPECT_NEAR(shapeDistance(Shape::Star, 0.47f * std::sin(angle / 2), 0.47f * std::cos(angle / 2)), 0, 1e-5)
        << "a corner";
    EXPECT_LT(shapeDistance(Shape::Star, 0, 0), -0.3f);
    EXPECT_GT(shapeDistance(Shape::Ring, 0, 0), 0.3f);
    EXPECT_LT(shapeDistance(Shape::Ring, 0.7f, 0), -0.1f);
}

TEST(WholePart, IsFloor) {
    for (const float x : {-2.5f, -2.0f, -0.1f, 0.0f, 0.9f, 1.0f, 7.25f})
        EXPECT_EQ(wholePart(x), std::floor(x)) << x;
}

}  // namespace
}  // namespace bitloom::data
