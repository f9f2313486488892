#include "engine/device/command.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/system_error.h"

namespace bitloom::device {
namespace {

using Clock = std::chrono::steady_clock;

/// How long a cancel may go unnoticed.
constexpr int kPollMs = 10;
/// Both streams closed, the program not yet gone: it is about to end.
constexpr int kPollEndingMs = 1;

class Descriptor {
  public:
    Descriptor() = default;
    explicit Descriptor(int fd) : m_fd(fd) {}
    Descriptor(Descriptor&& other) noexcept : m_fd(std::exchange(other.m_fd, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        if (this != &other) {
            close();
            m_fd = std::exchange(other.m_fd, -1);
        }
        return *this;
    }
    ~Descriptor() { close(); }
    [[nodiscard]] int get() const { return m_fd; }
    [[nodiscard]] bool valid() const { return m_fd >= 0; }
    void close() {
        if (m_fd >= 0) ::close(m_fd);
        m_fd = -1;
    }

  private:
    int m_fd = -1;
};

/// One of the program's output streams, read by this process.
class OutputStream {
  public:
    /// The program's end of a new pipe; invalid with errno set when there is none to be had.
    Descriptor open() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
        m_pipe = Descriptor(ends[0]);
        ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
        return Descriptor(ends[1]);
    }

    /// Reads what is there, at most one buffer. False when nothing was.
    bool readSome(std::size_t limit) {
        std::array<char, 65536> buffer;
        const ssize_t count = ::read(m_pipe.get(), buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) return true;
        if (count == 0 || (count < 0 && errno != EAGAIN)) m_pipe.close();
        if (count <= 0) return false;
        const std::size_t kept = std::min(static_cast<std::size_t>(count), limit - text.size());
        text.append(buffer.data(), kept);
        truncated = truncated || kept < static_cast<std::size_t>(count);
        return true;
    }

    /// What the dead program left in the pipe. A daemon that inherited the other end may write for ever, so
    /// no more than a pipe holds.
    void drain(std::size_t limit) {
        constexpr int kPipeBuffers = 32;
        for (int i = 0; i < kPipeBuffers && isOpen() && readSome(limit); ++i) {
        }
    }

    [[nodiscard]] bool isOpen() const { return m_pipe.valid(); }
    [[nodiscard]] int descriptor() const { return m_pipe.get(); }

    std::string text;
    bool truncated = false;

  private:
    Descriptor m_pipe;
};

/// A file in memory with `input`, at its start: unlike a pipe it needs no writer, hence no SIGPIPE.
Result<Descriptor> inputFile(const std::string& input) {
    if (input.empty()) {
        Descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        if (!nothing.valid()) return fail("/dev/null: cannot open it: {}", describeSystemError(errno));
        return nothing;
    }
    Descriptor file(::memfd_create("bitloom-input", MFD_CLOEXEC));
    std::size_t done = 0;
    while (file.valid() && done < input.size()) {
        const ssize_t count = ::write(file.get(), input.data() + done, input.size() - done);
        if (count < 0 && errno != EINTR) break;
        if (count > 0) done += static_cast<std::size_t>(count);
    }
    if (!file.valid() || done < input.size() || ::lseek(file.get(), 0, SEEK_SET) != 0)
        return fail("cannot hold {} bytes of input in memory: {}", input.size(), describeSystemError(errno));
    return file;
}

class SpawnActions {
  public:
    SpawnActions() { ::posix_spawn_file_actions_init(&m_actions); }
    ~SpawnActions() { ::posix_spawn_file_actions_destroy(&m_actions); }
    SpawnActions(const SpawnActions&) = delete;
    SpawnActions& operator=(const SpawnActions&) = delete;
    posix_spawn_file_actions_t* get() { return &m_actions; }

