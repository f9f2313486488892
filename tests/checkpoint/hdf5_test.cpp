// HDF5 weights: a file by h5py, and hostile ones made with the C library.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <sys/file.h>
#include <unistd.h>

#include "engine/checkpoint/checkpoint.h"
#include "tests/checkpoint/builders.h"
#include "tests/support/test_paths.h"

namespace bitloom::checkpoint {
namespace {

using bitloom::testing::expectErrorFromEveryPrefix;
using bitloom::testing::fixtureValues;
using bitloom::testing::projectRoot;
using bitloom::testing::readError;
using bitloom::testing::readFile;
using bitloom::testing::TemporaryFolder;
using bitloom::testing::writeFile;
using graph::DType;
using graph::Shape;
using ::testing::HasSubstr;

std::filesystem::path h5pyFile() {
    return projectRoot() / "tests/data/checkpoint/h5py.h5";
}

TEST(Hdf5, ReadsAFileByH5py) {
    const auto checkpoint = readCheckpoint(h5pyFile());
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    EXPECT_EQ(checkpoint->format, Format::Hdf5);
    const auto expectTensor = [&](const std::string& key, DType dtype, const Shape& shape,
                                  const std::vector<float>& values) {
        SCOPED_TRACE(key);
        ASSERT_TRUE(checkpoint->tensors.contains(key));
        const graph::Tensor& tensor = checkpoint->tensors.at(key);
        EXPECT_EQ(tensor.dtype, dtype);
        EXPECT_EQ(tensor.shape, shape);
        EXPECT_EQ(tensor.toFloats(), values);
    };
    expectTensor("layer1.conv.weight", DType::F32, {2, 3, 3, 3}, fixtureValues(54));
    expectTensor("layer1.conv.packed", DType::F32, {4, 8}, fixtureValues(32));
    expectTensor("layer1.conv.half", DType::F16, {5}, fixtureValues(5));
    expectTensor("layer1.conv.double", DType::F64, {5}, fixtureValues(5));
    expectTensor("layer1.conv.big_endian", DType::F32, {5}, fixtureValues(5));
    expectTensor("layer1.conv.int32", DType::I32, {3}, {0, 37, 74});
    expectTensor("layer1.conv.uint8", DType::U8, {3}, {0, 37, 74});
    expectTensor("layer1.conv.bool", DType::Bool, {2}, {1, 0});
    expectTensor("scalar", DType::F32, {}, {0.5f});
    expectTensor("empty", DType::F32, {0, 3}, {});
    EXPECT_EQ(checkpoint->tensors.size(), 10u) << "the text is no weight";
    const std::map<std::string, std::string> metadata = {
        {"framework", "h5py"}, {"epoch", "7"}, {"best", "91.5"}};
    EXPECT_EQ(checkpoint->metadata, metadata);
}

TEST(Hdf5, EveryPrefixIsAnErrorAndHdf5StaysSilent) {
    ::testing::internal::CaptureStderr();
    expectErrorFromEveryPrefix(readFile(h5pyFile()), 31);
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(Hdf5, TheCallersErrorPrintingIsRestored) {
    H5E_auto2_t before = nullptr;
    H5E_auto2_t after = nullptr;
    void* data = nullptr;
    H5Eget_auto2(H5E_DEFAULT, &before, &data);
    ASSERT_NE(before, nullptr);
    ASSERT_TRUE(readCheckpoint(h5pyFile()).ok());
    H5Eget_auto2(H5E_DEFAULT, &after, &data);
    EXPECT_EQ(before, after);
}

/// A new file that tests add hostile content to.
class NewFile {
  public:
    explicit NewFile(const std::filesystem::path& path)
        : m_file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {}
    ~NewFile() { H5Fclose(m_file); }
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    [[nodiscard]] hid_t get() const { return m_file; }

    void addDataset(const char* name, hid_t type, std::vector<hsize_t> sizes, hid_t creation) const {
        const hid_t space = H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr);
        const hid_t dataset = H5Dcreate2(m_file, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
        EXPECT_GE(dataset, 0);
        H5Dclose(dataset);
        H5Sclose(space);
    }

  private:
    hid_t m_file;
};

TEST(Hdf5, HugeDatasetsThatHoldNothingAreRefused) {
    const TemporaryFolder folder;
    {
        const NewFile file(folder / "huge.h5");
        const hid_t chunked = H5Pcreate(H5P_DATASET_CREATE);
        const hsize_t chunk[] = {16, 16};
        H5Pset_chunk(chunked, 2, chunk);
        file.addDataset("claim", H5T_IEEE_F32LE, {100'000, 1'000'000}, chunked);
        H5Pclose(chunked);
    }
    EXPECT_THAT(readError(folder / "huge.h5"), HasSubstr("dataset claim would need 400000000000 bytes"));
}

TEST(Hdf5, HugeChunksOfSmallDatasetsAreRefused) {
    const TemporaryFolder folder;
    {
        const NewFile file(folder / "chunk.h5");
        const hid_t chunked = H5Pcreate(H5P_DATASET_CREATE);
        const hsize_t chunk = 250'000'000, size = 1, limit = H5S_UNLIMITED;
        H5Pset_chunk(chunked, 1, &chunk);
        const hid_t space = H5Screate_simple(1, &size, &limit);
        const hid_t dataset =
            H5Dcreate2(file.get(), "small", H5T_IEEE_F32LE, space, H5P_DEFAULT, chunked, H5P_DEFAULT);
        EXPECT_GE(dataset, 0);
        H5Dclose(dataset);
        H5Sclose(space);
        H5Pclose(chunked);
    }
    EXPECT_THAT(readError(folder / "chunk.h5"),
                HasSubstr("a chunk of dataset small would need 1000000000 bytes"));
}

TEST(Hdf5, LocksOfOtherProgramsDoNotMatterAndPluginsAreNotLoaded) {
    const TemporaryFolder folder;
    std::filesystem::copy_file(h5pyFile(), folder / "locked.h5");
    const int descriptor = ::open((folder / "locked.h5").c_str(), O_RDONLY | O_CLOEXEC);
    ASSERT_GE(descriptor, 0);
    ASSERT_EQ(::flock(descriptor, LOCK_EX | LOCK_NB), 0);
    const auto checkpoint = readCheckpoint(folder / "locked.h5");
    ::close(descriptor);
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    unsigned plugins = H5PL_ALL_PLUGIN;
    ASSERT_GE(H5PLget_loading_state(&plugins), 0);
    EXPECT_EQ(plugins, 0u);
}

TEST(Hdf5, OtherFilesAreNotReadThroughTheWeightFile) {
    const TemporaryFolder folder;
    writeFile(folder / "secret", "12345678");
    {
        const NewFile file(folder / "external.h5");
        const hid_t external = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_external(external, (folder / "secret").c_str(), 0, 8);
        file.addDataset("stolen", H5T_STD_U8LE, {8}, external);
        H5Pclose(external);
    }
    EXPECT_THAT(readError(folder / "external.h5"),
                HasSubstr("dataset stolen keeps its data in another file"));
    {
        const NewFile file(folder / "virtual.h5");
        const hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
        const hsize_t sizes[] = {8};
        const hid_t space = H5Screate_simple(1, sizes, nullptr);
        H5Pset_virtual(layout, space, (folder / "external.h5").c_str(), "stolen", space);
        file.addDataset("stolen", H5T_STD_U8LE, {8}, layout);
        H5Sclose(space);
        H5Pclose(layout);
    }
    EXPECT_THAT(readError(folder / "virtual.h5"), HasSubstr("keeps its data in another file"));
    {
        const NewFile file(folder / "linked.h5");
        H5Lcreate_external(h5pyFile().c_str(), "/scalar", file.get(), "link", H5P_DEFAULT, H5P_DEFAULT);
    }
    const auto linked = readCheckpoint(folder / "linked.h5");
    ASSERT_TRUE(linked.ok()) << linked.error().message;
    EXPECT_TRUE(linked->tensors.empty());
}

TEST(Hdf5, CyclesOfGroupsEnd) {
    const TemporaryFolder folder;
    {
        const NewFile file(folder / "cycle.h5");
        const hid_t group = H5Gcreate2(file.get(), "a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        H5Lcreate_hard(file.get(), "/", group, "root", H5P_DEFAULT, H5P_DEFAULT);
        H5Lcreate_soft("/a", group, "again", H5P_DEFAULT, H5P_DEFAULT);
        H5Gclose(group);
        file.addDataset("a/w", H5T_IEEE_F32LE, {2}, H5P_DEFAULT);
    }
    const auto checkpoint = readCheckpoint(folder / "cycle.h5");
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    EXPECT_EQ(checkpoint->tensors.size(), 1u);
    EXPECT_TRUE(checkpoint->tensors.contains("a.w"));
}

TEST(Hdf5, NamesThatCollideAfterJoiningAreErrors) {
    const TemporaryFolder folder;
    {
        const NewFile file(folder / "twice.h5");
        H5Gclose(H5Gcreate2(file.get(), "a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
        file.addDataset("a/w", H5T_IEEE_F32LE, {2}, H5P_DEFAULT);
        file.addDataset("a.w", H5T_IEEE_F32LE, {2}, H5P_DEFAULT);
    }
    EXPECT_THAT(readError(folder / "twice.h5"), HasSubstr("two datasets have the key a.w"));
}

TEST(Hdf5, WidensIntegersThatHaveNoTypeOfTheirOwn) {
    const TemporaryFolder folder;
    {
        const NewFile file(folder / "types.h5");
        file.addDataset("u16", H5T_STD_U16BE, {1}, H5P_DEFAULT);
        file.addDataset("u32", H5T_STD_U32LE, {1}, H5P_DEFAULT);
        file.addDataset("i16", H5T_STD_I16BE, {1}, H5P_DEFAULT);
        file.addDataset("i8", H5T_STD_I8LE, {1}, H5P_DEFAULT);
        file.addDataset("i64", H5T_STD_I64LE, {1}, H5P_DEFAULT);
        const hid_t dataset = H5Dopen2(file.get(), "u32", H5P_DEFAULT);
        const std::uint32_t value = 4'000'000'000u;
        H5Dwrite(dataset, H5T_NATIVE_UINT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value);
        H5Dclose(dataset);
    }
    const auto checkpoint = readCheckpoint(folder / "types.h5");
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    EXPECT_EQ(checkpoint->tensors.at("u16").dtype, DType::I32);
    EXPECT_EQ(checkpoint->tensors.at("i16").dtype, DType::I16);
    EXPECT_EQ(checkpoint->tensors.at("i8").dtype, DType::I8);
    EXPECT_EQ(checkpoint->tensors.at("i64").dtype, DType::I64);
    EXPECT_EQ(checkpoint->tensors.at("u32").dtype, DType::I64);
    EXPECT_EQ(checkpoint->tensors.at("u32").toFloats(), std::vector<float>{4e9f});
}

}  // namespace
}  // namespace bitloom::checkpoint
