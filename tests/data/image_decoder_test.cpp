#include "engine/data/image_decoder.h"

#include <algorithm>
#include <array>
#include <vector>

#include <gmock/gmock.h>

#include "tests/data/image_files.h"
#include "tests/support/test_paths.h"

namespace bitloom::data {
namespace {

namespace fs = std::filesystem;
using ::bitloom::testing::JpegKind;
using ::bitloom::testing::plainRgb;
using ::bitloom::testing::PngKind;
using ::bitloom::testing::readFile;
using ::bitloom::testing::TemporaryFolder;
using ::bitloom::testing::writeFile;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ImageDecoder : public ::testing::Test {
  protected:
    [[nodiscard]] RgbImage decode(const fs::path& path, int enoughPixels = 1000) const {
        auto image = decodeImage(path, enoughPixels);
        EXPECT_TRUE(image.ok()) << (image.ok() ? "" : image.error().message);
        return image.ok() ? std::move(image).value() : RgbImage{};
    }
    [[nodiscard]] std::string decodingError(const fs::path& path) const {
        const auto image = decodeImage(path, 1000);
        EXPECT_FALSE(image.ok());
        return image.ok() ? "" : image.error().message;
    }

    TemporaryFolder m_folder;
    const fs::path m_png = m_folder / "a.png";
    const fs::path m_jpeg = m_folder / "a.jpg";
};

TEST_F(ImageDecoder, ReadsRgbPngExactly) {
    const std::vector<std::uint8_t> pixels = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    writePng(m_png, 2, 2, PngKind::Rgb8, pixels);
    const RgbImage image = decode(m_png);
    EXPECT_EQ(image.width, 2);
    EXPECT_EQ(image.height, 2);
    EXPECT_EQ(image.pixels, pixels);
}

TEST_F(ImageDecoder, TurnsGreyPngIntoRgb) {
    const std::vector<std::uint8_t> samples = {10, 200};
    writePng(m_png, 2, 1, PngKind::Grey8, samples);
    EXPECT_THAT(decode(m_png).pixels, ElementsAre(10, 10, 10, 200, 200, 200));
    const std::vector<std::uint8_t> bits = {0b01000000};
    writePng(m_png, 2, 1, PngKind::Grey1, bits);
    EXPECT_THAT(decode(m_png).pixels, ElementsAre(0, 0, 0, 255, 255, 255));
}

TEST_F(ImageDecoder, DropsAlpha) {
    const std::vector<std::uint8_t> colours = {10, 20, 30, 0, 40, 50, 60, 255};
    writePng(m_png, 2, 1, PngKind::Rgba8, colours);
    EXPECT_THAT(decode(m_png).pixels, ElementsAre(10, 20, 30, 40, 50, 60));
    const std::vector<std::uint8_t> greys = {10, 0, 20, 128};
    writePng(m_png, 2, 1, PngKind::GreyAlpha8, greys);
    EXPECT_THAT(decode(m_png).pixels, ElementsAre(10, 10, 10, 20, 20, 20));
}

TEST_F(ImageDecoder, ReducesSixteenBits) {
    const std::vector<std::uint8_t> samples = {0x00, 0x00, 0x80, 0x80, 0xff, 0xff};
    writePng(m_png, 1, 1, PngKind::Rgb16, samples);
    EXPECT_THAT(decode(m_png).pixels, ElementsAre(0, 128, 255));
}

TEST_F(ImageDecoder, LooksUpPalettes) {
    const std::vector<std::uint8_t> palette = {1, 2, 3, 250, 251, 252};
    const std::vector<std::uint8_t> indices = {1, 0, 0, 1};
    bitloom::testing::writePalettePng(m_png, 2, 2, palette, indices);
    EXPECT_THAT(decode(m_png).pixels, ElementsAre(250, 251, 252, 1, 2, 3, 1, 2, 3, 250, 251, 252));
}

TEST_F(ImageDecoder, ReadsJpegOfThreeColourSpaces) {
    writeJpeg(m_jpeg, 9, 7, JpegKind::Rgb, plainRgb(9, 7, 200, 100, 50));
    RgbImage image = decode(m_jpeg);
    EXPECT_EQ(image.width, 9);
    EXPECT_EQ(image.height, 7);
    ASSERT_EQ(image.pixels.size(), 9u * 7u * 3u);
    EXPECT_NEAR(image.pixels[60], 200, 2);
    EXPECT_NEAR(image.pixels[61], 100, 2);
    EXPECT_NEAR(image.pixels[62], 50, 2);

    writeJpeg(m_jpeg, 9, 7, JpegKind::Grey, std::vector<std::uint8_t>(63, 77));
    image = decode(m_jpeg);
    ASSERT_EQ(image.pixels.size(), 9u * 7u * 3u);
    EXPECT_THAT(image.pixels, Each(::testing::AllOf(::testing::Ge(76), ::testing::Le(78))));

    // 255 is no ink, as Adobe writes it: full yellow, a little black.
    std::vector<std::uint8_t> ink;
    for (int i = 0; i < 64; ++i)
        ink.insert(ink.end(), {255, 255, 0, 200});
    writeJpeg(m_jpeg, 8, 8, JpegKind::Cmyk, ink);
    image = decode(m_jpeg);
    ASSERT_EQ(image.pixels.size(), 64u * 3u);
    EXPECT_NEAR(image.pixels[0], 200, 3);
    EXPECT_NEAR(image.pixels[1], 200, 3);
    EXPECT_NEAR(image.pixels[2], 0, 3);
}

TEST_F(ImageDecoder, ShrinksLargeJpegsWhileDecoding) {
    writeJpeg(m_jpeg, 256, 200, JpegKind::Rgb, plainRgb(256, 200, 9, 90, 180));
    EXPECT_EQ(decode(m_jpeg, 101).height, 200);
    EXPECT_EQ(decode(m_jpeg, 100).height, 100);
    EXPECT_EQ(decode(m_jpeg, 30).height, 50);
    EXPECT_EQ(decode(m_jpeg, 1).height, 25) << "an eighth at most";
    EXPECT_EQ(decode(m_jpeg, 1).width, 32);
}

TEST_F(ImageDecoder, TellsKindsByContent) {
    writePng(m_jpeg, 1, 1, PngKind::Grey8, std::vector<std::uint8_t>{5});
    EXPECT_THAT(decode(m_jpeg).pixels, ElementsAre(5, 5, 5));
    writeFile(m_png, "GIF89a and more");
    EXPECT_THAT(decodingError(m_png),
                AllOf(HasSubstr(m_png.string()), HasSubstr("neither a PNG nor a JPEG")));
    writeFile(m_png, "");
    EXPECT_THAT(decodingError(m_png), HasSubstr("neither a PNG nor a JPEG"));
    EXPECT_THAT(decodingError(m_folder / "none.png"), HasSubstr("none.png"));
}

/// RGB pixels of a square.
std::vector<std::uint8_t> noise(std::size_t side) {
    std::vector<std::uint8_t> bytes(3 * side * side);
    unsigned state = 1;
    for (std::uint8_t& byte : bytes) {
        state = state * 1664525u + 1013904223u;
        byte = static_cast<std::uint8_t>(state >> 24);
    }
    return bytes;
}

TEST_F(ImageDecoder, RefusesEveryTruncationOfAPng) {
    writePng(m_png, 12, 12, PngKind::Rgb8, noise(12));
    const std::string whole = readFile(m_png);
    for (std::size_t length = 0; length < whole.size(); length += 3) {
        writeFile(m_png, std::string_view(whole).substr(0, length));
        const auto image = decodeImage(m_png, 1000);
        ASSERT_FALSE(image.ok()) << length << " of " << whole.size();
        ASSERT_THAT(image.error().message, HasSubstr(m_png.string()));
    }
}

TEST_F(ImageDecoder, RefusesTruncatedJpegs) {
    writeJpeg(m_jpeg, 40, 40, JpegKind::Rgb, noise(40));
    const std::string whole = readFile(m_jpeg);
    for (std::size_t length = 0; length + 2 < whole.size(); length += 37) {
        writeFile(m_jpeg, std::string_view(whole).substr(0, length));
        const auto image = decodeImage(m_jpeg, 1000);
        ASSERT_FALSE(image.ok()) << length << " of " << whole.size();
        ASSERT_THAT(image.error().message, HasSubstr(m_jpeg.string()));
    }
}

TEST_F(ImageDecoder, SurvivesAnyDamagedByte) {
    // Some damage goes unseen by a JPEG decoder; none may crash, hang or read outside (the sanitizer preset
    // watches).
    writePng(m_png, 12, 12, PngKind::Rgb8, noise(12));
    writeJpeg(m_jpeg, 24, 24, JpegKind::Rgb, noise(24));
    for (const fs::path& path : {m_png, m_jpeg}) {
        const std::string whole = readFile(path);
        int refused = 0;
        for (std::size_t at = 0; at < whole.size(); at += 5) {
            std::string damaged = whole;
            damaged[at] = static_cast<char>(~damaged[at]);
            writeFile(path, damaged);
            refused += decodeImage(path, 1000).ok() ? 0 : 1;
        }
        EXPECT_GT(refused, 10) << path;
    }
}

TEST_F(ImageDecoder, RefusesGiganticImages) {
    writePng(m_png, 16'385, 1, PngKind::Grey8, std::vector<std::uint8_t>(16'385));
    EXPECT_THAT(decodingError(m_png),
                AllOf(HasSubstr(m_png.string()), HasSubstr("16385 x 1 pixels"), HasSubstr("shrink")));

