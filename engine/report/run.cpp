#include "engine/report/run.h"

#include <array>
#include <utility>

namespace bitloom::report {
namespace {

constexpr std::array kRunStatusNames = {
    std::pair{RunStatus::Running, "running"},
    std::pair{RunStatus::Finished, "finished"},
    std::pair{RunStatus::Stopped, "stopped"},
    std::pair{RunStatus::Failed, "failed"},
};

constexpr std::array kEventKindNames = {
    std::pair{EventKind::Epoch, "epoch"},           std::pair{EventKind::Evaluation, "evaluation"},
    std::pair{EventKind::Checkpoint, "checkpoint"}, std::pair{EventKind::Paused, "paused"},
    std::pair{EventKind::Resumed, "resumed"},       std::pair{EventKind::Warning, "warning"},
    std::pair{EventKind::Finished, "finished"},
};

template <class Names, class Enum>
const char* nameOf(const Names& names, Enum value) {
    for (const auto& [candidate, name] : names) {
        if (candidate == value) return name;
    }
    return "";
}

template <class Names, class Enum>
Enum valueOf(const Names& names, const std::string& text, Enum otherwise) {
    for (const auto& [candidate, name] : names) {
        if (text == name) return candidate;
    }
    return otherwise;
}

}  // namespace

const char* toText(RunStatus status) {
    return nameOf(kRunStatusNames, status);
}
RunStatus runStatusFromText(const std::string& text) {
    return valueOf(kRunStatusNames, text, RunStatus::Failed);
}
const char* toText(EventKind kind) {
    return nameOf(kEventKindNames, kind);
}
EventKind eventKindFromText(const std::string& text) {
    return valueOf(kEventKindNames, text, EventKind::Warning);
}

}  // namespace bitloom::report
