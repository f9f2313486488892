#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "engine/data/dataset.h"
#include "tests/data/image_files.h"
#include "tests/support/test_paths.h"

namespace bitloom::data {
namespace {

namespace fs = std::filesystem;
using ::bitloom::testing::TemporaryFolder;
using ::bitloom::testing::writeFile;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::size_t kPixels = 3072;

/// One record: pixel i has the value (i + label) mod 256.
std::string record(int label) {
    std::string bytes(1, static_cast<char>(label));
    for (std::size_t i = 0; i < kPixels; ++i)
        bytes += static_cast<char>(i + static_cast<std::size_t>(label));
    return bytes;
}

/// A folder with two records a training file and three test records.
class Cifar10Test : public ::testing::Test {
  protected:
    Cifar10Test() {
        for (int batch = 1; batch <= 5; ++batch)
            writeFile(trainFile(batch), record(batch) + record(9 - batch));
        writeFile(testFile(), record(0) + record(9) + record(3));
    }

    [[nodiscard]] fs::path trainFile(int batch) const {
        return m_folder / ("data_batch_" + std::to_string(batch) + ".bin");
    }
    [[nodiscard]] fs::path testFile() const { return m_folder / "test_batch.bin"; }
    [[nodiscard]] auto open(Split split) const {
        return openDataset("cifar10:" + m_folder.path().string(), split);
    }
    [[nodiscard]] std::string openingError(Split split) const {
        const auto dataset = open(split);
        EXPECT_FALSE(dataset.ok());
        return dataset.ok() ? "" : dataset.error().message;
    }

    TemporaryFolder m_folder;
};

TEST_F(Cifar10Test, ReadsLabelsAndPixelsInFileOrder) {
    const auto train = open(Split::Train);
    ASSERT_TRUE(train.ok()) << train.error().message;
    EXPECT_EQ((*train)->size(), 10);
    EXPECT_EQ((*train)->shape().bytes(), kPixels);
    std::vector<std::uint8_t> pixels(kPixels);
    std::vector<int> labels;
    for (std::int64_t i = 0; i < 10; ++i) {
        const auto label = (*train)->read(i, pixels);
        ASSERT_TRUE(label.ok());
        labels.push_back(*label);
        EXPECT_EQ(pixels[0], *label);
        EXPECT_EQ(pixels[100], 100 + *label);
        EXPECT_EQ(pixels[kPixels - 1], (kPixels - 1 + static_cast<std::size_t>(*label)) % 256);
    }
    EXPECT_THAT(labels, ElementsAre(1, 8, 2, 7, 3, 6, 4, 5, 5, 4));
    const auto test = open(Split::Test);
    ASSERT_TRUE(test.ok());
    EXPECT_EQ((*test)->size(), 3);
}

TEST_F(Cifar10Test, TestSetNeedsNoTrainingFiles) {
    for (int batch = 1; batch <= 5; ++batch)
        fs::remove(trainFile(batch));
    EXPECT_TRUE(open(Split::Test).ok());
}

TEST_F(Cifar10Test, TakesClassNamesFromTheMetaFile) {
    EXPECT_EQ((*open(Split::Test))->classNames().at(9), "truck");
    writeFile(m_folder / "batches.meta.txt", "a\nb\r\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
    EXPECT_THAT((*open(Split::Test))->classNames(),
                ElementsAre("a", "b", "c", "d", "e", "f", "g", "h", "i", "j"));
}

TEST_F(Cifar10Test, RefusesAMetaFileWithoutTenNames) {
    writeFile(m_folder / "batches.meta.txt", "a\nb\n");
    EXPECT_THAT(openingError(Split::Test),
                AllOf(HasSubstr("batches.meta.txt: 2 class names instead of 10"), HasSubstr("remove it")));
}

TEST_F(Cifar10Test, RefusesOddLengths) {
    writeFile(trainFile(4), record(1) + record(2).substr(0, 3000));
    EXPECT_THAT(openingError(Split::Train), AllOf(HasSubstr(trainFile(4).string()), HasSubstr("6073 bytes"),
                                                  HasSubstr("3073-byte"), HasSubstr("fetch it again")));
    writeFile(testFile(), "");
    EXPECT_THAT(openingError(Split::Test), AllOf(HasSubstr(testFile().string()), HasSubstr("0 bytes")));
}

TEST_F(Cifar10Test, RefusesFilesFarTooLarge) {
    fs::resize_file(testFile(), std::uintmax_t{3073} << 30);  // sparse
    EXPECT_THAT(openingError(Split::Test), HasSubstr(testFile().string()));
}

TEST_F(Cifar10Test, RefusesLabelsOutOfRange) {
    writeFile(trainFile(2), record(1) + record(200));
    EXPECT_THAT(openingError(Split::Train), AllOf(HasSubstr(trainFile(2).string()),
                                                  HasSubstr("record 1 has label 200"), HasSubstr("0 to 9")));
    writeFile(trainFile(2), record(10) + record(1));
    EXPECT_THAT(openingError(Split::Train), HasSubstr("record 0 has label 10"));
}

TEST_F(Cifar10Test, NamesTheMissingFile) {
    fs::remove(trainFile(3));
    EXPECT_THAT(openingError(Split::Train),
                AllOf(HasSubstr(trainFile(3).string()), HasSubstr("binary version")));
    const auto absent = openDataset("cifar10:/no/such/folder", Split::Test);
    ASSERT_FALSE(absent.ok());
    EXPECT_THAT(absent.error().message, HasSubstr("/no/such/folder/test_batch.bin"));
}

TEST(Cifar10, OpensTheRealFiles) {
    BITLOOM_SHARED_OR_SKIP(folder, "data/cifar-10-batches-bin");
    const auto test = openDataset("cifar10:" + folder.string(), Split::Test);
    ASSERT_TRUE(test.ok()) << test.error().message;
    EXPECT_EQ((*test)->size(), 10'000);
    EXPECT_EQ((*test)->classNames().at(6), "frog");
    // The test set holds a thousand images of each class.
    std::vector<int> counts(10);
    std::vector<std::uint8_t> pixels(kPixels);
    for (std::int64_t i = 0; i < (*test)->size(); ++i)
        ++counts.at(static_cast<std::size_t>(*(*test)->read(i, pixels)));
    EXPECT_THAT(counts, ::testing::Each(1000));
    const auto train = openDataset("cifar10:" + folder.string(), Split::Train);
    ASSERT_TRUE(train.ok()) << train.error().message;
    EXPECT_EQ((*train)->size(), 50'000);
}

}  // namespace
}  // namespace bitloom::data
