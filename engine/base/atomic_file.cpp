#include "engine/base/atomic_file.h"

#include <atomic>
#include <cerrno>
#include <fstream>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "engine/base/system_error.h"

namespace bitloom {
namespace {

namespace fs = std::filesystem;

/// A file descriptor that closes itself.
class Descriptor {
  public:
    explicit Descriptor(int fd) : m_fd(fd) {}
    ~Descriptor() {
        if (m_fd >= 0) ::close(m_fd);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const { return m_fd; }
    [[nodiscard]] bool valid() const { return m_fd >= 0; }

  private:
    int m_fd;
};

Error systemError(const fs::path& path, const char* action) {
    const int code = errno;
    return fail("{}: cannot {}: {}", path.string(), action, describeSystemError(code));
}

Status syncFile(const fs::path& path) {
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return systemError(path, "open it to flush it to disk");
    if (::fsync(fd.get()) != 0) return systemError(path, "flush it to disk");
    return {};
}

/// Makes the names in `folder` durable, where its file system can.
Status syncFolder(const fs::path& folder) {
    const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid() && errno == EACCES) return {};
    if (!fd.valid()) return systemError(folder, "open it to flush it to disk");
    if (::fsync(fd.get()) != 0 && errno != EINVAL && errno != ENOTSUP)
        return systemError(folder, "flush it to disk");
    return {};
}

fs::path folderOf(const fs::path& path) {
    return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

constexpr std::string_view kTemporaryMark = ".tmp";

/// "<path>.tmp<process>-<n>": no two calls share a name.
fs::path temporaryFor(const fs::path& path) {
    static std::atomic<unsigned> calls = 0;
    return path.string() + fmt::format("{}{}-{}", kTemporaryMark, ::getpid(), calls++);
}

bool isTemporaryOf(const std::string& name, const std::string& target) {
    const std::string start = target + std::string(kTemporaryMark);
    return name.size() > start.size() && name.starts_with(start) &&
           name.find_first_not_of("0123456789-", start.size()) == std::string::npos;
}

Status writeAll(int descriptor, std::span<const std::byte> bytes, const fs::path& path) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return systemError(path, "write it");
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
}

}  // namespace

Status replaceFileAtomically(const fs::path& path, const std::function<Status(const fs::path&)>& write) {
    const fs::path temporary = temporaryFor(path);
    Status renamed = [&]() -> Status {
        BITLOOM_RETURN_IF_ERROR(write(temporary));
        BITLOOM_RETURN_IF_ERROR(syncFile(temporary));
        if (::rename(temporary.c_str(), path.c_str()) != 0)
            return systemError(path, "rename the finished file to it");
        return {};
    }();
    if (renamed) return syncFolder(folderOf(path));
    std::error_code ignored;
    fs::remove(temporary, ignored);
    return renamed;
}

Status writeFileAtomically(const fs::path& path, std::span<const std::span<const std::byte>> parts) {
    return replaceFileAtomically(path, [&](const fs::path& temporary) -> Status {
        const Descriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
        if (!fd.valid()) return systemError(path, "create it");
        for (const std::span<const std::byte> part : parts)
            BITLOOM_RETURN_IF_ERROR(writeAll(fd.get(), part, path));
        return {};
    });
}

Status writeFileAtomically(const fs::path& path, std::span<const std::byte> bytes) {
    return writeFileAtomically(path, std::span(&bytes, 1));
}

Status writeFileAtomically(const fs::path& path, std::string_view text) {
    return writeFileAtomically(path, std::as_bytes(std::span(text)));
}

void removeAbandonedTemporaries(const fs::path& path) {
    std::error_code code;
    std::vector<fs::path> abandoned;
    for (fs::directory_iterator file(folderOf(path), code); !code && file != fs::directory_iterator();
         file.increment(code)) {
        if (isTemporaryOf(file->path().filename().string(), path.filename().string()))
            abandoned.push_back(file->path());
    }
    for (const fs::path& file : abandoned)
        fs::remove(file, code);
}

Result<std::string> readFile(const fs::path& path, std::size_t maxBytes) {
    std::error_code code;
    const auto size = fs::file_size(path, code);
    if (code) return fail("{}: cannot read it: {}; check the path", path.string(), code.message());
    if (size > maxBytes) {
        return fail("{}: {} bytes is more than the {} expected of such a file", path.string(), size,
                    maxBytes);
    }
    std::ifstream stream(path, std::ios::binary);
    std::string text(size, '\0');
    if (!stream.read(text.data(), static_cast<std::streamsize>(size))) {
        return systemError(path, "read it");
    }
    return text;
}

}  // namespace bitloom
