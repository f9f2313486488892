#include "engine/device/command.h"

#include <array>
#include <csignal>
#include <fstream>
#include <iterator>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/device/processes.h"
#include "tests/support/test_paths.h"

namespace bitloom::device {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using testing::isRunning;
using testing::kNever;
using ::testing::Not;
using testing::TemporaryFolder;
using testing::waitUntil;

Command script(const std::string& text) {
    return {.arguments = {"sh", "-c", text}};
}

std::size_t openDescriptors() {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                                                  std::filesystem::directory_iterator()));
}

TEST(Command, KeepsStreamsApartAndBytesAsTheyAre) {
    const auto outcome = runCommand(script(R"(printf 'a\000\377\r\nb'; printf 'err\n' >&2; exit 5)"), kNever);
    ASSERT_TRUE(outcome.ok()) << outcome.error().message;
    EXPECT_EQ(outcome->out, std::string("a\0\377\r\nb", 6));
    EXPECT_EQ(outcome->err, "err\n");
    EXPECT_EQ(outcome->exitCode, 5);
    EXPECT_FALSE(outcome->truncated);
}

TEST(Command, ArgumentsAreNotInterpreted) {
    const std::vector<std::string> hostile = {"$(id)", "`id`", "a b", "'", "\"", "\\",
                                              "*",     ";",    "\n",  "",  "ü"};
    Command command{.arguments = {"printf", "[%s]"}};
    command.arguments.insert(command.arguments.end(), hostile.begin(), hostile.end());
    std::string expected;
    for (const std::string& argument : hostile)
        expected += "[" + argument + "]";
    const auto outcome = runCommand(command, kNever);
    ASSERT_TRUE(outcome.ok()) << outcome.error().message;
    EXPECT_EQ(outcome->out, expected);
}

TEST(Command, MuchOnBothStreamsAtOnce) {
    const auto outcome = runCommand(script("i=0; while [ $i -lt 20 ]; do head -c 200000 /dev/zero; head -c "
                                           "200000 /dev/zero >&2; i=$((i+1)); done"),
                                    kNever);
    ASSERT_TRUE(outcome.ok()) << outcome.error().message;
    EXPECT_EQ(outcome->out.size(), 4'000'000u);
    EXPECT_EQ(outcome->err.size(), 4'000'000u);
}

TEST(Command, OutputBeyondTheLimitIsDropped) {
    Command command = script("head -c 1000000 /dev/zero; echo end >&2");
    command.maxOutputBytes = 1000;
    const auto outcome = runCommand(command, kNever);
    ASSERT_TRUE(outcome.ok()) << outcome.error().message;
    EXPECT_EQ(outcome->out.size(), 1000u);
    EXPECT_EQ(outcome->err, "end\n");
    EXPECT_TRUE(outcome->truncated);
}

TEST(Command, InputIsReadOrLeft) {
    Command command{.arguments = {"cat"}};
    command.input = std::string(3'000'000, 'x') + '\0' + "end";
    const auto outcome = runCommand(command, kNever);
    ASSERT_TRUE(outcome.ok()) << outcome.error().message;
    EXPECT_EQ(outcome->out, command.input);

    command.arguments = {"true"};
    const auto unread = runCommand(command, kNever);
    ASSERT_TRUE(unread.ok()) << unread.error().message;
    EXPECT_EQ(unread->exitCode, 0);

    const auto without = runCommand({.arguments = {"cat"}}, kNever);
    ASSERT_TRUE(without.ok()) << without.error().message;
    EXPECT_EQ(without->out, "");
}

TEST(Command, RunsInItsFolder) {
    const TemporaryFolder folder;
    Command command{.arguments = {"pwd", "-P"}, .folder = folder.path()};
    const auto outcome = runCommand(command, kNever);
    ASSERT_TRUE(outcome.ok()) << outcome.error().message;
    EXPECT_EQ(outcome->out, std::filesystem::canonical(folder.path()).string() + "\n");
}

TEST(Command, ASignalIsAnExitCode) {
    const auto outcome = runCommand(script("kill -9 $$"), kNever);
    ASSERT_TRUE(outcome.ok()) << outcome.error().message;
    EXPECT_EQ(outcome->exitCode, 128 + SIGKILL);
}

