#include "engine/base/system_error.h"

#include <cerrno>

#include <gtest/gtest.h>

namespace bitloom {
namespace {

TEST(SystemError, NamesReasonAndRemedy) {
    EXPECT_EQ(describeSystemError(ENOSPC),
              "No space left on device; free some space on that disk and run again");
    EXPECT_EQ(describeSystemError(EROFS), "Read-only file system; choose a folder you can write to");
    EXPECT_EQ(describeSystemError(ENOENT), "No such file or directory; check the path");
    EXPECT_EQ(describeSystemError(EIO), "Input/output error");
}

}  // namespace
}  // namespace bitloom
