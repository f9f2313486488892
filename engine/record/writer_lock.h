// The mark of a living writer: an open-file-description lock on the run file, which the kernel drops with the
// process. It keeps a second writer from replacing a run that is still being written. Readers never look at
// it.
#pragma once

#include <filesystem>

#include "engine/base/result.h"

namespace bitloom::record {

class WriterLock {
  public:
    WriterLock() = default;
    ~WriterLock();
    WriterLock(WriterLock&& other) noexcept;
    WriterLock& operator=(WriterLock&& other) noexcept;

    /// An error when a living writer, of this process or another, holds `path`. A missing file is free.
    [[nodiscard]] static Status ensureFree(const std::filesystem::path& path);
    /// Marks the file at `path` until this object dies; the file may be renamed meanwhile. File systems
    /// without locks are no error: the mark is missing there.
    [[nodiscard]] static Result<WriterLock> take(const std::filesystem::path& path);

    /// fsync of the marked file; false on failure (errno says why).
    [[nodiscard]] bool sync() const;

  private:
    explicit WriterLock(int descriptor) : m_descriptor(descriptor) {}
    int m_descriptor = -1;
};

}  // namespace bitloom::record
