#include "app/cli_progress.h"

#include <cmath>
#include <cstdio>

#include <spdlog/spdlog.h>
#include <unistd.h>

namespace bitloom::app {
namespace {

std::string durationText(double seconds) {
    const auto total = static_cast<std::int64_t>(std::ceil(seconds));
    const std::int64_t hours = total / 3600;
    const std::string minutesAndSeconds = fmt::format("{:02}:{:02}", total / 60 % 60, total % 60);
    return hours > 0 ? fmt::format("{}:{}", hours, minutesAndSeconds) : minutesAndSeconds;
}

}  // namespace

std::string progressText(const report::Progress& progress) {
    std::string text = progress.phase;
    if (progress.totalSteps > 0) text += fmt::format(" {}/{}", progress.step, progress.totalSteps);
    if (progress.stepsPerSecond > 0) text += fmt::format(", {:.2f} steps/s", progress.stepsPerSecond);
    if (!std::isnan(progress.secondsLeft))
        text += fmt::format(", {} left", durationText(progress.secondsLeft));
    return text;
}

TerminalSink::TerminalSink() : m_terminal(::isatty(STDERR_FILENO) == 1) {}

TerminalSink::~TerminalSink() {
    clearLine();
}

void TerminalSink::clearLine() {
    if (!m_lineShown) return;
    std::fputs("\r\033[K", stderr);
    std::fflush(stderr);
    m_lineShown = false;
}

void TerminalSink::progress(const report::Progress& progress) {
    if (!m_terminal) return;
    std::fputs(("\r" + progressText(progress) + "\033[K").c_str(), stderr);
    std::fflush(stderr);
    m_lineShown = true;
}

void TerminalSink::event(const report::RunEvent& event) {
    if (event.kind == report::EventKind::Epoch || event.kind == report::EventKind::Checkpoint) return;
    clearLine();
    const bool warning = event.kind == report::EventKind::Warning;
    spdlog::log(warning ? spdlog::level::warn : spdlog::level::info, "step {}: {}", event.step, event.text);
}

void TerminalSink::log(std::string_view line) {
    clearLine();
    spdlog::info("{}", line);
}

}  // namespace bitloom::app
