#include "engine/jobs/runner_build.h"

#include <algorithm>
#include <cstdlib>
#include <future>
#include <iterator>
#include <optional>
#include <span>
#include <sstream>
#include <system_error>
#include <thread>

#include "engine/base/atomic_file.h"
#include "engine/base/hash.h"
#include "engine/device/command.h"
#include "engine/jobs/file_lock.h"
#include "engine/qsimd/bundle_files.h"
#include "engine/qsimd/catalogue.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;
using device::Command;

constexpr auto kCompileTimeout = std::chrono::minutes(5);

struct Compiler {
    std::vector<std::string> command;  ///< program and arguments that choose the target
    std::vector<std::string> link;     ///< more of them for linking
    bool gnu = true;
};

std::optional<std::string> environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

#if defined(__aarch64__)
constexpr const char* kHostAbi = "arm64-v8a";
#else
constexpr const char* kHostAbi = "x86_64";
#endif

Result<Compiler> compilerFor(const std::string& abi) {
    if (abi == kHostAbi) {
        if (const auto named = environment("CXX")) {
            // As make reads it: a program and its arguments.
            std::istringstream words(*named);
            std::vector<std::string> command{std::istream_iterator<std::string>(words), {}};
            if (command.empty() || !device::findProgram(command.front()))
                return fail("CXX={}: there is no such program; correct or unset it", *named);
            return Compiler{std::move(command), {}, named->find("clang") == std::string::npos};
        }
        for (const std::string name : {"c++", "g++", "clang++"})
            if (device::findProgram(name))
                return Compiler{{name}, {}, name.find("clang") == std::string::npos};
        return fail("No C++ compiler for this computer: install g++ (apt-get install g++) or set CXX");
    }
    if (abi != "arm64-v8a")
        return fail("There are no kernels for processors of the kind {}; there are for arm64-v8a and x86_64",
                    abi);
    if (const auto ndk = environment("ANDROID_NDK_ROOT")) {
        const fs::path clang = fs::path(*ndk) / "toolchains/llvm/prebuilt/linux-x86_64/bin/clang++";
        std::error_code ignored;
        if (!fs::exists(clang, ignored))
            return fail("ANDROID_NDK_ROOT={}: there is no {}; correct or unset it", *ndk, clang.string());
        return Compiler{{clang.string(), "--target=aarch64-linux-android24"}, {"-static-libstdc++"}, false};
    }
    if (device::findProgram("aarch64-linux-gnu-g++"))
        return Compiler{{"aarch64-linux-gnu-g++"}, {"-static"}, true};
    return fail(
        "No compiler for ARM: install Debian's (apt-get install g++-aarch64-linux-gnu) or set "
        "ANDROID_NDK_ROOT to an "
        "Android NDK");
}

/// The runner that was built with this program.
std::optional<fs::path> ownRunner() {
    std::error_code error;
    const fs::path beside = fs::read_symlink("/proc/self/exe", error).parent_path() / "bitloom_runner";
    return !error && fs::exists(beside, error) ? std::optional(beside) : std::nullopt;
}

