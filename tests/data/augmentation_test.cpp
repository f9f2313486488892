#include "engine/data/augmentation.h"

#include <array>
#include <set>
#include <vector>

#include <gmock/gmock.h>

namespace bitloom::data {
namespace {

using ::testing::ElementsAre;
using ::testing::Pointwise;

constexpr ImageShape kTiny{1, 2, 3};
constexpr std::array<std::uint8_t, 6> kTinyPixels = {10, 20, 30,  //
                                                     40, 50, 60};

/// kTinyPixels after `augmentation`, as bytes.
std::vector<float> applied(Augmentation augmentation) {
    std::vector<float> image(kTiny.bytes());
    PixelTable(Normalization{{0, 0, 0}, {1 / 255.0f, 1, 1}}).apply(kTinyPixels, kTiny, augmentation, image);
    return image;
}

TEST(PixelTable, NormalisesEachChannelAsPytorchDoes) {
    const Normalization normalization{{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};
    const std::array<std::uint8_t, 3> pixels = {0, 128, 255};
    std::vector<float> image(3);
    PixelTable(normalization).apply(pixels, {3, 1, 1}, {}, image);
    EXPECT_FLOAT_EQ(image[0], -0.485f / 0.229f);
    EXPECT_FLOAT_EQ(image[1], (128 / 255.0f - 0.456f) / 0.224f);
    EXPECT_FLOAT_EQ(image[2], (1 - 0.406f) / 0.225f);
}

TEST(PixelTable, MovesAndMirrors) {
    const auto near = [](const std::vector<float>& expected) {
        return Pointwise(::testing::FloatNear(1e-4f), expected);
    };
    EXPECT_THAT(applied({0, 0, false}), near({10, 20, 30, 40, 50, 60}));
    EXPECT_THAT(applied({0, 0, true}), near({30, 20, 10, 60, 50, 40}));
    EXPECT_THAT(applied({1, 0, false}), near({20, 30, 0, 50, 60, 0}));
    EXPECT_THAT(applied({-2, 0, false}), near({0, 0, 10, 0, 0, 40}));
    EXPECT_THAT(applied({0, 1, false}), near({40, 50, 60, 0, 0, 0}));
    EXPECT_THAT(applied({0, -1, false}), near({0, 0, 0, 10, 20, 30}));
    EXPECT_THAT(applied({1, 1, true}), near({0, 60, 50, 0, 0, 0}));
}

TEST(PixelTable, ImagesSmallerThanTheBorderMayVanish) {
    EXPECT_THAT(applied({4, 0, false}), ElementsAre(0, 0, 0, 0, 0, 0));
    EXPECT_THAT(applied({-4, 4, true}), ElementsAre(0, 0, 0, 0, 0, 0));
}

TEST(PixelTable, BorderIsBlackBeforeNormalisation) {
    std::vector<float> image(kTiny.bytes());
    PixelTable(Normalization{{0.5f, 0, 0}, {0.5f, 1, 1}}).apply(kTinyPixels, kTiny, {3, 0, false}, image);
    EXPECT_THAT(image, ::testing::Each(-1.0f));
}

TEST(DrawAugmentation, CoversAllCropsAndBothSidesEvenly) {
    std::set<std::pair<int, int>> crops;
    int flips = 0;
    constexpr int kDraws = 20'000;
    for (int i = 0; i < kDraws; ++i) {
        const Augmentation augmentation = drawAugmentation(1, i % 7, i);
        ASSERT_LE(std::abs(augmentation.dx), kCropPadding);
        ASSERT_LE(std::abs(augmentation.dy), kCropPadding);
        crops.emplace(augmentation.dx, augmentation.dy);
        flips += augmentation.flip ? 1 : 0;
    }
    EXPECT_EQ(crops.size(), 81u);
    EXPECT_NEAR(flips, kDraws * 0.5, 350) << "five standard deviations";
}

TEST(DrawAugmentation, DependsOnSeedEpochAndImage) {
    const auto sequence = [](std::uint64_t seed, std::int64_t epoch, std::int64_t first) {
        std::vector<int> draws;
        for (std::int64_t i = 0; i < 20; ++i) {
            const Augmentation augmentation = drawAugmentation(seed, epoch, first + i);
            draws.insert(draws.end(), {augmentation.dx, augmentation.dy, augmentation.flip ? 1 : 0});
        }
        return draws;
    };
    EXPECT_EQ(sequence(1, 2, 3), sequence(1, 2, 3));
    EXPECT_NE(sequence(1, 2, 3), sequence(2, 2, 3));
    EXPECT_NE(sequence(1, 2, 3), sequence(1, 3, 3));
    EXPECT_NE(sequence(1, 2, 3), sequence(1, 2, 4));
}

}  // namespace
}  // namespace bitloom::data
