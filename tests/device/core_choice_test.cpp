#include "engine/device/core_choice.h"

#include <gmock/gmock.h>
#include <sched.h>

#include "engine/device/host_device.h"

namespace bitloom::device {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

report::CpuCore coreOf(int index, int capacity = -1, int firstSibling = -1, bool allowed = true) {
    report::CpuCore core;
    core.index = index;
    core.capacity = capacity;
    core.firstSibling = firstSibling;
    core.allowed = allowed;
    return core;
}

report::DeviceInfo deviceOf(std::vector<report::CpuCore> cores) {
    report::DeviceInfo info;
    info.cores = std::move(cores);
    return info;
}

TEST(CoreChoice, TheFastestByCapacityComeFirst) {
    const auto phone =
        deviceOf({coreOf(0, 250), coreOf(1, 250), coreOf(4, 870), coreOf(5, 870), coreOf(7, 1024)});
    EXPECT_THAT(chooseCores(phone, 1), ElementsAre(7));
    EXPECT_THAT(chooseCores(phone, 3), ElementsAre(7, 4, 5));
}

TEST(CoreChoice, PhysicalCoresComeBeforeTheirSiblings) {
    // As x86 numbers them: all cores, then their second threads; or in pairs.
    const auto split = deviceOf({coreOf(0, -1, 0), coreOf(1, -1, 1), coreOf(2, -1, 0), coreOf(3, -1, 1)});
    EXPECT_THAT(chooseCores(split, 2), ElementsAre(0, 1));
    const auto pairs = deviceOf({coreOf(0, -1, 0), coreOf(1, -1, 0), coreOf(2, -1, 2), coreOf(3, -1, 2)});
    EXPECT_THAT(chooseCores(pairs, 2), ElementsAre(0, 2));
    EXPECT_THAT(chooseCores(pairs, 3), ElementsAre(0, 2, 1));
}

TEST(CoreChoice, CoresThatTheProgramMayNotUseAreLeftOut) {
    const auto container = deviceOf({coreOf(0, -1, 0, false), coreOf(1, -1, 0), coreOf(2, -1, 2, false),
                                     coreOf(3, -1, 3), coreOf(4, -1, 4)});
    EXPECT_THAT(chooseCores(container, 2), ElementsAre(1, 3));
    EXPECT_THAT(chooseCores(container, 3), ElementsAre(1, 3, 4));
    EXPECT_THAT(chooseCores(container, 4), IsEmpty()) << "a thread would have no core of its own";
}

TEST(CoreChoice, OneUnknownCapacityLeavesTheOrderOfIndices) {
    EXPECT_THAT(chooseCores(deviceOf({coreOf(0, 250), coreOf(1), coreOf(2, 1024)}), 2), ElementsAre(0, 1));
}

TEST(CoreChoice, TheHostFollowsItsAffinityMask) {
    cpu_set_t before;
    CPU_ZERO(&before);
    ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
    int last = -1;
    for (int core = 0; core < CPU_SETSIZE; ++core)
        if (CPU_ISSET(static_cast<std::size_t>(core), &before)) last = core;
    EXPECT_THAT(chooseCores(describeHost(), CPU_COUNT(&before)), Contains(last));
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(last), &one);
    ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    const std::vector<int> chosen = chooseCores(describeHost(), 1);
    const std::vector<int> tooMany = chooseCores(describeHost(), 2);
    ASSERT_EQ(::sched_setaffinity(0, sizeof before, &before), 0);
    EXPECT_THAT(chosen, ElementsAre(last));
    EXPECT_THAT(tooMany, IsEmpty());
}

}  // namespace
}  // namespace bitloom::device
