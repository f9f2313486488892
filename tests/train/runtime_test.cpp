// The switches do what they promise on every thread of the pool.
#include "engine/train/runtime.h"

#include <gtest/gtest.h>

namespace bitloom::train {
namespace {

/// at::parallel_for is compiled where it is used, and without OpenMP runs on one thread without a word.
TEST(Runtime, OwnLoopsTakeAsManyThreadsAsAreAsked) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "the thread sanitizer does not see GNU OpenMP's barriers, so its build goes without";
#endif
    EXPECT_EQ(configureTorch(3), 3);
    EXPECT_EQ(configureTorch(1), 1);
}

}  // namespace
}  // namespace bitloom::train
