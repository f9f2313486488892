#include "engine/base/atomic_file.h"

#include <cerrno>
#include <fstream>

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

Status syncPath(const fs::path& path, int flags) {
    Descriptor fd(::open(path.c_str(), flags | O_CLOEXEC));
    if (!fd.valid()) return systemError(path, "open it to flush it to disk");
    if (::fsync(fd.get()) != 0) return systemError(path, "flush it to disk");
    return {};
}

}  // namespace

Status replaceFileAtomically(const fs::path& path, const std::function<Status(const fs::path&)>& write) {
    const fs::path temporary = path.string() + fmt::format(".tmp{}", ::getpid());
    const auto written = [&]() -> Status {
        BITLOOM_RETURN_IF_ERROR(write(temporary));
        BITLOOM_RETURN_IF_ERROR(syncPath(temporary, O_RDONLY));
        if (::rename(temporary.c_str(), path.c_str()) != 0)
            return systemError(path, "rename the finished file to it");
        const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
        return syncPath(folder, O_RDONLY | O_DIRECTORY);
    }();
    if (!written) {
        std::error_code ignored;
        fs::remove(temporary, ignored);
    }
    return written;
}

Status writeFileAtomically(const fs::path& path, std::span<const std::byte> bytes) {
    return replaceFileAtomically(path, [&](const fs::path& temporary) -> Status {
        Descriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
        if (!fd.valid()) return systemError(path, "create it");
        while (!bytes.empty()) {
            const ssize_t written = ::write(fd.get(), bytes.data(), bytes.size());
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) return systemError(path, "write it");
            bytes = bytes.subspan(static_cast<std::size_t>(written));
        }
        return {};
    });
}

Status writeFileAtomically(const fs::path& path, std::string_view text) {
    return writeFileAtomically(path, std::as_bytes(std::span(text)));
}

Result<std::string> readTextFile(const fs::path& path, std::size_t maxBytes) {
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