std::string firstLine(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

std::uint64_t hashLine(std::string_view line, std::uint64_t hash) {
    hash = hashBytes(std::as_bytes(std::span(line)), hash);
    return hashBytes(std::as_bytes(std::span("\n", 1)), hash);
}

/// Everything that decides the program's bytes.
std::string keyOf(const Compiler& compiler, const std::string& version) {
    std::uint64_t hash = hashLine(version, kHashSeed);
    for (const std::string& part : compiler.command)
        hash = hashLine(part, hash);
    return hashText(hashLine(runnerSourcesHash(), hash));
}

class Build {
  public:
    Build(Compiler compiler, qsimd::Processor processor, fs::path folder, const JobControl& control)
        : m_compiler(std::move(compiler)),
          m_processor(processor),
          m_folder(std::move(folder)),
          m_control(control) {}

    ~Build() {
        std::error_code ignored;
        fs::remove_all(m_folder, ignored);
    }
    Build(const Build&) = delete;
    Build& operator=(const Build&) = delete;

    Status writeSources() {
        for (const qsimd::BundleFile& file : qsimd::bundleFiles()) {
            const fs::path path = m_folder / "engine/qsimd" / file.path;
            std::error_code error;
            fs::create_directories(path.parent_path(), error);
            if (error) return fail("{}: {}", path.parent_path().string(), error.message());
            BITLOOM_RETURN_IF_ERROR(writeFileAtomically(path, file.text));
            if (!file.path.ends_with(".cpp")) continue;
            // Files of the other processor define nothing that this one asks for.
            auto flags = qsimd::compilerFlags(file.path, m_processor, m_compiler.gnu);
            if (flags) m_sources.push_back({std::string(file.path), std::move(*flags)});
        }
        return {};
    }

    Status compileAll(report::ProgressSink& sink) {
        const std::size_t atOnce = std::max(1U, std::thread::hardware_concurrency());
        for (std::size_t first = 0; first < m_sources.size(); first += atOnce) {
            const std::size_t end = std::min(first + atOnce, m_sources.size());
            sink.progress({"building the runner", static_cast<std::int64_t>(first),
                           static_cast<std::int64_t>(m_sources.size()), 0, report::kNoValue});
            std::vector<std::future<Status>> jobs;
            for (std::size_t i = first; i < end; ++i)
                jobs.push_back(std::async(std::launch::async, [this, i] { return compile(i); }));
            Status worst;
            for (std::future<Status>& job : jobs) {
                if (Status status = job.get(); !status) worst = std::move(status);
            }
            BITLOOM_RETURN_IF_ERROR(std::move(worst));
        }
        return {};
    }

    Status link(const fs::path& program) {
        Command command;
        command.arguments = m_compiler.command;
        for (std::size_t i = 0; i < m_sources.size(); ++i)
            command.arguments.push_back(object(i));
        command.arguments.insert(command.arguments.end(), m_compiler.link.begin(), m_compiler.link.end());
        command.arguments.insert(command.arguments.end(), {"-pthread", "-o", program.string()});
        return run(std::move(command), "the runner");
    }

  private:
    [[nodiscard]] std::string object(std::size_t i) const {
        return (m_folder / fmt::format("{}.o", i)).string();
    }

    Status compile(std::size_t i) const {
        Command command;
        command.arguments = m_compiler.command;
        const std::vector<std::string>& flags = m_sources[i].flags;
        command.arguments.insert(
            command.arguments.end(),
            {"-std=c++20", "-O3", "-DNDEBUG", "-ffp-contract=off", "-w", "-I", m_folder.string()});
        command.arguments.insert(command.arguments.end(), flags.begin(), flags.end());
        command.arguments.insert(
            command.arguments.end(),
            {"-c", (m_folder / "engine/qsimd" / m_sources[i].file).string(), "-o", object(i)});
        return run(std::move(command), m_sources[i].file);
    }

    Status run(Command command, const std::string& what) const {
        command.timeout = kCompileTimeout;
        BITLOOM_ASSIGN_OR_RETURN(const device::CommandOutcome outcome,
                                 device::runCommand(command, m_control));
        if (outcome.exitCode == 0) return {};
        return fail("{} does not compile with {}: {}", what, m_compiler.command.front(),
                    device::lastWords(outcome));
    }

    struct Source {
        std::string file;
        std::vector<std::string> flags;  ///< beside the common ones
    };

    Compiler m_compiler;
    qsimd::Processor m_processor;
    fs::path m_folder;
    const JobControl& m_control;
    std::vector<Source> m_sources;
};

}  // namespace

const std::string& runnerSourcesHash() {
    static const std::string text = [] {
        std::uint64_t hash = kHashSeed;
        for (const qsimd::BundleFile& file : qsimd::bundleFiles())
            hash = hashLine(file.text, hashLine(file.path, hash));
        return hashText(hash);
    }();
    return text;
}

fs::path runnerCache() {
    if (const auto cache = environment("XDG_CACHE_HOME")) return fs::path(*cache) / "bitloom/runners";
    return fs::path(environment("HOME").value_or("/tmp")) / ".cache/bitloom/runners";
}

Result<RunnerBuild> buildRunner(const std::string& abi, const fs::path& cache, report::ProgressSink& sink,
                                const JobControl& control) {
    if (const auto own = ownRunner(); own && abi == kHostAbi)
        return RunnerBuild{*own, "the build of this program", true};
    return compileRunner(abi, cache, sink, control);
}

Result<RunnerBuild> compileRunner(const std::string& abi, const fs::path& cache, report::ProgressSink& sink,
                                  const JobControl& control) {
    BITLOOM_ASSIGN_OR_RETURN(const Compiler compiler, compilerFor(abi));
    Command ask;
    ask.arguments = compiler.command;
    ask.arguments.emplace_back("--version");
    BITLOOM_ASSIGN_OR_RETURN(const device::CommandOutcome version, device::runCommand(ask, control));
    if (version.exitCode != 0)
        return fail("{} does not run: {}", compiler.command.front(), device::lastWords(version));

    RunnerBuild build;
    build.compiler = firstLine(version.out);
    const fs::path folder = cache / keyOf(compiler, build.compiler);
    build.program = folder / "bitloom_runner";
    std::error_code error;
    build.cached = fs::exists(build.program, error);
    if (build.cached) return build;

    fs::create_directories(folder, error);
    if (error) return fail("{}: {}", folder.string(), error.message());
    BITLOOM_ASSIGN_OR_RETURN(const FileLock lock, FileLock::take(folder / "lock", control));
    build.cached = fs::exists(build.program, error);  // another process may have built it meanwhile
    if (build.cached) return build;
    Build making(compiler, *qsimd::processorOf(abi), folder / fmt::format("build-{}", ::getpid()), control);
    BITLOOM_RETURN_IF_ERROR(making.writeSources());
    BITLOOM_RETURN_IF_ERROR(making.compileAll(sink));
    BITLOOM_RETURN_IF_ERROR(replaceFileAtomically(
        build.program, [&making](const fs::path& temporary) { return making.link(temporary); }));
    return build;
}

}  // namespace bitloom::jobs
