// Files written by PyTorch itself (tests/data/checkpoint/make_fixtures.py), in every container it has used.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/checkpoint/checkpoint.h"
#include "tests/checkpoint/builders.h"
#include "tests/support/test_paths.h"

namespace bitloom::checkpoint {
namespace {

using bitloom::testing::fixtureValue;
using bitloom::testing::fixtureValues;
using bitloom::testing::PickleBuilder;
using bitloom::testing::projectRoot;
using bitloom::testing::readError;
using bitloom::testing::TemporaryFolder;
using bitloom::testing::torchZip;
using bitloom::testing::writeFile;
using bitloom::testing::zipFile;
using graph::DType;
using graph::Shape;
using ::testing::HasSubstr;

std::filesystem::path fixture(const std::string& name) {
    return projectRoot() / "tests" / "data" / "checkpoint" / name;
}

/// Fixture values at the given flat indices.
std::vector<float> valuesAt(const std::vector<int>& indices) {
    std::vector<float> values;
    values.reserve(indices.size());
    for (const int i : indices)
        values.push_back(static_cast<float>(fixtureValue(i)));
    return values;
}

struct TorchFile {
    const char* name;
    Format format;
};

class TorchFiles : public ::testing::TestWithParam<TorchFile> {
  protected:
    void SetUp() override {
        auto read = readCheckpoint(fixture(GetParam().name));
        ASSERT_TRUE(read.ok()) << read.error().message;
        m_checkpoint = std::move(read).value();
    }
    void expectTensor(const std::string& name, DType dtype, const Shape& shape,
                      const std::vector<float>& values) {
        SCOPED_TRACE(name);
        const auto found = m_checkpoint.tensors.find("state_dict." + name);
        ASSERT_NE(found, m_checkpoint.tensors.end());
        EXPECT_EQ(found->second.dtype, dtype);
        EXPECT_EQ(found->second.shape, shape);
        EXPECT_EQ(found->second.toFloats(), values);
    }
    Checkpoint m_checkpoint;
};

TEST_P(TorchFiles, IsRecognisedByContent) {
    EXPECT_EQ(m_checkpoint.format, GetParam().format);
}

TEST_P(TorchFiles, KeepsEveryDtype) {
    expectTensor("float32", DType::F32, {2, 3, 4}, fixtureValues(24));
    expectTensor("float64", DType::F64, {5}, fixtureValues(5));
    expectTensor("float16", DType::F16, {3, 3}, fixtureValues(9));
    expectTensor("bfloat16", DType::BF16, {7}, fixtureValues(7));
    const std::vector<float> integers = {0, 37, 74};
    expectTensor("int64", DType::I64, {3}, integers);
    expectTensor("int32", DType::I32, {3}, integers);
    expectTensor("int16", DType::I16, {3}, integers);
    expectTensor("int8", DType::I8, {3}, integers);
    expectTensor("uint8", DType::U8, {3}, integers);
    expectTensor("bool", DType::Bool, {4}, {1, 0, 1, 1});
    expectTensor("scalar", DType::F32, {}, fixtureValues(1));
    expectTensor("empty", DType::F32, {0, 3}, {});
    expectTensor("parameter", DType::F32, {3}, fixtureValues(3));
}

TEST_P(TorchFiles, UnfoldsViewsOfSharedStorages) {
    expectTensor("base", DType::F32, {4, 6}, fixtureValues(24));
    expectTensor("same", DType::F32, {4, 6}, fixtureValues(24));
    expectTensor("rows", DType::F32, {2, 6}, valuesAt({6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}));
    expectTensor("columns", DType::F32, {4, 3}, valuesAt({1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23}));
    expectTensor("transposed", DType::F32, {6, 4}, valuesAt({0, 6, 12, 18, 1, 7,  13, 19, 2, 8,  14, 20,
                                                             3, 9, 15, 21, 4, 10, 16, 22, 5, 11, 17, 23}));
    expectTensor("expanded", DType::F32, {3, 2}, valuesAt({15, 15, 15, 15, 15, 15}));
}

TEST_P(TorchFiles, JoinsNestedNamesAndKeepsTopLevelScalars) {
    EXPECT_TRUE(m_checkpoint.tensors.contains("optimizer.state.0.momentum_buffer"));
    EXPECT_TRUE(m_checkpoint.tensors.contains("optimizer.state.1.momentum_buffer"));
    EXPECT_EQ(m_checkpoint.tensors.size(), 21u);
    const std::map<std::string, std::string> expected = {{"arch", "tiny"},    {"best", "91.5"},
                                                         {"done", "true"},    {"epoch", "7"},
                                                         {"nothing", "none"}, {"score", "0.25"}};
    EXPECT_EQ(m_checkpoint.metadata, expected);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, TorchFiles,
                         ::testing::Values(TorchFile{"torch_zip.pt", Format::PyTorchZip},
                                           TorchFile{"torch_zip_protocol4.pt", Format::PyTorchZip},
                                           TorchFile{"torch_deflated.pt", Format::PyTorchZip},
                                           TorchFile{"torch_legacy.th", Format::PyTorchLegacy}),
                         [](const auto& instance) {
                             const std::string name = instance.param.name;
                             return name.substr(0, name.find('.'));
                         });

TEST(PyTorch, WholeModulesAndScriptsAreRefusedWithTheRemedy) {
    EXPECT_THAT(readError(fixture("torch_module.pt")), AllOf(HasSubstr("torch.nn.modules.linear.Linear"),
                                                             HasSubstr("torch.save(model.state_dict()")));
    EXPECT_THAT(readError(fixture("torch_script.pt")), HasSubstr("TorchScript"));
}

TEST(PyTorch, ReadsZip64) {
    const TemporaryFolder folder;
    const auto path = folder / "big.pt";
    const std::string pickle =
        PickleBuilder().dict().text("w").tensor("0", 4, {2, 2}, {2, 1}).op("s").finish();
    writeFile(path, zipFile({{.name = "a/data.pkl", .bytes = pickle},
                             {.name = "a/data/0", .bytes = bitloom::testing::floatBytes(4)}},
                            {.zip64 = true}));
    const auto checkpoint = readCheckpoint(path);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    EXPECT_EQ(checkpoint->tensors.at("w").toFloats(), fixtureValues(4));
}

TEST(PyTorch, ReadsAZipWithACommentThatLooksLikeItsEnd) {
    const TemporaryFolder folder;
    const auto path = folder / "comment.pt";
    std::string zip = torchZip(PickleBuilder().dict().text("epoch").integer(3).op("s").finish(), {});
    const std::string comment = "PK\x05\x06 and more text than an end record has";
    zip.replace(zip.size() - 2, 2, bitloom::testing::raw(static_cast<std::uint16_t>(comment.size())));
    writeFile(path, zip + comment);
    const auto checkpoint = readCheckpoint(path);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    EXPECT_EQ(checkpoint->metadata.at("epoch"), "3");
}

TEST(PyTorch, NamesATensorThatIsNotInAContainer) {
    const TemporaryFolder folder;
    const auto path = folder / "tensor.pt";
    writeFile(path, torchZip(PickleBuilder().tensor("0", 2, {2}, {1}).finish(),
                             {{"0", 2, bitloom::testing::floatBytes(2)}}));
    const auto checkpoint = readCheckpoint(path);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    EXPECT_EQ(checkpoint->tensors.at("tensor").toFloats(), fixtureValues(2));
}

TEST(PyTorch, LegacyStorageViewsStartInsideTheirStorage) {
    PickleBuilder pickle;
    pickle.dict().text("w").global("torch._utils", "_rebuild_tensor").mark();
    pickle.mark().text("storage").global("torch", "FloatStorage").text("k").text("cpu").integer(6);
    pickle.integers({0, 2, 3});  // as a view: its key, first element, elements
    pickle.tuple().op("Q").integer(1).integers({2}).integers({1}).tuple().reduce().op("s");
    const TemporaryFolder folder;
    const auto path = folder / "view.th";
    writeFile(path,
              bitloom::testing::legacyFile(pickle.finish(), {{"k", 6, bitloom::testing::floatBytes(6)}}));
    const auto checkpoint = readCheckpoint(path);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    EXPECT_EQ(checkpoint->tensors.at("w").toFloats(), valuesAt({3, 4}));
}

TEST(PyTorch, AnyTrueByteOfABoolIsOne) {
    const TemporaryFolder folder;
    const auto path = folder / "bool.pt";
    writeFile(path, torchZip(PickleBuilder().tensor("0", 3, {3}, {1}, 0, "BoolStorage").finish(),
                             {{"0", 3, {'\0', '\7', '\1'}}}));
    const auto checkpoint = readCheckpoint(path);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    const std::vector<std::byte> expected = {std::byte{0}, std::byte{1}, std::byte{1}};
    EXPECT_EQ(checkpoint->tensors.at("tensor").bytes, expected);
}

}  // namespace
}  // namespace bitloom::checkpoint
