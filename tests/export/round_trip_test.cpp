// Both formats: what is written is read back to the bit, whole or not at all, at little more than the packed
// size.
#include <csignal>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <sys/resource.h>

#include "engine/export/quantized_hdf5.h"
#include "engine/export/quantized_safetensors.h"
#include "tests/export/sample_model.h"
#include "tests/support/test_paths.h"

namespace bitloom {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::TemporaryFolder;

struct Format {
    const char* name;
    Status (*write)(const fs::path&, const quant::QuantizedModel&);
    Result<quant::QuantizedModel> (*read)(const fs::path&);
};

std::ostream& operator<<(std::ostream& stream, const Format& format) {
    return stream << format.name;
}

std::string contentOf(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

void replaceContent(const fs::path& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
}

class Export : public ::testing::TestWithParam<Format> {
  protected:
    TemporaryFolder m_folder;
    fs::path m_path = m_folder / "net.quantized";
};

TEST_P(Export, ReadsBackToTheBit) {
    for (const int components : {2, 3, 4, 16, 200, 256}) {
        for (const bool filterWise : {false, true}) {
            SCOPED_TRACE(::testing::Message() << components << " components, filter-wise " << filterWise);
            const quant::QuantizedModel model = testing::smallModel(components, filterWise);
            const Status written = GetParam().write(m_path, model);
            ASSERT_TRUE(written) << written.error().message;
            const auto read = GetParam().read(m_path);
            ASSERT_TRUE(read) << read.error().message;
            testing::expectEqual(model, *read);
        }
    }
}

TEST_P(Export, KeepsWhatIsOutsideTheAverage) {
    quant::QuantizedModel model = testing::smallModel();
    model.outsideAverage = {"fc"};
    ASSERT_TRUE(GetParam().write(m_path, model));
    const auto read = GetParam().read(m_path);
    ASSERT_TRUE(read) << read.error().message;
    testing::expectEqual(model, *read);
    EXPECT_EQ(quant::measure(*read).bits, quant::measure(model).bits);
    // A file that does not say so is what an older program wrote.
    model.outsideAverage.clear();
    ASSERT_TRUE(GetParam().write(m_path, model));
    EXPECT_EQ(contentOf(m_path).find("outside_average"), std::string::npos);
    EXPECT_TRUE(GetParam().read(m_path)->outsideAverage.empty());
}

TEST_P(Export, KeepsUnusualRest) {
    quant::QuantizedModel model = testing::smallModel();
    model.layers.clear();
    model.rest["scalar"] = graph::Tensor::fromFloats({}, {std::numeric_limits<float>::quiet_NaN()});
    model.rest["empty"] = graph::Tensor::fromFloats({0, 3}, {});
    model.rest["bytes"] = {graph::DType::U8, {3}, {std::byte{1}, std::byte{2}, std::byte{255}}};
    model.rest["wide"] = {graph::DType::F64, {1}, std::vector<std::byte>(8, std::byte{0x3f})};
    ASSERT_TRUE(GetParam().write(m_path, model));
    const auto read = GetParam().read(m_path);
    ASSERT_TRUE(read) << read.error().message;
    testing::expectEqual(model, *read);
}

TEST_P(Export, EqualModelsGiveEqualBytesAndReplaceOldFiles) {
    replaceContent(m_path, "old");
    ASSERT_TRUE(GetParam().write(m_path, testing::smallModel()));
    const std::string first = contentOf(m_path);
    ASSERT_TRUE(GetParam().write(m_path, testing::smallModel()));
    EXPECT_EQ(contentOf(m_path), first);
    EXPECT_EQ(std::distance(fs::directory_iterator(m_folder.path()), fs::directory_iterator()), 1);
}

TEST_P(Export, TakesLittleMoreThanThePackedBytes) {
    for (const int components : {4, 16}) {
        const quant::QuantizedModel model = testing::resnet20Model(components);
        ASSERT_TRUE(GetParam().write(m_path, model));
        std::uint64_t content = 0;
        for (const auto& [node, layer] : model.layers)
            content += quant::packIndices(layer.indices, layer.indexBits()).size() +
                       layer.codebook.size() * sizeof(float);
        for (const auto& [name, tensor] : model.rest)
            content += tensor.bytes.size();
        const std::uint64_t size = fs::file_size(m_path);
        EXPECT_GE(size, content);
        // Names, shapes and the graph of 131 tensors; measured 28 KB (safetensors) to 58 KB (HDF5).
        EXPECT_LE(size, content + 60'000) << content;
    }
}

TEST_P(Export, HoldsGraphsOfLargeNetworks) {
    quant::QuantizedModel model;
    model.graph = graph::Graph("deep");
    auto last = model.graph.add("input", graph::Input{{3, 8, 8}});
    for (int i = 0; i < 1500; ++i)
        last = model.graph.add(fmt::format("activation{}", i), graph::Relu{}, {last});
    ASSERT_TRUE(GetParam().write(m_path, model));
    const auto read = GetParam().read(m_path);
    ASSERT_TRUE(read) << read.error().message;
    testing::expectEqual(model, *read);
}

TEST_P(Export, TruncatedFilesAreErrorsThatNameTheFile) {
    ASSERT_TRUE(GetParam().write(m_path, testing::smallModel()));
    const std::string whole = contentOf(m_path);
    for (std::size_t length = 0; length < whole.size(); length += 97) {
        replaceContent(m_path, whole.substr(0, length));
        const auto read = GetParam().read(m_path);
        ASSERT_FALSE(read) << length;
        EXPECT_THAT(read.error().message, HasSubstr(m_path.string()));
    }
}

TEST_P(Export, DamagedFilesNeverGiveABrokenModel) {
    ASSERT_TRUE(GetParam().write(m_path, testing::smallModel(3)));
    const std::string whole = contentOf(m_path);
    int refused = 0;
    for (std::size_t position = 0; position < whole.size(); position += 13) {
        std::string damaged = whole;
        damaged[position] = static_cast<char>(damaged[position] ^ 0x55);
        replaceContent(m_path, damaged);
        const auto read = GetParam().read(m_path);
        if (!read) {
            ++refused;
            continue;
        }
        for (const auto& [node, layer] : read->layers) {
            EXPECT_EQ(static_cast<std::int64_t>(layer.indices.size()), graph::elementCount(layer.shape));
            EXPECT_EQ(layer.dequantize().size(), layer.indices.size());
        }
    }
    EXPECT_GT(refused, 10);
}

TEST_P(Export, ForeignFilesAreSaidToBeForeign) {
    replaceContent(m_path, "");
    EXPECT_FALSE(GetParam().read(m_path));
    replaceContent(m_path, std::string(5000, 'x'));
    EXPECT_FALSE(GetParam().read(m_path));
    const auto missing = GetParam().read(m_folder / "absent");
    ASSERT_FALSE(missing);
    EXPECT_THAT(missing.error().message, HasSubstr("absent"));
}

TEST_P(Export, BrokenModelsAreNotWritten) {
    quant::QuantizedModel model = testing::smallModel(3);
    model.layers["fc"].indices[4] = 3;
    const Status index = GetParam().write(m_path, model);
    ASSERT_FALSE(index);
    EXPECT_THAT(index.error().message, HasSubstr("fc"));
    model = testing::smallModel(3);
    model.layers["nowhere"] = model.layers["fc"];
    const Status place = GetParam().write(m_path, model);
    ASSERT_FALSE(place);
    EXPECT_THAT(place.error().message, HasSubstr("nowhere"));
    EXPECT_FALSE(fs::exists(m_path));
}

TEST_P(Export, UnwritablePathsAreErrorsThatNameThem) {
    const fs::path nowhere = m_folder / "no-folder" / "net";
    const Status status = GetParam().write(nowhere, testing::smallModel());
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, HasSubstr(nowhere.string()));
}

/// Stands for a full disk: the system refuses to let the file grow.
TEST_P(Export, AWriteThatFailsHalfwayLeavesTheOldFile) {
    replaceContent(m_path, "old");
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{2000, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const Status status = GetParam().write(m_path, testing::smallModel());
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, HasSubstr(m_path.string()));
    EXPECT_EQ(contentOf(m_path), "old");
    EXPECT_EQ(std::distance(fs::directory_iterator(m_folder.path()), fs::directory_iterator()), 1);
}

INSTANTIATE_TEST_SUITE_P(Formats, Export,
                         ::testing::Values(Format{"Safetensors", &exporting::writeQuantizedSafetensors,
                                                  &exporting::readQuantizedSafetensors},
                                           Format{"Hdf5", &exporting::writeQuantizedHdf5,
                                                  &exporting::readQuantizedHdf5}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace bitloom
