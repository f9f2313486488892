#include "engine/jobs/file_lock.h"

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "engine/base/system_error.h"

namespace bitloom::jobs {

Result<FileLock> FileLock::take(const std::filesystem::path& path, const JobControl& control) {
    FileLock lock(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
    if (lock.m_file < 0) return fail("{}: {}", path.string(), describeSystemError(errno));
    while (::flock(lock.m_file, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return fail("{}: {}", path.string(), describeSystemError(errno));
        if (control.stopRequested())
            return Error{ErrorKind::Cancelled, fmt::format("Cancelled while {} was locked", path.string())};
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return lock;
}

FileLock::FileLock(FileLock&& other) noexcept : m_file(std::exchange(other.m_file, -1)) {}

FileLock::~FileLock() {
    if (m_file >= 0) ::close(m_file);
}

}  // namespace bitloom::jobs
