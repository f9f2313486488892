#include "engine/device/job_folder.h"

#include <memory>
#include <regex>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bitloom::device {
namespace {

using std::chrono::hours;
using std::chrono::system_clock;

/// A number that no process has: that of a child which has ended.
pid_t deadProcess() {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    ::waitpid(child, nullptr, 0);
    return child;
}

TEST(JobFolder, NamesAreUniqueAndPlain) {
    const JobFolderName first;
    const JobFolderName second;
    EXPECT_NE(first.text(), second.text());
    EXPECT_TRUE(std::regex_match(first.text(), std::regex("[0-9a-f]{16}(-[0-9]+){4}"))) << first.text();
}

TEST(JobFolder, LivesAsLongAsItsJob) {
    auto name = std::make_unique<JobFolderName>();
    const std::string text = name->text();
    EXPECT_FALSE(isAbandonedJobFolder(text));
    EXPECT_FALSE(isAbandonedJobFolder(text, system_clock::now() + hours(10'000)));
    name.reset();
    EXPECT_TRUE(isAbandonedJobFolder(text));
}

TEST(JobFolder, OfAnotherProcessLivesAsLongAsThat) {
    const JobFolderName ours;
    const std::string system = ours.text().substr(0, 16);
    EXPECT_TRUE(isAbandonedJobFolder(fmt::format("{}-{}-1234-1700000000-0", system, deadProcess())));
    // Its parent lives, but did not start then: the number was given to it later.
    EXPECT_TRUE(isAbandonedJobFolder(fmt::format("{}-{}-99999999999-1700000000-0", system, ::getppid())));
}

TEST(JobFolder, OfAnotherSystemIsLeftForAWeek) {
    const auto now = system_clock::now();
    const auto nameOf = [&](hours age) {
        const auto made = std::chrono::duration_cast<std::chrono::seconds>((now - age).time_since_epoch());
        return fmt::format("00000000deadbeef-1-1-{}-0", made.count());
    };
    EXPECT_FALSE(isAbandonedJobFolder(nameOf(hours(0)), now));
    EXPECT_FALSE(isAbandonedJobFolder(nameOf(kForeignFolderAge - hours(1)), now));
    EXPECT_TRUE(isAbandonedJobFolder(nameOf(kForeignFolderAge + hours(1)), now));
}

TEST(JobFolder, OtherNamesAreNotOurs) {
    for (const char* name : {"", "photos", "..", ".", "00000000deadbeef", "00000000deadbeef-1-1-1-0/..",
                             "00000000deadbeef-1-1-1-0; reboot", "00000000deadbeef-1-1-1-0 ",
                             "00000000DEADBEEF-1-1-1-0", "00000000deadbeef-1-1-1", "00000000deadbeef-x-1-1-0",
                             "00000000deadbeef-1-1-99999999999999999999-0", "-00000000deadbeef-1-1-1-0"}) {
        EXPECT_FALSE(isAbandonedJobFolder(name)) << name;
    }
    EXPECT_TRUE(isAbandonedJobFolder("00000000deadbeef-1-1-1-0"))
        << "the same without the flaw, and very old";
}

}  // namespace
}  // namespace bitloom::device
