// Files that are well formed but lie: other metadata, other versions, links out of the file, sizes beyond it.
#include <functional>

#include <gmock/gmock.h>
#include <hdf5.h>

#include "engine/checkpoint/checkpoint.h"
#include "engine/export/quantized_hdf5.h"
#include "engine/export/quantized_safetensors.h"
#include "tests/export/sample_model.h"
#include "tests/support/test_paths.h"

namespace bitloom::exporting {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class HostileSafetensors : public ::testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(writeQuantizedSafetensors(m_path, testing::smallModel(3)));
        auto read = checkpoint::readCheckpoint(m_path);
        ASSERT_TRUE(read) << read.error().message;
        m_file = std::move(read).value();
    }
    void expectError(const std::string& text) {
        ASSERT_TRUE(checkpoint::writeSafetensors(m_path, m_file.tensors, m_file.metadata));
        const auto read = readQuantizedSafetensors(m_path);
        ASSERT_FALSE(read);
        EXPECT_THAT(read.error().message, AllOf(HasSubstr(m_path.string()), HasSubstr(text)));
    }
    testing::TemporaryFolder m_folder;
    fs::path m_path = m_folder / "net.safetensors";
    checkpoint::Checkpoint m_file;
};

TEST_F(HostileSafetensors, PlainCheckpoint) {
    m_file.metadata.clear();
    expectError("lacks \"format\"");
}

TEST_F(HostileSafetensors, OtherFormatAndVersion) {
    m_file.metadata["format"] = "pt";
    expectError("format is \"pt\"");
    m_file.metadata["format"] = "bitloom-quantized";
    m_file.metadata["version"] = "99";
    expectError("version 99");
}

TEST_F(HostileSafetensors, DamagedMetadata) {
    const auto good = m_file.metadata;
    m_file.metadata["graph"] = "{}";
    expectError("export it again");
    m_file.metadata = good;
    m_file.metadata["layers"] = "[1]";
    expectError("\"layers\" metadata");
    for (const char* entry :
         {R"({"fc": 3})", R"({"fc": {"bits": 2}})", R"({"fc": {"bits": "2", "shape": [10, 5]}})",
          R"({"fc": {"bits": 2, "shape": [10, "x"]}})"}) {
        m_file.metadata["layers"] = entry;
        expectError("layer fc: its metadata");
    }
    m_file.metadata["layers"] = R"({"fc": {"bits": 2, "shape": [18446744073709551615, 5]}})";
    expectError("layer fc");
}

TEST_F(HostileSafetensors, MissingAndSwappedTensors) {
    const auto good = m_file.tensors;
    m_file.tensors.erase("fc.weight.codebook");
    expectError("fc.weight.codebook is missing");
    m_file.tensors = good;
    std::swap(m_file.tensors["fc.weight.codebook"], m_file.tensors["fc.weight.indices"]);
    expectError("layer fc: indices are float32");
    m_file.tensors = good;
    m_file.tensors["fc.weight.indices"].bytes[0] = std::byte{0xff};
    expectError("index 3 at weight 0");
}

TEST(HostileFile, FormatsAreNotConfused) {
    const testing::TemporaryFolder folder;
    ASSERT_TRUE(writeQuantizedHdf5(folder / "a.h5", testing::smallModel()));
    const auto read = readQuantizedSafetensors(folder / "a.h5");
    ASSERT_FALSE(read);
    EXPECT_THAT(read.error().message, HasSubstr("HDF5"));
}

