// The mark of a living writer: an open-file-description lock on the run file, which the kernel drops with the
// process. It keeps a second writer from replacing a run that is still being written. Readers never look at
// it. File systems without locks are no error: there is no mark there.
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

    /// Keeps other writers from choosing a file in the folder of `path` until this object dies; waits while
    /// another one does so. To be held from ensureFree() until the new file with its mark is in place: of two
    /// writers that start together, the second then finds the first.
    [[nodiscard]] static WriterLock enterFolderOf(const std::filesystem::path& path);
    /// An error when a living writer, of this process or another, holds `path`. A missing file is free.
    [[nodiscard]] static Status ensureFree(const std::filesystem::path& path);
    /// Marks the file at `path` until this object dies; the file may be renamed meanwhile.
    [[nodiscard]] static Result<WriterLock> take(const std::filesystem::path& path);

    /// fsync of the file; false on failure (errno says why).
    [[nodiscard]] bool sync() const;

  private:
    explicit WriterLock(int descriptor) : m_descriptor(descriptor) {}
    int m_descriptor = -1;
};

}  // namespace bitloom::record
