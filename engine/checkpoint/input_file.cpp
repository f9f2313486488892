#include "engine/checkpoint/input_file.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/system_error.h"

namespace bitloom::checkpoint {

Result<InputFile> InputFile::open(const std::filesystem::path& path) {
    // O_NONBLOCK: opening a named pipe must fail below, not wait for a writer.
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        const int code = errno;
        const char* remedy =
            code == ENOENT ? "check the path" : "check the permissions of the file and its folders";
        return fail("cannot open it: {}; {}", std::generic_category().message(code), remedy);
    }
    struct stat status = {};
    InputFile file(path, descriptor, 0);
    if (::fstat(descriptor, &status) != 0)
        return fail("cannot examine it: {}; check the disk", describeSystemError(errno));
    if (S_ISDIR(status.st_mode)) return fail("this is a folder; name a weight file inside it");
    if (!S_ISREG(status.st_mode)) return fail("this is not a regular file; copy its content to one");
    file.m_size = static_cast<std::uint64_t>(status.st_size);
    return file;
}

InputFile::InputFile(std::filesystem::path path, int descriptor, std::uint64_t size)
    : m_path(std::move(path)), m_descriptor(descriptor), m_size(size) {}

InputFile::InputFile(InputFile&& other) noexcept
    : m_path(std::move(other.m_path)),
      m_descriptor(std::exchange(other.m_descriptor, -1)),
      m_size(other.m_size) {}

InputFile::~InputFile() {
    if (m_descriptor >= 0) ::close(m_descriptor);
}

Status InputFile::read(std::uint64_t offset, std::span<std::byte> bytes) const {
    while (!bytes.empty()) {
        const ssize_t count = ::pread(m_descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0)
            return fail("cannot read at byte {}: {}; check the disk", offset, describeSystemError(errno));
        if (count == 0) return fail("ends at byte {} where more was expected: {}", offset, kCopyAgain);
        bytes = bytes.subspan(static_cast<std::size_t>(count));
        offset += static_cast<std::uint64_t>(count);
    }
    return {};
}

Result<std::vector<std::byte>> InputFile::read(std::uint64_t offset, std::uint64_t length) const {
    if (!contains(offset, length)) {
        return fail("needs {} bytes from byte {} but is {} bytes long: {}", length, offset, m_size,
                    kCopyAgain);
    }
    std::vector<std::byte> bytes(static_cast<std::size_t>(length));
    BITLOOM_RETURN_IF_ERROR(read(offset, std::span(bytes)));
    return bytes;
}

Status MemoryBudget::charge(std::uint64_t bytes, std::string_view purpose) {
    if (bytes > m_left) {
        return fail(
            "{} would need {} bytes, far more than such a file can hold; if the file is genuine, save "
            "contiguous uncompressed copies of its tensors",
            purpose, bytes);
    }
    m_left -= bytes;
    return {};
}

}  // namespace bitloom::checkpoint
