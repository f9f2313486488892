// Files that are no runs, or no longer: an error that names the file, never a crash.
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/atomic_file.h"
#include "engine/base/random.h"
#include "engine/record/h5.h"
#include "engine/record/run_reader.h"
#include "engine/record/run_writer.h"
#include "tests/record/run_samples.h"
#include "tests/support/test_paths.h"

namespace bitloom::record {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

const std::vector<LayerLayout>& smallLayouts() {
    static const std::vector<LayerLayout> layouts = {{"conv1", 1, 0, 16}, {"fc", 1, 4, 16}};
    return layouts;
}

class BadFile : public ::testing::Test {
  protected:
    std::string messageOfOpening() {
        const auto reader = RunReader::open(m_path);
        return reader ? std::string() : reader.error().message;
    }
    void writeRun(bool finish) {
        auto writer = RunWriter::create(m_path, testing::sampleInfo(), smallLayouts());
        ASSERT_TRUE(writer.ok()) << writer.error().message;
        for (std::int64_t step = 0; step < 20; ++step) {
            ASSERT_TRUE(testing::appendStep(**writer, smallLayouts(), step).ok());
        }
        if (finish) {
            ASSERT_TRUE((*writer)->finish(testing::sampleSummary()).ok());
            return;
        }
        // What a killed writer leaves: the bytes now, without the close.
        fs::copy_file(m_path, m_folder / "copy.h5");
        writer->reset();
        fs::rename(m_folder / "copy.h5", m_path);
    }
    void write(const std::string& bytes) { ASSERT_TRUE(writeFileAtomically(m_path, bytes).ok()); }

    /// Reads everything there is; what it returns does not matter, that it returns does.
    void readAll() {
        const auto reader = RunReader::open(m_path);
        if (!reader) {
            EXPECT_THAT(reader.error().message, HasSubstr(m_path.string()));
            return;
        }
        static_cast<void>((*reader)->metrics());
        static_cast<void>((*reader)->events());
        static_cast<void>((*reader)->summary());
        for (const std::string& layer : (*reader)->layers()) {
            static_cast<void>((*reader)->layer(layer, 0));
            static_cast<void>((*reader)->layer(layer, 19));
        }
        static_cast<void>((*reader)->refresh());
    }

