#include "engine/base/atomic_file.h"

#include <csignal>
#include <cstdlib>
#include <iostream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/support/test_paths.h"

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
    EXPECT_EQ(*readTextFile(path), bytes);
    ASSERT_TRUE(writeFileAtomically(path, "").ok());
    EXPECT_EQ(*readTextFile(path), "");
    ASSERT_TRUE(writeFileAtomically(path, std::string(300'000, 'x')).ok());
    EXPECT_EQ(readTextFile(path)->size(), 300'000u);
    EXPECT_EQ(filesIn(folder.path()), 1u) << "a temporary file stayed";
}

TEST(AtomicFile, NameWithoutAFolderMeansTheCurrentOne) {
    const testing::TemporaryFolder folder;
    const fs::path before = fs::current_path();
    fs::current_path(folder.path());
    const Status written = writeFileAtomically("plain", "text");
    fs::current_path(before);
    ASSERT_TRUE(written.ok()) << written.error().message;
    EXPECT_EQ(*readTextFile(folder / "plain"), "text");
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
    EXPECT_EQ(*readTextFile(path), "old");
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
    EXPECT_EQ(*readTextFile(path), "old");
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
    if (::geteuid() == 0) GTEST_SKIP() << "root may write into read-only folders";
    const testing::TemporaryFolder folder;
    fs::permissions(folder.path(), fs::perms::owner_read | fs::perms::owner_exec);
    const Status written = writeFileAtomically(folder / "file", "text");
    fs::permissions(folder.path(), fs::perms::owner_all);
    EXPECT_THAT(written.error().message, HasSubstr("choose a folder you can write to"));
}

TEST(ReadTextFile, ErrorsNameThePath) {
    const testing::TemporaryFolder folder;
    EXPECT_THAT(readTextFile(folder / "missing").error().message,
                AllOf(HasSubstr((folder / "missing").string()), HasSubstr("check the path")));
    EXPECT_FALSE(readTextFile(folder.path()).ok());
    ASSERT_TRUE(writeFileAtomically(folder / "long", std::string(101, 'x')).ok());
    EXPECT_THAT(readTextFile(folder / "long", 100).error().message,
                HasSubstr("101 bytes is more than the 100 expected"));
    EXPECT_EQ(readTextFile(folder / "long", 101)->size(), 101u);
}

}  // namespace
}  // namespace bitloom