TEST(Command, SignalsAreResetForTheProgram) {
    const auto before = std::signal(SIGPIPE, SIG_IGN);
    const auto outcome = runCommand(script("kill -PIPE $$; exit 3"), kNever);
    std::signal(SIGPIPE, before);
    ASSERT_TRUE(outcome.ok()) << outcome.error().message;
    EXPECT_EQ(outcome->exitCode, 128 + SIGPIPE);
}

TEST(Command, WhatCannotBeStartedIsNamedWithTheRemedy) {
    const TemporaryFolder folder;
    std::ofstream(folder / "text") << "text";
    const struct {
        Command command;
        std::string message;
    } cases[] = {
        {{.arguments = {"bitloom-no-such-program"}},
         "bitloom-no-such-program: no such program in PATH; install it"},
        {{.arguments = {"/nowhere/program"}}, "/nowhere/program: no such program; check the path"},
        {{.arguments = {(folder / "text").string()}}, "/text: not allowed to run it; check its permissions"},
        {{.arguments = {"true"}, .folder = folder / "missing"}, "/missing: no such folder to run true in"},
    };
    for (const auto& [command, message] : cases) {
        const auto outcome = runCommand(command, kNever);
        ASSERT_FALSE(outcome.ok()) << message;
        EXPECT_EQ(outcome.error().kind, ErrorKind::Failed);
        EXPECT_THAT(outcome.error().message, HasSubstr(message));
    }
}

/// A shell whose child writes its number to `pid` below `folder` and sleeps, as does the shell itself.
Command family(const TemporaryFolder& folder) {
    Command command = script("sleep 300 & echo $! > pid.part; mv pid.part pid; echo waiting >&2; wait");
    command.folder = folder.path();
    return command;
}

TEST(Command, TimeoutKillsTheWholeGroup) {
    const TemporaryFolder folder;
    Command command = family(folder);
    command.timeout = milliseconds(500);
    const auto started = std::chrono::steady_clock::now();
    const auto outcome = runCommand(command, kNever);
    EXPECT_LT(std::chrono::steady_clock::now() - started, seconds(10));
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.error().kind, ErrorKind::Failed);
    EXPECT_THAT(outcome.error().message, HasSubstr("not done after 0.5 s; it last said: waiting"));
    const pid_t child = testing::pidIn(folder / "pid");
    ASSERT_GT(child, 0);
    EXPECT_TRUE(waitUntil([&] { return !isRunning(child); }));
}

TEST(Command, CancelKillsTheWholeGroup) {
    const TemporaryFolder folder;
    JobControl control;
    std::jthread stopper([&] {
        waitUntil([&] { return std::filesystem::exists(folder / "pid"); });
        control.stop();
    });
    const auto outcome = runCommand(family(folder), control);
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.error().kind, ErrorKind::Cancelled);
    const pid_t child = testing::pidIn(folder / "pid");
    ASSERT_GT(child, 0);
    EXPECT_TRUE(waitUntil([&] { return !isRunning(child); }));
}

TEST(Command, CancelGivesTimeToEndWhereAsked) {
    const TemporaryFolder folder;
    const auto stopped = [&](const std::string& trap, std::chrono::milliseconds grace) {
        std::filesystem::remove(folder / "ready");
        JobControl control;
        std::jthread stopper([&] {
            waitUntil([&] { return std::filesystem::exists(folder / "ready"); });
            control.stop();
        });
        Command command = script("trap '" + trap + "' TERM; touch ready; while :; do sleep 0.05; done");
        command.folder = folder.path();
        command.grace = grace;
        const auto outcome = runCommand(command, control);
        ASSERT_FALSE(outcome.ok());
        EXPECT_EQ(outcome.error().kind, ErrorKind::Cancelled);
    };
    stopped("touch early; exit 0", std::chrono::milliseconds(0));
    EXPECT_FALSE(std::filesystem::exists(folder / "early"));
    stopped("touch saved; exit 0", std::chrono::seconds(60));
    EXPECT_TRUE(std::filesystem::exists(folder / "saved"));
    stopped("touch refused", std::chrono::milliseconds(300));  // and killed, or this would not return
    EXPECT_TRUE(std::filesystem::exists(folder / "refused"));
}