    // A header that claims 60,000 x 60,000 pixels.
    writeJpeg(m_jpeg, 8, 8, JpegKind::Grey, std::vector<std::uint8_t>(64, 1));
    std::string jpeg = readFile(m_jpeg);
    const std::size_t frame = jpeg.find("\xff\xc0");
    ASSERT_NE(frame, std::string::npos);
    jpeg.replace(frame + 5, 4, "\xea\x60\xea\x60");
    writeFile(m_jpeg, jpeg);
    EXPECT_THAT(decodingError(m_jpeg),
                AllOf(HasSubstr(m_jpeg.string()), HasSubstr("60000 x 60000 pixels"), HasSubstr("shrink")));
}

TEST_F(ImageDecoder, RefusesJpegsOfEndlessScans) {
    bitloom::testing::writeManyScansJpeg(m_jpeg, 100);
    EXPECT_NEAR(decode(m_jpeg).pixels.at(0), 10, 2);
    bitloom::testing::writeManyScansJpeg(m_jpeg, 5000);
    EXPECT_THAT(decodingError(m_jpeg), AllOf(HasSubstr(m_jpeg.string()), HasSubstr("more than 200 scans")));
}

TEST(ResizeToSquare, KeepsAnImageOfTheRightSize) {
    const RgbImage image{2, 2, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
    std::vector<std::uint8_t> planes(12);
    resizeToSquare(image, 2, planes);
    EXPECT_THAT(planes, ElementsAre(1, 4, 7, 10, 2, 5, 8, 11, 3, 6, 9, 12));
}

TEST(ResizeToSquare, TakesTheCentralSquare) {
    const RgbImage wide{4, 2, {0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 0, 0,  //
                               0, 0, 0, 3, 3, 3, 4, 4, 4, 0, 0, 0}};
    std::vector<std::uint8_t> planes(12);
    resizeToSquare(wide, 2, planes);
    EXPECT_THAT(planes, ElementsAre(1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4));
    const RgbImage tall{1, 3, {9, 9, 9, 5, 5, 5, 9, 9, 9}};
    resizeToSquare(tall, 2, planes);
    EXPECT_THAT(planes, Each(5));
}

TEST(ResizeToSquare, InterpolatesWhenEnlarging) {
    const RgbImage image{2, 2, {0, 0, 0, 100, 100, 100, 0, 0, 0, 100, 100, 100}};
    std::vector<std::uint8_t> planes(std::size_t{3} * 4 * 4);
    resizeToSquare(image, 4, planes);
    for (std::size_t row = 0; row < 4; ++row) {
        EXPECT_THAT(std::vector(planes.begin() + static_cast<std::ptrdiff_t>(4 * row),
                                planes.begin() + static_cast<std::ptrdiff_t>(4 * row + 4)),
                    ElementsAre(0, 25, 75, 100));
    }
}

TEST(ResizeToSquare, AveragesWhenShrinking) {
    // A fine checkerboard becomes its mean; picking single pixels would give 0 or 200.
    constexpr int kSide = 64;
    RgbImage image{kSide, kSide, {}};
    for (int i = 0; i < kSide * kSide; ++i) {
        const std::uint8_t value = (i % kSide + i / kSide) % 2 == 0 ? 0 : 200;
        image.pixels.insert(image.pixels.end(), {value, value, value});
    }
    std::vector<std::uint8_t> planes(std::size_t{3} * 8 * 8);
    resizeToSquare(image, 8, planes);
    EXPECT_THAT(planes, Each(AllOf(::testing::Ge(98), ::testing::Le(102))));
}

}  // namespace
}  // namespace bitloom::data
