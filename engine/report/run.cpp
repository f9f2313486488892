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
    std::pair{EventKind::Finished, "finished"},     std::pair{EventKind::Stage, "stage"},
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

std::string blockOf(const std::string& name) {
    std::size_t begin = 0;
    std::size_t end = 0;  // of the path without its last part, once the loop is through
    for (auto dot = name.find('.'); dot != std::string::npos; dot = name.find('.', begin)) {
        const bool numbered = dot > begin && name.find_first_not_of("0123456789", begin) >= dot;
        begin = dot + 1;
        end = dot;
        if (numbered) break;
    }
    return name.substr(0, end);
}

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
