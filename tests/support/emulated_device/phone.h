// The phone that the emulated device pretends to be: a folder that stands for its file system, with what
// Android and the kernel would say in it, and the faults it has been told to have. Members may be called from
// any thread.
#pragma once

#include <atomic>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "engine/base/annotated_mutex.h"

namespace bitloom::testing {

enum class Fault {
    None,
    VanishInRun,      ///< gone at the first output of a pushed program
    VanishInPush,     ///< gone after the first piece of a pushed file
    VanishInPull,     ///< gone in the middle of a pulled file
    VanishWhenAsked,  ///< gone at the first command for its shell
    VanishInCleanup,  ///< gone when it is to remove files
    ShortPush,        ///< loses the last bytes of a pushed file and says nothing
    Hang,             ///< accepts every request and answers none
    Full,             ///< has no room for file contents
    Unauthorized,     ///< never accepts the computer's key
    AsksForKey,       ///< accepts the computer's key when it is shown, as after a tap on the prompt
    NoExitStatus,     ///< a daemon before Android 7: no shell protocol, output through a terminal
    Slow,             ///< takes its time before every answer
    Heat              ///< gets hotter and slower with every program it runs
};

/// By the name on the command line, "vanish-in-run"; nothing for one that does not exist.
std::optional<Fault> faultFromText(std::string_view text);

class Phone {
  public:
    /// `root` must exist; the phone's files are made in it. `cpu` is one that cpuNames() lists.
    Phone(const std::filesystem::path& root, std::string cpu, Fault fault);

    static std::vector<std::string> cpuNames();

    [[nodiscard]] Fault fault() const { return m_fault; }
    [[nodiscard]] std::string banner() const;  ///< what it says of itself when it connects

    /// Where an absolute path of the phone lies here; nothing for relative paths and such with "..".
    [[nodiscard]] std::optional<std::filesystem::path> map(std::string_view path) const;

    /// A command for the phone's shell with its paths changed to those here.
    [[nodiscard]] std::string mapCommand(std::string_view command) const;

    /// "NAME=VALUE" for the phone's shell.
    [[nodiscard]] std::vector<std::string> environment() const;

    /// With Fault::AsksForKey: whether the computer's signature alone is enough, as its key was accepted
    /// before.
    [[nodiscard]] bool keyAccepted() const { return m_keyAccepted; }
    void acceptKey() { m_keyAccepted = true; }

    /// How many pushed programs were started so far.
    [[nodiscard]] int programsStarted() const;

    /// With Fault::Heat, brings temperatures and clocks to what those programs have caused.
    void updateTemperatures();

    /// Process groups that die with the phone.
    void addGroup(pid_t group);
    void killGroups();

    /// Unplugged: the process ends at once, without a word to anyone.
    [[noreturn]] void vanish();

  private:
    void write(const std::string& path, const std::string& text) const;
    void writeKernelFiles() const;
    void writeAndroidFiles() const;

    std::filesystem::path m_root;
    std::string m_cpu;
    Fault m_fault;
    std::atomic<bool> m_keyAccepted = false;
    Mutex m_mutex;
    std::set<pid_t> m_groups BITLOOM_GUARDED_BY(m_mutex);
};

}  // namespace bitloom::testing