    testing::TemporaryFolder m_folder;
    fs::path m_path = m_folder / "run.h5";
};

TEST_F(BadFile, Missing) {
    EXPECT_THAT(messageOfOpening(), HasSubstr(m_path.string() + ": there is no such file"));
}

TEST_F(BadFile, Folder) {
    fs::create_directory(m_path);
    EXPECT_THAT(messageOfOpening(), AllOf(HasSubstr(m_path.string()), HasSubstr("not a file")));
}

TEST_F(BadFile, Empty) {
    write("");
    EXPECT_THAT(messageOfOpening(), AllOf(HasSubstr(m_path.string()), HasSubstr("is empty")));
}

TEST_F(BadFile, Garbage) {
    Random random({4});
    for (const std::size_t size : {1u, 7u, 8u, 11u, 12u, 5000u}) {
        std::string bytes(size, '\0');
        for (char& byte : bytes)
            byte = static_cast<char>(random.below(256));
        write(bytes);
        EXPECT_THAT(messageOfOpening(), AllOf(HasSubstr(m_path.string()), HasSubstr("not an HDF5 file")))
            << size;
    }
}

TEST_F(BadFile, SignatureAndNothingElse) {
    write("\x89HDF\r\n\x1a\n");
    EXPECT_THAT(messageOfOpening(), HasSubstr(m_path.string()));
    write(std::string("\x89HDF\r\n\x1a\n") + std::string(2000, '\xff'));
    EXPECT_THAT(messageOfOpening(), HasSubstr(m_path.string()));
}

TEST_F(BadFile, AnotherProgramsHdf5File) {
    h5::DiskFailure disk;
    { const h5::Handle file = h5::createFile(m_path, disk); }
    EXPECT_THAT(messageOfOpening(), AllOf(HasSubstr(m_path.string()), HasSubstr("not a Bitloom run")));
}

TEST_F(BadFile, TruncatedFinishedRunIsAnErrorAtAnyLength) {
    writeRun(true);
    const std::string whole = *readFile(m_path);
    for (int part = 1; part < 40; ++part) {
        write(whole.substr(0, whole.size() * static_cast<std::size_t>(part) / 40));
        EXPECT_THAT(messageOfOpening(), AllOf(HasSubstr(m_path.string()), HasSubstr("truncated"))) << part;
    }
}

TEST_F(BadFile, TruncatedKilledRunIsNoCrash) {
    writeRun(false);
    const std::string whole = *readFile(m_path);
    EXPECT_EQ(messageOfOpening(), "");
    for (int part = 1; part < 40; ++part) {
        SCOPED_TRACE(part);
        write(whole.substr(0, whole.size() * static_cast<std::size_t>(part) / 40));
        readAll();
    }
}

TEST_F(BadFile, FlippedBytesAreNoCrash) {
    writeRun(true);
    const std::string whole = *readFile(m_path);
    for (std::uint64_t seed = 0; seed < 150; ++seed) {
        SCOPED_TRACE(seed);
        Random random({seed, 7});
        std::string bytes = whole;
        for (int flip = 0; flip < 20; ++flip) {
            // Half of the flips near the start, where the structure is.
            const std::size_t range = flip % 2 ? bytes.size() : std::min<std::size_t>(bytes.size(), 8000);
            bytes[12 + random.below(range - 12)] ^= static_cast<char>(1u << random.below(8));
        }
        write(bytes);
        readAll();
    }
}

TEST_F(BadFile, RowsThatTheFileCannotHoldAreNotRead) {
    writeRun(true);
    constexpr const char* kSteps = "layers/conv1/step";
    {
        const h5::Handle file(H5Fopen(m_path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
        ASSERT_GE(H5Ldelete(file.get(), kSteps, H5P_DEFAULT), 0);
        const h5::Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
        const hsize_t chunk = 256, claimed = 1u << 24, limit = H5S_UNLIMITED;
        H5Pset_chunk(creation.get(), 1, &chunk);
        const h5::Handle space(H5Screate_simple(1, &claimed, &limit), H5Sclose);
        const h5::Handle steps(H5Dcreate2(file.get(), kSteps, H5T_STD_I64LE, space.get(), H5P_DEFAULT,
                                          creation.get(), H5P_DEFAULT),
                               H5Dclose);
        ASSERT_TRUE(steps.valid());
    }
    const auto reader = RunReader::open(m_path);
    ASSERT_TRUE(reader.ok()) << reader.error().message;
    EXPECT_LE((*reader)->steps("conv1")->size(), fs::file_size(m_path) / 8);
    EXPECT_FALSE((*reader)->layer("conv1", 0).ok()) << "the other columns have 20 rows";
}

TEST_F(BadFile, WhatTheFileSystemRefusesIsNamedWithTheRemedy) {
    write("a file, not a folder");
    const auto inFile = RunWriter::create(m_path / "run.h5", testing::sampleInfo(), smallLayouts());
    ASSERT_FALSE(inFile.ok());
    EXPECT_THAT(inFile.error().message, AllOf(HasSubstr((m_path / "run.h5").string()),
                                              HasSubstr("Not a directory"), HasSubstr("check the path")));

    const auto nowhere =
        RunWriter::create(m_folder / "missing" / "run.h5", testing::sampleInfo(), smallLayouts());
    ASSERT_FALSE(nowhere.ok());
    EXPECT_THAT(nowhere.error().message, AllOf(HasSubstr("No such file"), HasSubstr("check the path")));

    const auto readOnly = RunWriter::create("/proc/run.h5", testing::sampleInfo(), smallLayouts());
    ASSERT_FALSE(readOnly.ok());
    EXPECT_THAT(readOnly.error().message, HasSubstr("/proc/run.h5: cannot create it"));
}

TEST_F(BadFile, ReadOnlyFolderCannotTakeARun) {
    fs::permissions(m_folder.path(), fs::perms::all & ~(fs::perms::owner_write | fs::perms::group_write |
                                                        fs::perms::others_write));
    const bool root = ::geteuid() == 0;  // root may write into every folder
    ASSERT_EQ(::seteuid(root ? 65534 : ::geteuid()), 0);
    const auto writer = RunWriter::create(m_path, testing::sampleInfo(), smallLayouts());
    ASSERT_EQ(::seteuid(::getuid()), 0);
    fs::permissions(m_folder.path(), fs::perms::owner_all);
    ASSERT_FALSE(writer.ok());
    EXPECT_THAT(writer.error().message,
                AllOf(HasSubstr(m_path.string()), HasSubstr("choose a folder you can write to")));
}

}  // namespace
}  // namespace bitloom::record
