#include "engine/base/atomic_file.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/test_paths.h"

namespace {

int folderSyncError = 0;  ///< errno with which fsync refuses folders; 0: it does not

}  // namespace

/// In the place of the C library's, to stand for file systems that cannot flush a folder.
extern "C" int fsync(int descriptor) {
    struct stat status {};
    if (folderSyncError != 0 && ::fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode)) {
        errno = folderSyncError;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

namespace bitloom {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::size_t filesIn(const fs::path& folder) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {}));
}

TEST(AtomicFile, WritesAndReplaces) {
    const testing::TemporaryFolder folder;
    const fs::path path = folder / "file";
    const std::string bytes("first\0\xff\n", 8);
    ASSERT_TRUE(writeFileAtomically(path, bytes).ok());
    EXPECT_EQ(*readFile(path), bytes);
    ASSERT_TRUE(writeFileAtomically(path, "").ok());
    EXPECT_EQ(*readFile(path), "");
    ASSERT_TRUE(writeFileAtomically(path, std::string(300'000, 'x')).ok());
    EXPECT_EQ(readFile(path)->size(), 300'000u);
    EXPECT_EQ(filesIn(folder.path()), 1u) << "a temporary file stayed";
}

TEST(AtomicFile, NameWithoutAFolderMeansTheCurrentOne) {
    const testing::TemporaryFolder folder;
    const fs::path before = fs::current_path();
    fs::current_path(folder.path());
    const Status written = writeFileAtomically("plain", "text");
    fs::current_path(before);
    ASSERT_TRUE(written.ok()) << written.error().message;
    EXPECT_EQ(*readFile(folder / "plain"), "text");
}

TEST(AtomicFile, WritesPartsOneAfterAnother) {
    const testing::TemporaryFolder folder;
    const std::string first = "first ", second = "second";
    const std::array parts = {std::as_bytes(std::span(first)), std::as_bytes(std::span(second)),
                              std::span<const std::byte>()};
    ASSERT_TRUE(writeFileAtomically(folder / "file", parts).ok());
    EXPECT_EQ(*readFile(folder / "file"), "first second");
}

TEST(AtomicFile, FolderThatCannotBeFlushedIsNoError) {
    const testing::TemporaryFolder folder;
    for (const int error : {EINVAL, ENOTSUP}) {
        folderSyncError = error;
        const Status written = writeFileAtomically(folder / "file", std::to_string(error));
        folderSyncError = 0;
        EXPECT_TRUE(written.ok()) << written.error().message;
        EXPECT_EQ(*readFile(folder / "file"), std::to_string(error));
    }
    folderSyncError = EIO;
    const Status failed = writeFileAtomically(folder / "file", "text");
    folderSyncError = 0;
    ASSERT_FALSE(failed.ok());
    EXPECT_THAT(failed.error().message, AllOf(HasSubstr(folder.path().string()), HasSubstr("flush")));
}

TEST(AtomicFile, FolderThatMayNotBeListedTakesFiles) {
    const testing::TemporaryFolder folder;
    const fs::path closed = folder / "closed";
    fs::create_directory(closed);
    fs::permissions(
        closed, fs::perms::all & ~(fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read));
    fs::permissions(folder.path(), fs::perms::all);
    const bool root = ::geteuid() == 0;  // root may list every folder
    ASSERT_EQ(::seteuid(root ? 65534 : ::geteuid()), 0);
    const Status written = writeFileAtomically(closed / "file", "text");
    ASSERT_EQ(::seteuid(::getuid()), 0);
    EXPECT_TRUE(written.ok()) << written.error().message;
    fs::permissions(closed, fs::perms::all);
    EXPECT_EQ(*readFile(closed / "file"), "text");
}

TEST(AtomicFile, CallsForOnePathDoNotShareATemporaryFile) {
    const testing::TemporaryFolder folder;
    const fs::path path = folder / "file";
    const Status outer = replaceFileAtomically(path, [&](const fs::path& temporary) -> Status {
        std::ofstream(temporary) << "outer";
        return writeFileAtomically(path, "inner");
    });
    ASSERT_TRUE(outer.ok()) << outer.error().message;
    EXPECT_EQ(*readFile(path), "outer");
    EXPECT_EQ(filesIn(folder.path()), 1u);
}

TEST(AtomicFile, TemporaryFilesOfKilledProcessesCanBeRemoved) {
    const testing::TemporaryFolder folder;
    const fs::path path = folder / "file";
    fs::path temporary;
    const Status interrupted = replaceFileAtomically(path, [&](const fs::path& used) -> Status {
        temporary = used;
        return fail("killed");
    });
    ASSERT_FALSE(interrupted.ok());
    std::ofstream(temporary.string()) << "half";
    for (const char* name : {"file", "file.tmp", "file.tmp_notes", "other.tmp12-3", "files.tmp12-3"})
        std::ofstream(folder / name) << "kept";
    removeAbandonedTemporaries(path);
    EXPECT_FALSE(fs::exists(temporary));
    EXPECT_EQ(filesIn(folder.path()), 5u);
    removeAbandonedTemporaries(folder / "missing" / "file");
}

TEST(AtomicFile, FailedWriterLeavesTheOldContent) {
    const testing::TemporaryFolder folder;
    const fs::path path = folder / "file";
    ASSERT_TRUE(writeFileAtomically(path, "old").ok());
    const Status replaced = replaceFileAtomically(path, [&](const fs::path& temporary) -> Status {
        EXPECT_EQ(temporary.parent_path(), folder.path());
        EXPECT_TRUE(writeFileAtomically(temporary, "half").ok());
        return fail("gave up");
    });
    EXPECT_EQ(replaced.error().message, "gave up");
    EXPECT_EQ(*readFile(path), "old");
    EXPECT_EQ(filesIn(folder.path()), 1u);
}

TEST(AtomicFile, WriterThatWroteNothingIsAnError) {
    const testing::TemporaryFolder folder;
    EXPECT_FALSE(replaceFileAtomically(folder / "file", [](const fs::path&) { return Status(); }).ok());
    EXPECT_EQ(filesIn(folder.path()), 0u);
}

TEST(AtomicFile, FolderInThePlaceOfTheFileStays) {
    const testing::TemporaryFolder folder;
    fs::create_directory(folder / "file");
    const Status written = writeFileAtomically(folder / "file", "text");
    EXPECT_THAT(written.error().message, AllOf(HasSubstr((folder / "file").string()), HasSubstr("rename")));
    EXPECT_TRUE(fs::is_directory(folder / "file"));
    EXPECT_EQ(filesIn(folder.path()), 1u);
}

/// Overwrites `path` with more than a limit on file size allows; the limit meets the system call as a full
/// disk does.
int overwriteWithoutRoom(const fs::path& path) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const Status written = writeFileAtomically(path, std::string(5000, 'x'));
    if (written) return 2;
    std::cerr << written.error().message << '\n';
    return 0;
}

TEST(AtomicFile, FullDiskLeavesTheOldContent) {
    const testing::TemporaryFolder folder;
    const fs::path path = folder / "file";
    ASSERT_TRUE(writeFileAtomically(path, "old").ok());
    EXPECT_EXIT(std::exit(overwriteWithoutRoom(path)), ::testing::ExitedWithCode(0),
                "file: cannot write it: File too large");
    EXPECT_EQ(*readFile(path), "old");
    EXPECT_EQ(filesIn(folder.path()), 1u);
}

TEST(AtomicFile, ErrorsNameThePathAndTheRemedy) {
    const testing::TemporaryFolder folder;
    ASSERT_TRUE(writeFileAtomically(folder / "file", "not a folder").ok());
    const fs::path below = folder / "file" / "child";
    EXPECT_THAT(writeFileAtomically(below, "text").error().message,
                AllOf(HasSubstr(below.string()), HasSubstr("Not a directory; check the path")));
    const fs::path missing = folder / "missing" / "child";
    EXPECT_THAT(writeFileAtomically(missing, "text").error().message,
                AllOf(HasSubstr(missing.string()), HasSubstr("No such file or directory; check the path")));
}

TEST(AtomicFile, ReadOnlyFolderAsksForAnother) {
    const testing::TemporaryFolder folder;
    fs::permissions(folder.path(), fs::perms::all & ~(fs::perms::owner_write | fs::perms::group_write |
                                                      fs::perms::others_write));
    const bool root = ::geteuid() == 0;  // root may write into every folder
    ASSERT_EQ(::seteuid(root ? 65534 : ::geteuid()), 0);
    const Status written = writeFileAtomically(folder / "file", "text");
    ASSERT_EQ(::seteuid(::getuid()), 0);
    fs::permissions(folder.path(), fs::perms::owner_all);
    ASSERT_FALSE(written.ok());
    EXPECT_THAT(written.error().message, HasSubstr("choose a folder you can write to"));
}

TEST(ReadFile, ErrorsNameThePath) {
    const testing::TemporaryFolder folder;
    EXPECT_THAT(readFile(folder / "missing").error().message,
                AllOf(HasSubstr((folder / "missing").string()), HasSubstr("check the path")));
    EXPECT_FALSE(readFile(folder.path()).ok());
    ASSERT_TRUE(writeFileAtomically(folder / "long", std::string(101, 'x')).ok());
    EXPECT_THAT(readFile(folder / "long", 100).error().message,
                HasSubstr("101 bytes is more than the 100 expected"));
    EXPECT_EQ(readFile(folder / "long", 101)->size(), 101u);
}

}  // namespace
}  // namespace bitloom
