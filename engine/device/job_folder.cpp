#include "engine/device/job_folder.h"

#include <array>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <span>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "engine/base/annotated_mutex.h"
#include "engine/base/hash.h"
#include "engine/device/lines.h"

namespace bitloom::device {
namespace {

std::string contentOf(const char* path) {
    std::ifstream stream(path);
    return {std::istreambuf_iterator<char>(stream), {}};
}

/// This machine since its last boot, as far as process numbers mean the same: containers have their own.
std::string systemIdentity() {
    std::array<char, PATH_MAX> processNamespace{};
    const ssize_t length = ::readlink("/proc/self/ns/pid", processNamespace.data(), processNamespace.size());
    std::string identity = contentOf("/proc/sys/kernel/random/boot_id") + contentOf("/etc/machine-id");
    if (length > 0) identity.append(processNamespace.data(), static_cast<std::size_t>(length));
    return hashText(hashBytes(std::as_bytes(std::span(identity))));
}

/// When a process started, in clock ticks since boot (field 22 of /proc/PID/stat); empty when it is dead.
std::string startOf(std::string_view process) {
    const std::string stat = contentOf(fmt::format("/proc/{}/stat", process).c_str());
    // Field 2 is the program's name in brackets and may hold anything.
    const std::size_t name = stat.rfind(')');
    if (name == std::string::npos) return {};
    const std::vector<std::string_view> fields = splitWords(std::string_view(stat).substr(name + 1));
    constexpr std::size_t kStartField = 22 - 3;
    constexpr std::size_t kStateField = 0;
    if (fields.size() <= kStartField || fields[kStateField] == "Z" || fields[kStateField] == "X") return {};
    return std::string(fields[kStartField]);
}

/// The folders of this process's jobs.
class LivingFolders {
  public:
    std::string add() {
        MutexLock lock(m_mutex);
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
        const std::string process = std::to_string(::getpid());
        std::string name =
            fmt::format("{}-{}-{}-{}-{}", systemIdentity(), process, startOf(process), seconds, m_next++);
        m_names.insert(name);
        return name;
    }
    void remove(const std::string& name) {
        MutexLock lock(m_mutex);
        m_names.erase(name);
    }
    bool contains(std::string_view name) {
        MutexLock lock(m_mutex);
        return m_names.contains(name);
    }

  private:
    Mutex m_mutex;
    std::set<std::string, std::less<>> m_names BITLOOM_GUARDED_BY(m_mutex);
    unsigned m_next BITLOOM_GUARDED_BY(m_mutex) = 0;
};

LivingFolders& livingFolders() {
    static LivingFolders folders;
    return folders;
}

}  // namespace

JobFolderName::JobFolderName() : m_text(livingFolders().add()) {}

JobFolderName::~JobFolderName() {
    livingFolders().remove(m_text);
}

bool isAbandonedJobFolder(std::string_view name, std::chrono::system_clock::time_point now) {
    static const std::regex grammar("([0-9a-f]{16})-([0-9]{1,10})-([0-9]{1,20})-([0-9]{1,12})-([0-9]{1,10})");
    std::match_results<std::string_view::const_iterator> part;
    if (!std::regex_match(name.begin(), name.end(), part, grammar)) return false;
    const std::string process = part[2];
    if (part[1] != systemIdentity()) {
        // In seconds throughout: what a name claims may be too far away for the clock's own unit.
        const std::chrono::seconds made(std::stoll(part[4]));
        return std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()) - made >
               kForeignFolderAge;
    }
    const bool lives = startOf(process) == part[3];
    const bool ours = process == std::to_string(::getpid());
    return !lives || (ours && !livingFolders().contains(name));
}

}  // namespace bitloom::device
