// What an export's own check notices.
#include <fstream>

#include <gmock/gmock.h>

#include "engine/base/atomic_file.h"
#include "engine/base/hash.h"
#include "engine/qsimd/emit.h"
#include "engine/qsimd/lower.h"
#include "tests/qsimd/reference_network.h"
#include "tests/support/test_paths.h"

namespace bitloom::qsimd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class BundleCheckTest : public ::testing::Test {
  protected:
    void SetUp() override {
        const auto model = lower(testing::sourceOf(testing::zooGraph("resnet20"), 16), {});
        ASSERT_TRUE(model.ok()) << model.error().message;
        const auto image = testing::randomImage(testing::zooGraph("resnet20"), 3);
        auto bundle = writeBundle(*model, image, {"run.h5", "bitloom export", "1"}, m_bundle);
        ASSERT_TRUE(bundle.ok()) << bundle.error().message;
        m_written = std::move(*bundle);
    }
    /// Changes one bit in the middle of a file.
    void damage(const std::string& path) const {
        auto bytes = readFile(m_bundle / path);
        ASSERT_TRUE(bytes.ok());
        (*bytes)[bytes->size() / 2] ^= 1;
        std::ofstream(m_bundle / path, std::ios::binary) << *bytes;
    }
    /// As if the damaged file were what was meant to be written.
    void accept(const std::string& path) {
        const auto bytes = readFile(m_bundle / path);
        ASSERT_TRUE(bytes.ok());
        m_written.hashes.at(path) = hashBytes(std::as_bytes(std::span(*bytes)));
    }
    [[nodiscard]] std::string problem() const {
        const Status status = checkBundle(m_written, m_bundle);
        return status ? "" : status.error().message;
    }

    bitloom::testing::TemporaryFolder m_folder;
    std::filesystem::path m_bundle = m_folder / "bundle";
    Bundle m_written;
};

TEST_F(BundleCheckTest, AWholeBundlePasses) {
    EXPECT_EQ(problem(), "");
    EXPECT_EQ(m_written.hashes.size(), m_written.files.size());
}

TEST_F(BundleCheckTest, EachChangedFileIsNamed) {
    for (const char* path : {"engine/qsimd/kernels/avx2.cpp", "CMakeLists.txt", "model.bitloom",
                             "test_image.bin", "test_output.bin"}) {
        damage(path);
        EXPECT_THAT(problem(), AllOf(HasSubstr(path), HasSubstr("does not hold what was written")));
        damage(path);
        EXPECT_EQ(problem(), "") << path;
    }
    std::filesystem::remove(m_bundle / "engine/qsimd/kernels/flags.txt");
    EXPECT_THAT(problem(), HasSubstr("flags.txt"));
}

TEST_F(BundleCheckTest, AnOutputThatTheModelDoesNotComputeIsNoticed) {
    for (const char* path : {"test_output.bin", "test_image.bin"}) {
        damage(path);
        accept(path);
        EXPECT_THAT(problem(), AllOf(HasSubstr("test_output.bin"), HasSubstr("computes other values")))
            << path;
        damage(path);
        accept(path);
    }
    std::filesystem::resize_file(m_bundle / "test_output.bin", 12);
    accept("test_output.bin");
    EXPECT_THAT(problem(), AllOf(HasSubstr("test_output.bin"), HasSubstr("holds 12 bytes, not 10 float32")));
}

}  // namespace
}  // namespace bitloom::qsimd
