#include "engine/base/result.h"

#include <memory>
#include <type_traits>

#include <gtest/gtest.h>

namespace bitloom {
namespace {

Result<int> parse(int value) {
    if (value < 0) return usageError("{} is negative", value);
    return value;
}

Result<int> sum(int a, int b) {
    BITLOOM_ASSIGN_OR_RETURN(const int first, parse(a));
    BITLOOM_ASSIGN_OR_RETURN(const int second, parse(b));
    return first + second;
}

Status check(int value) {
    BITLOOM_RETURN_IF_ERROR(parse(value));
    return {};
}

TEST(Result, HoldsAValueOrAnError) {
    EXPECT_EQ(*sum(2, 3), 5);
    const Result<int> failed = sum(2, -3);
    ASSERT_FALSE(failed.ok());
    EXPECT_EQ(failed.error().message, "-3 is negative");
    EXPECT_EQ(failed.error().kind, ErrorKind::Usage);
}

TEST(Result, FirstErrorIsTheOneReturned) {
    EXPECT_EQ(sum(-1, -2).error().message, "-1 is negative");
}

TEST(Result, StatusIsOkUntilItHoldsAnError) {
    EXPECT_TRUE(Status().ok());
    EXPECT_TRUE(check(1).ok());
    EXPECT_EQ(check(-1).error().message, "-1 is negative");
    EXPECT_EQ(fail("disk {}", 1).kind, ErrorKind::Failed);
}

TEST(Result, MovesWhatCannotBeCopied) {
    const auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(7); };
    const auto use = [&]() -> Result<int> {
        BITLOOM_ASSIGN_OR_RETURN(const std::unique_ptr<int> value, make());
        return *value;
    };
    EXPECT_EQ(*use(), 7);
    static_assert(!std::is_copy_constructible_v<Result<std::unique_ptr<int>>>);
}

TEST(Result, ErrorKindsAreTheExitCodes) {
    EXPECT_EQ(static_cast<int>(ErrorKind::Failed), 1);
    EXPECT_EQ(static_cast<int>(ErrorKind::Usage), 2);
    EXPECT_EQ(static_cast<int>(ErrorKind::Cancelled), 3);
    EXPECT_EQ(static_cast<int>(ErrorKind::NoDevice), 4);
}

}  // namespace
}  // namespace bitloom
