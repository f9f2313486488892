#include "engine/record/writer_lock.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "engine/base/system_error.h"

namespace bitloom::record {
namespace {

/// A byte that no file reaches, so that mandatory locks or emulated flock() of other programs meet nothing.
struct flock lockedByte() {
    struct flock range {};
    range.l_type = F_WRLCK;
    range.l_whence = SEEK_SET;
    range.l_start = off_t{1} << 62;
    range.l_len = 1;
    return range;
}

Error heldByAnother(const std::filesystem::path& path) {
    return fail("{}: a run is still being written to it; stop that run or choose another file",
                path.string());
}

}  // namespace

WriterLock::~WriterLock() {
    if (m_descriptor >= 0) ::close(m_descriptor);
}

WriterLock::WriterLock(WriterLock&& other) noexcept : m_descriptor(std::exchange(other.m_descriptor, -1)) {}

WriterLock& WriterLock::operator=(WriterLock&& other) noexcept {
    std::swap(m_descriptor, other.m_descriptor);
    return *this;
}

WriterLock WriterLock::enterFolderOf(const std::filesystem::path& path) {
    const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
    // flock, since a folder cannot be opened for writing, which the other kind of lock asks for.
    WriterLock lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    while (lock.m_descriptor >= 0 && ::flock(lock.m_descriptor, LOCK_EX) != 0 && errno == EINTR) {
    }
    return lock;
}

Status WriterLock::ensureFree(const std::filesystem::path& path) {
    const WriterLock probe(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (probe.m_descriptor < 0) return {};
    struct flock range = lockedByte();
    if (::fcntl(probe.m_descriptor, F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK)
        return heldByAnother(path);
    return {};
}

Result<WriterLock> WriterLock::take(const std::filesystem::path& path) {
    WriterLock lock(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (lock.m_descriptor < 0)
        return fail("{}: cannot open it: {}", path.string(), describeSystemError(errno));
    struct flock range = lockedByte();
    const bool locked = ::fcntl(lock.m_descriptor, F_OFD_SETLK, &range) == 0;
    if (!locked && (errno == EAGAIN || errno == EACCES)) return heldByAnother(path);
    return lock;  // unmarked where the file system has no locks (ENOLCK, EINVAL, EOPNOTSUPP)
}

bool WriterLock::sync() const {
    return ::fsync(m_descriptor) == 0;
}

}  // namespace bitloom::record