  private:
    posix_spawn_file_actions_t m_actions{};
};

class SpawnAttributes {
  public:
    /// A new process group, and signals as a fresh program expects them.
    SpawnAttributes() {
        ::posix_spawnattr_init(&m_attributes);
        sigset_t signals;
        ::sigemptyset(&signals);
        ::posix_spawnattr_setsigmask(&m_attributes, &signals);
        ::sigfillset(&signals);
        ::posix_spawnattr_setsigdefault(&m_attributes, &signals);
        ::posix_spawnattr_setpgroup(&m_attributes, 0);
        ::posix_spawnattr_setflags(&m_attributes,
                                   POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    }
    ~SpawnAttributes() { ::posix_spawnattr_destroy(&m_attributes); }
    SpawnAttributes(const SpawnAttributes&) = delete;
    SpawnAttributes& operator=(const SpawnAttributes&) = delete;
    [[nodiscard]] const posix_spawnattr_t* get() const { return &m_attributes; }

  private:
    posix_spawnattr_t m_attributes{};
};

Error startError(const Command& command, int code) {
    const std::string& program = command.arguments.front();
    if (!command.folder.empty() && !std::filesystem::is_directory(command.folder))
        return fail("{}: no such folder to run {} in", command.folder.string(), program);
    if (code == ENOENT) {
        const bool isPath = program.find('/') != std::string::npos;
        return fail("{}: no such program{}", program, isPath ? "; check the path" : " in PATH; install it");
    }
    if (code == EACCES) return fail("{}: not allowed to run it; check its permissions", program);
    return fail("{}: cannot start it: {}", program, describeSystemError(code));
}

/// A started program. Kills its group and reaps it when it goes out of scope.
class Process {
  public:
    static Result<Process> start(const Command& command) {
        Process process;
        BITLOOM_ASSIGN_OR_RETURN(const Descriptor input, inputFile(command.input));
        const Descriptor out = process.m_out.open();
        const Descriptor err = process.m_err.open();
        if (!out.valid() || !err.valid())
            return fail("{}: no pipe for its output: {}", command.text(), describeSystemError(errno));
        SpawnActions actions;
        ::posix_spawn_file_actions_adddup2(actions.get(), input.get(), STDIN_FILENO);
        ::posix_spawn_file_actions_adddup2(actions.get(), out.get(), STDOUT_FILENO);
        ::posix_spawn_file_actions_adddup2(actions.get(), err.get(), STDERR_FILENO);
        ::posix_spawn_file_actions_addclosefrom_np(actions.get(), STDERR_FILENO + 1);
        if (!command.folder.empty())
            ::posix_spawn_file_actions_addchdir_np(actions.get(), command.folder.c_str());
        std::vector<char*> words;
        for (const std::string& argument : command.arguments)
            words.push_back(const_cast<char*>(argument.c_str()));
        words.push_back(nullptr);
        const SpawnAttributes attributes;
        const int failed = ::posix_spawnp(&process.m_pid, words.front(), actions.get(), attributes.get(),
                                          words.data(), environ);
        if (failed != 0) {
            process.m_pid = -1;
            return startError(command, failed);
        }
        return process;
    }

    Process(Process&& other) noexcept
        : m_pid(std::exchange(other.m_pid, -1)),
          m_out(std::move(other.m_out)),
          m_err(std::move(other.m_err)) {}
    Process& operator=(Process&&) = delete;
    ~Process() {
        if (m_pid < 0) return;
        ::kill(-m_pid, SIGKILL);
        reap();
    }

    /// Waits for output or for `milliseconds` and reads what came.
    void readOutput(std::size_t limit) {
        std::array<pollfd, 2> polled{};
        polled[0] = {m_out.descriptor(), POLLIN, 0};
        polled[1] = {m_err.descriptor(), POLLIN, 0};
        const bool anyOpen = m_out.isOpen() || m_err.isOpen();
        ::poll(polled.data(), polled.size(), anyOpen ? kPollMs : kPollEndingMs);
        if (polled[0].revents != 0) m_out.readSome(limit);
        if (polled[1].revents != 0) m_err.readSome(limit);
    }

    /// Whether the program itself has ended. It stays a zombie, so its group's number cannot be given away.
    [[nodiscard]] bool ended() const {
        siginfo_t info{};
        const int failed = ::waitid(P_PID, static_cast<id_t>(m_pid), &info, WEXITED | WNOHANG | WNOWAIT);
        return failed != 0 ? errno == ECHILD : info.si_pid != 0;
    }