TEST(Command, AStoppedJobStartsNothing) {
    const TemporaryFolder folder;
    JobControl control;
    control.stop();
    Command command = script("touch started");
    command.folder = folder.path();
    const auto outcome = runCommand(command, control);
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.error().kind, ErrorKind::Cancelled);
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Command, WhatStaysBehindInTheGroupEndsWithTheProgram) {
    const auto outcome = runCommand(script("sleep 300 & echo $!"), kNever);
    ASSERT_TRUE(outcome.ok()) << outcome.error().message;
    const pid_t child = std::stoi(outcome->out);
    EXPECT_TRUE(waitUntil([&] { return !isRunning(child); }));
}

TEST(Command, ADaemonThatLeftTheGroupIsNotWaitedFor) {
    const TemporaryFolder folder;
    Command command = script(
        "setsid sh -c 'echo $$ > pid.part; mv pid.part pid; exec sleep 300' & "
        "while [ ! -e pid ]; do :; done");
    command.folder = folder.path();
    const auto outcome = runCommand(command, kNever);
    ASSERT_TRUE(outcome.ok()) << outcome.error().message;
    const pid_t daemon = testing::pidIn(folder / "pid");
    EXPECT_TRUE(isRunning(daemon));
    ::kill(daemon, SIGKILL);
}

TEST(Command, LeavesNoZombiesAndNoDescriptors) {
    const std::size_t before = openDescriptors();
    for (int i = 0; i < 5; ++i) {
        EXPECT_TRUE(runCommand({.arguments = {"true"}}, kNever).ok());
        EXPECT_FALSE(runCommand({.arguments = {"bitloom-no-such-program"}}, kNever).ok());
        EXPECT_FALSE(runCommand({.arguments = {"sleep", "300"}, .timeout = milliseconds(5)}, kNever).ok());
    }
    EXPECT_EQ(openDescriptors(), before);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
}

TEST(Command, TheProgramInheritsNoDescriptors) {
    // Without O_CLOEXEC, and beyond the numbers that the shell itself uses.
    const int inheritable = ::fcntl(STDERR_FILENO, F_DUPFD, 100);
    ASSERT_GE(inheritable, 0);
    const auto outcome = runCommand(script("for fd in /proc/self/fd/*; do echo \"${fd##*/}\"; done"), kNever);
    ::close(inheritable);
    ASSERT_TRUE(outcome.ok()) << outcome.error().message;
    EXPECT_THAT("\n" + outcome->out, Not(HasSubstr("\n" + std::to_string(inheritable) + "\n")));
    EXPECT_THAT(outcome->out, HasSubstr("2\n"));
}

TEST(Command, SeveralAtOnce) {
    std::array<std::string, 4> outputs;
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < outputs.size(); ++i) {
            threads.emplace_back([&outputs, i] {
                for (int round = 0; round < 5; ++round) {
                    const auto outcome = runCommand({.arguments = {"echo", std::to_string(i)}}, kNever);
                    if (outcome) outputs[i] += outcome->out;
                }
            });
        }
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        std::string expected;
        for (int round = 0; round < 5; ++round)
            expected += std::to_string(i) + "\n";
        EXPECT_EQ(outputs[i], expected);
    }
}

TEST(FindProgram, LooksInPathAndTakesPaths) {
    ASSERT_TRUE(findProgram("sh"));
    EXPECT_TRUE(findProgram("sh")->is_absolute());
    EXPECT_EQ(findProgram("/bin/sh"), std::filesystem::path("/bin/sh"));
    EXPECT_FALSE(findProgram("bitloom-no-such-program"));
    EXPECT_FALSE(findProgram("/etc/passwd"));
    EXPECT_FALSE(findProgram("/etc"));
    EXPECT_FALSE(findProgram(""));
}

TEST(LastLines, AreTheLastThatSaySomething) {
    EXPECT_EQ(lastLines("one\ntwo\r\n\n  \nthree\n\n", 2), "two\nthree");
    EXPECT_EQ(lastLines("only", 4), "only");
    EXPECT_EQ(lastLines("\n \r\n", 4), "");
    EXPECT_LE(lastLines(std::string(100'000, 'x')).size(), 2000u);
}

TEST(CommandText, NamesTheProgramInMessages) {
    EXPECT_EQ((Command{.arguments = {"adb", "devices", "-l"}}).text(), "adb devices -l");
    EXPECT_EQ((Command{.arguments = {"adb"}, .label = "X: copying"}).text(), "X: copying");
    EXPECT_LT((Command{.arguments = {"adb", std::string(5000, 'x')}}).text().size(), 400u);
}

}  // namespace
}  // namespace bitloom::device
