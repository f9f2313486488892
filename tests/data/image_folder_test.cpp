#include <algorithm>
#include <set>
#include <vector>

#include <gmock/gmock.h>

#include "engine/data/dataset.h"
#include "tests/data/image_files.h"
#include "tests/support/test_paths.h"

namespace bitloom::data {
namespace {

namespace fs = std::filesystem;
using ::bitloom::testing::JpegKind;
using ::bitloom::testing::plainRgb;
using ::bitloom::testing::TemporaryFolder;
using ::bitloom::testing::writeFile;
using ::bitloom::testing::writeJpeg;
using ::bitloom::testing::writePlainPng;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ImageFolderTest : public ::testing::Test {
  protected:
    /// Makes the class folder `folder` with `count` images whose red is red, red + 1, ...
    void addClass(const std::string& folder, int count, std::uint8_t red) const {
        fs::create_directories(m_folder / folder);
        for (int i = 0; i < count; ++i) {
            writePlainPng(m_folder / (folder + "/" + std::to_string(100 + i) + ".png"), 8,
                          static_cast<std::uint8_t>(red + i), 1, 2);
        }
    }
    [[nodiscard]] auto open(Split split, int imageSize = 0) const {
        return openDataset("folder:" + m_folder.path().string(), split, imageSize);
    }
    [[nodiscard]] std::string openingError(Split split = Split::Train) const {
        const auto dataset = open(split);
        EXPECT_FALSE(dataset.ok());
        return dataset.ok() ? "" : dataset.error().message;
    }
    /// {label, red of the first pixel} of every image.
    [[nodiscard]] static std::vector<std::pair<int, int>> contentOf(const Dataset& dataset) {
        std::vector<std::pair<int, int>> content;
        std::vector<std::uint8_t> pixels(dataset.shape().bytes());
        for (std::int64_t i = 0; i < dataset.size(); ++i) {
            const auto label = dataset.read(i, pixels);
            EXPECT_TRUE(label.ok()) << (label.ok() ? "" : label.error().message);
            content.emplace_back(label.ok() ? *label : -1, pixels[0]);
        }
        return content;
    }

    TemporaryFolder m_folder;
};

TEST_F(ImageFolderTest, ReadsTrainAndTestFolders) {
    addClass("train/dog", 2, 50);
    addClass("train/cat", 2, 10);
    addClass("test/dog", 1, 70);
    addClass("test/cat", 1, 30);
    const auto train = open(Split::Train);
    ASSERT_TRUE(train.ok()) << train.error().message;
    EXPECT_THAT((*train)->classNames(), ElementsAre("cat", "dog"));
    EXPECT_EQ((*train)->shape().width, 32);
    EXPECT_THAT(contentOf(**train),
                ElementsAre(std::pair(0, 10), std::pair(0, 11), std::pair(1, 50), std::pair(1, 51)));
    EXPECT_EQ(contentOf(**train), contentOf(**train)) << "the second reading comes from memory";
    const auto test = open(Split::Test, 8);
    ASSERT_TRUE(test.ok()) << test.error().message;
    EXPECT_EQ((*test)->shape().bytes(), 3u * 8 * 8);
    EXPECT_THAT(contentOf(**test), ElementsAre(std::pair(0, 30), std::pair(1, 70)));
}

TEST_F(ImageFolderTest, SplitsOneTreeNineToOne) {
    addClass("a", 40, 0);
    addClass("b", 5, 100);
    addClass("c", 2, 200);
    const auto train = open(Split::Train, 4);
    const auto test = open(Split::Test, 4);
    ASSERT_TRUE(train.ok() && test.ok());
    const auto trained = contentOf(**train);
    const auto tested = contentOf(**test);
    const auto count = [](const auto& content, int label) {
        return std::ranges::count_if(content, [label](const auto& image) { return image.first == label; });
    };
    EXPECT_EQ(count(tested, 0), 4);
    EXPECT_EQ(count(trained, 0), 36);
    EXPECT_EQ(count(tested, 1), 1);
    EXPECT_EQ(count(tested, 2), 1) << "two images are one for each";
    std::set<std::pair<int, int>> all(trained.begin(), trained.end());
    all.insert(tested.begin(), tested.end());
    EXPECT_EQ(all.size(), 47u) << "no image is in both";
    std::vector<std::pair<int, int>> firstFour = {{0, 0}, {0, 1}, {0, 2}, {0, 3}};
    EXPECT_NE(std::vector(tested.begin(), tested.begin() + 4), firstFour) << "not the first ones by name";
    EXPECT_EQ(contentOf(**open(Split::Test, 4)), tested) << "the same each time";
}

TEST_F(ImageFolderTest, ReadsPngAndJpegAndIgnoresTheRest) {
    addClass("a", 1, 10);
    writeJpeg(m_folder / "a/200.JPG", 20, 16, JpegKind::Rgb, plainRgb(20, 16, 40, 40, 40));
    writeJpeg(m_folder / "a/300.jpeg", 20, 16, JpegKind::Rgb, plainRgb(20, 16, 80, 80, 80));
    writeFile(m_folder / "a/notes.txt", "not an image");
    writeFile(m_folder / "a/.hidden.png", "not an image");
    writeFile(m_folder / "readme.md", "not a class");
    fs::create_directories(m_folder / ".git");
    fs::create_directories(m_folder / "a/inner.png");
    const auto train = open(Split::Train, 4);
    const auto test = open(Split::Test, 4);
    ASSERT_TRUE(train.ok() && test.ok());
    EXPECT_THAT((*train)->classNames(), ElementsAre("a"));
    EXPECT_EQ(contentOf(**train).size() + contentOf(**test).size(), 3u);
}

TEST_F(ImageFolderTest, NamesTheCorruptImage) {
    addClass("train/a", 1, 10);
    addClass("test/a", 1, 10);
    const fs::path bad = m_folder / "train/a/bad.jpg";
    writeJpeg(bad, 64, 64, JpegKind::Rgb, plainRgb(64, 64, 40, 90, 40));
    fs::resize_file(bad, fs::file_size(bad) / 2);
    const auto train = open(Split::Train);
    ASSERT_TRUE(train.ok()) << train.error().message;
    std::vector<std::uint8_t> pixels((*train)->shape().bytes());
    EXPECT_TRUE((*train)->read(0, pixels).ok());
    const auto label = (*train)->read(1, pixels);
    ASSERT_FALSE(label.ok());
    EXPECT_THAT(label.error().message,
                AllOf(HasSubstr(bad.string()), HasSubstr("damaged JPEG"), HasSubstr("replace or remove")));
}

TEST_F(ImageFolderTest, NamesAnEmptyClass) {
    addClass("a", 2, 10);
    fs::create_directories(m_folder / "b");
    writeFile(m_folder / "b/notes.txt", "no image");
    EXPECT_THAT(openingError(), AllOf(HasSubstr((m_folder / "b").string()), HasSubstr("no .png"),
                                      HasSubstr("remove the folder")));
}

TEST_F(ImageFolderTest, AsksForClasses) {
    EXPECT_THAT(openingError(), AllOf(HasSubstr(m_folder.path().string()), HasSubstr("no class folders")));
    const auto absent = openDataset("folder:/no/such/folder", Split::Train);
    ASSERT_FALSE(absent.ok());
    EXPECT_THAT(absent.error().message, AllOf(HasSubstr("/no/such/folder"), HasSubstr("check the path")));
}

TEST_F(ImageFolderTest, AsksForBothHalves) {
    addClass("train/a", 1, 10);
    EXPECT_THAT(openingError(), HasSubstr("has a folder 'train' but no 'test'"));
}

TEST_F(ImageFolderTest, ComparesTheClassesOfTrainAndTest) {
    addClass("train/a", 1, 10);
    addClass("train/b", 1, 10);
    addClass("test/a", 1, 10);
    EXPECT_TRUE(open(Split::Train).ok());
    EXPECT_THAT(openingError(Split::Test),
                AllOf(HasSubstr("test: its classes (a)"), HasSubstr("train (a, b)")));
}

TEST_F(ImageFolderTest, AsksForTwoImagesToSplit) {
    addClass("a", 1, 10);
    EXPECT_TRUE(open(Split::Train).ok());
    EXPECT_THAT(openingError(Split::Test), HasSubstr("no image is left for the test set"));
}

}  // namespace
}  // namespace bitloom::data