/// Changes a valid file through HDF5 itself.
class HostileHdf5 : public ::testing::Test {
  protected:
    void expectError(const std::function<void(hid_t)>& change, const std::string& text) {
        const Status written = writeQuantizedHdf5(m_path, testing::smallModel(3));
        ASSERT_TRUE(written) << written.error().message;
        const hid_t file = H5Fopen(m_path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
        ASSERT_GE(file, 0);
        change(file);
        ASSERT_GE(H5Fclose(file), 0);
        const auto read = readQuantizedHdf5(m_path);
        ASSERT_FALSE(read);
        EXPECT_THAT(read.error().message, AllOf(HasSubstr(m_path.string()), HasSubstr(text)));
    }
    testing::TemporaryFolder m_folder;
    fs::path m_path = m_folder / "net.h5";
};

void addDataset(hid_t file, const char* name, hid_t type, hsize_t size, const char* externalFile) {
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    if (externalFile) H5Pset_external(creation, externalFile, 0, H5F_UNLIMITED);
    const hid_t space = H5Screate_simple(1, &size, nullptr);
    const hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    ASSERT_GE(dataset, 0);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(creation);
}

TEST_F(HostileHdf5, ClaimsMoreThanTheFile) {
    expectError([](hid_t file) { addDataset(file, "rest/huge", H5T_IEEE_F32LE, hsize_t{1} << 33, nullptr); },
                "claims more than");
    expectError([](hid_t file) { addDataset(file, "rest/huge", H5T_IEEE_F64LE, hsize_t{1} << 60, nullptr); },
                "claims");
}

TEST_F(HostileHdf5, ReachesOutOfTheFile) {
    expectError([](hid_t file) { addDataset(file, "rest/outside", H5T_STD_U8LE, 16, "/etc/hostname"); },
                "another file");
    expectError(
        [](hid_t file) { H5Lcreate_external("other.h5", "/x", file, "rest/link", H5P_DEFAULT, H5P_DEFAULT); },
        "link is missing");
    expectError(
        [](hid_t file) { H5Lcreate_soft("/rest/conv1.weight", file, "rest/soft", H5P_DEFAULT, H5P_DEFAULT); },
        "soft is missing");
}

TEST_F(HostileHdf5, ChunkedDatasetsAreNotRead) {
    expectError(
        [](hid_t file) {
            const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
            const hsize_t chunk = 1'000'000'000, size = 1, limit = H5S_UNLIMITED;
            H5Pset_chunk(creation, 1, &chunk);
            const hid_t space = H5Screate_simple(1, &size, &limit);
            const hid_t dataset =
                H5Dcreate2(file, "rest/chunked", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
            EXPECT_GE(dataset, 0);
            H5Dclose(dataset);
            H5Sclose(space);
            H5Pclose(creation);
        },
        "dataset chunked is in chunks");
}

TEST_F(HostileHdf5, MissingParts) {
    for (const char* part : {"layers", "rest", "layers/fc/indices", "layers/fc/codebook"}) {
        expectError([&](hid_t file) { H5Ldelete(file, part, H5P_DEFAULT); }, "is missing");
    }
    for (const char* attribute : {"format", "version", "graph"}) {
        expectError([&](hid_t file) { H5Adelete(file, attribute); }, std::string(attribute) + " is missing");
    }
    for (const char* attribute : {"shape", "bits"}) {
        expectError([&](hid_t file) { H5Adelete_by_name(file, "layers/fc", attribute, H5P_DEFAULT); },
                    std::string(attribute) + " is missing");
    }
}

TEST_F(HostileHdf5, OtherTypes) {
    expectError([](hid_t file) { addDataset(file, "rest/text", H5T_C_S1, 4, nullptr); },
                "type that is not read");
    expectError(
        [](hid_t file) {
            H5Adelete(file, "graph");
            const hid_t space = H5Screate(H5S_SCALAR);
            H5Aclose(H5Acreate2(file, "graph", H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT));
            H5Sclose(space);
        },
        "not one text");
    expectError(
        [](hid_t file) {
            const hid_t group = H5Gopen2(file, "layers/fc", H5P_DEFAULT);
            H5Adelete(group, "bits");
            const hid_t space = H5Screate(H5S_SCALAR);
            H5Aclose(H5Acreate2(group, "bits", H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT));
            H5Sclose(space);
            H5Gclose(group);
        },
        "not a short list");
}

TEST(HostileFile, UnsupportedTypesAreNotWrittenToHdf5) {
    const testing::TemporaryFolder folder;
    quant::QuantizedModel model = testing::smallModel();
    model.rest["half"] = {graph::DType::F16, {1}, std::vector<std::byte>(2)};
    const Status status = writeQuantizedHdf5(folder / "a.h5", model);
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, HasSubstr("half is float16"));
}

}  // namespace
}  // namespace bitloom::exporting