    /// Asks the group to end and waits for it, at most `grace`.
    void askToEnd(std::chrono::milliseconds grace, std::size_t limit) {
        if (grace.count() <= 0) return;
        ::kill(-m_pid, SIGTERM);
        for (const auto deadline = Clock::now() + grace; !ended() && Clock::now() < deadline;)
            readOutput(limit);
    }

    /// After ended(): ends what it left behind in its group and collects everything.
    CommandOutcome finish(std::size_t limit) {
        ::kill(-m_pid, SIGKILL);
        m_out.drain(limit);
        m_err.drain(limit);
        const int exitCode = reap();
        return {exitCode, std::move(m_out.text), std::move(m_err.text), m_out.truncated || m_err.truncated};
    }

    [[nodiscard]] const std::string& err() const { return m_err.text; }

  private:
    Process() = default;

    int reap() {
        int status = 0;
        while (::waitpid(m_pid, &status, 0) < 0 && errno == EINTR) {
        }
        m_pid = -1;
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }

    pid_t m_pid = -1;
    OutputStream m_out;
    OutputStream m_err;
};

}  // namespace

std::string Command::text() const {
    constexpr std::size_t kLongest = 300;
    if (!label.empty()) return label;
    std::string text;
    for (const std::string& argument : arguments) {
        if (!text.empty()) text += ' ';
        text += argument;
        if (text.size() > kLongest) return text.substr(0, kLongest) + " ...";
    }
    return text;
}

Result<CommandOutcome> runCommand(const Command& command, const JobControl& control) {
    if (command.arguments.empty()) return fail("no program to run");
    const Clock::time_point deadline = Clock::now() + command.timeout;
    if (control.stopRequested())
        return Error{ErrorKind::Cancelled, command.arguments.front() + ": cancelled"};
    BITLOOM_ASSIGN_OR_RETURN(Process process, Process::start(command));
    while (!process.ended()) {
        process.readOutput(command.maxOutputBytes);
        if (control.stopRequested()) {
            process.askToEnd(command.grace, command.maxOutputBytes);
            return Error{ErrorKind::Cancelled, command.text() + ": cancelled"};
        }
        if (Clock::now() < deadline) continue;
        const std::string last = lastLines(process.err());
        return fail("{}: not done after {:.3g} s{}{}", command.text(),
                    std::chrono::duration<double>(command.timeout).count(),
                    last.empty() ? "" : "; it last said: ", last);
    }
    return process.finish(command.maxOutputBytes);
}

std::optional<std::filesystem::path> findProgram(const std::string& name) {
    const auto isProgram = [](const std::filesystem::path& path) {
        std::error_code ignored;
        return std::filesystem::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
    };
    if (name.find('/') != std::string::npos) return isProgram(name) ? std::optional(name) : std::nullopt;
    const char* variable = std::getenv("PATH");
    std::string_view rest = variable == nullptr ? "" : variable;
    while (!name.empty() && !rest.empty()) {
        const std::size_t end = rest.find(':');
        const std::string_view folder = rest.substr(0, end);
        const std::filesystem::path candidate = std::filesystem::path(folder.empty() ? "." : folder) / name;
        if (isProgram(candidate)) return candidate;
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return std::nullopt;
}

std::string lastLines(std::string_view text, std::size_t lines) {
    constexpr std::size_t kLongest = 2000;
    std::vector<std::string_view> found;
    while (!text.empty() && found.size() < lines) {
        const std::size_t end = text.find_last_not_of(" \t\r\n");
        if (end == std::string_view::npos) break;
        text = text.substr(0, end + 1);
        const std::size_t before = text.find_last_of("\r\n");
        found.push_back(before == std::string_view::npos ? text : text.substr(before + 1));
        text = text.substr(0, before == std::string_view::npos ? 0 : before);
    }
    std::ranges::reverse(found);
    std::string joined;
    for (const std::string_view line : found) {
        if (!joined.empty()) joined += '\n';
        joined += line;
    }
    return joined.size() > kLongest ? joined.substr(joined.size() - kLongest) : joined;
}

std::string lastWords(const CommandOutcome& outcome) {
    std::string words = lastLines(outcome.err);
    return words.empty() ? lastLines(outcome.out) : words;
}

}  // namespace bitloom::device
