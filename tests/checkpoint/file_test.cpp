// What can be wrong with a file before any format comes into play.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/random.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/utf8.h"
#include "tests/checkpoint/builders.h"
#include "tests/support/test_paths.h"

namespace bitloom::checkpoint {
namespace {

using bitloom::testing::readError;
using bitloom::testing::readErrorOf;
using bitloom::testing::TemporaryFolder;
using bitloom::testing::writeFile;
using ::testing::HasSubstr;

TEST(File, AbsentFoldersAndPipesAreNamed) {
    const TemporaryFolder folder;
    EXPECT_THAT(readError(folder / "absent.pt"), HasSubstr("check the path"));
    EXPECT_THAT(readError(folder.path()), HasSubstr("this is a folder"));
    const auto pipe = folder / "pipe";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_THAT(readError(pipe), HasSubstr("not a regular file"));
}

TEST(File, UnreadableFilesAreNamed) {
    const TemporaryFolder folder;
    writeFile(folder / "secret", "x");
    ASSERT_EQ(::chmod((folder / "secret").c_str(), 0), 0);
    const bool root = ::geteuid() == 0;  // root may read every file
    ASSERT_EQ(::seteuid(root ? 65534 : ::geteuid()), 0);
    const std::string message = readError(folder / "secret");
    ASSERT_EQ(::seteuid(::getuid()), 0);
    EXPECT_THAT(message, HasSubstr("permissions"));
}

TEST(File, LoopingLinksAreErrors) {
    const TemporaryFolder folder;
    std::filesystem::create_symlink(folder / "b", folder / "a");
    std::filesystem::create_symlink(folder / "a", folder / "b");
    EXPECT_THAT(readError(folder / "a"), HasSubstr("cannot open it"));
}

TEST(File, EmptyAndForeignFilesAreErrors) {
    EXPECT_THAT(readErrorOf(""), HasSubstr("empty"));
    for (const char* text :
         {"x", "[train]\nepochs = 10\n", "<html>404 not found</html>", "\x89PNG\r\n\x1a\n........"}) {
        EXPECT_THAT(readErrorOf(text), HasSubstr("not a weight file that Bitloom knows")) << text;
    }
}

TEST(File, RandomBytesAreErrors) {
    const TemporaryFolder folder;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        Random random({seed});
        std::string bytes;
        // Random content behind every format's first bytes, so that each reader gets its share.
        const char* starts[] = {"", "PK\x03\x04", "\x80\x02", "\x89HDF\r\n\x1a\n"};
        bytes = starts[seed % 4];
        if (seed % 5 == 0) bytes = bitloom::testing::raw(std::uint64_t{100}) + "{";
        for (int i = 0; i < 600; ++i)
            bytes += static_cast<char>(random.below(256));
        writeFile(folder / "random", bytes);
        EXPECT_NE(readError(folder / "random"), "") << seed;
    }
}

TEST(File, TheMemoryThatAFileMayTakeGrowsWithItsSize) {
    MemoryBudget small(0);
    EXPECT_TRUE(small.charge(64u << 20, "x").ok());
    EXPECT_THAT(small.charge(1, "tensor x").error().message, HasSubstr("tensor x"));
    MemoryBudget large(std::uint64_t{1} << 30);
    EXPECT_TRUE(large.charge(std::uint64_t{8} << 30, "x").ok());
    MemoryBudget absurd(~std::uint64_t{0});
    EXPECT_TRUE(absurd.charge(std::uint64_t{1} << 50, "x").ok());
}

TEST(File, MessagesCarryNoControlCharactersOrBrokenText) {
    using bitloom::testing::torchZip;
    const std::string message =
        readErrorOf(torchZip("\x80\x02"
                             "cbad\x1b[31m\xff\nname\n.",
                             {}));
    EXPECT_THAT(message, HasSubstr("bad?[31m?.name"));
    EXPECT_EQ(printable("a\tb\nc\x7f"), "a?b\nc?");
    EXPECT_EQ(printable("\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0"), "???\xc2\xa0");
    EXPECT_EQ(printable("\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\xb8"), "\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\xb8");
    for (const char* broken : {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                               "\xf8\x88\x80\x80"}) {
        EXPECT_FALSE(isUtf8(broken)) << printable(broken);
    }
    EXPECT_TRUE(isUtf8("\xf4\x8f\xbf\xbf"));
}

TEST(File, AFileThatShrinksWhileOpenIsAnErrorNotASignal) {
    const TemporaryFolder folder;
    writeFile(folder / "shrinking", std::string(1000, 'x'));
    const auto file = InputFile::open(folder / "shrinking");
    ASSERT_TRUE(file.ok());
    std::filesystem::resize_file(folder / "shrinking", 10);
    EXPECT_THAT(file->read(0, std::uint64_t{1000}).error().message, HasSubstr("ends at byte 10"));
}

}  // namespace
}  // namespace bitloom::checkpoint
