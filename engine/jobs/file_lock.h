// A lock on a file against other processes. Any thread.
#pragma once

#include <filesystem>

#include "engine/base/job_control.h"
#include "engine/base/result.h"

namespace bitloom::jobs {

/// Held until the object dies, or its process.
class FileLock {
  public:
    /// Makes the file where it is missing, and waits as long as another holds it. Errors: a file that cannot
    /// be made; Cancelled.
    [[nodiscard]] static Result<FileLock> take(const std::filesystem::path& path, const JobControl& control);
    FileLock(FileLock&& other) noexcept;
    FileLock& operator=(FileLock&&) = delete;
    ~FileLock();

  private:
    explicit FileLock(int file) : m_file(file) {}
    int m_file;
};

}  // namespace bitloom::jobs
