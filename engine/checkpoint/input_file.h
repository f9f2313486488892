// A weight file opened for reading by position, and the memory that reading it may take. Files are read, not
// mapped: a file that another program shortens meanwhile gives an error and not a signal. Messages here and
// in all readers leave out the path; readCheckpoint puts it in front.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace bitloom::checkpoint {

/// What every message about damaged content ends with.
inline constexpr const char* kCopyAgain = "the file is damaged or incomplete; download or copy it again";

class InputFile {
  public:
    /// Refuses folders, devices and files that cannot be read.
    [[nodiscard]] static Result<InputFile> open(const std::filesystem::path& path);

    InputFile(InputFile&& other) noexcept;
    InputFile& operator=(InputFile&&) = delete;
    ~InputFile();

    [[nodiscard]] const std::filesystem::path& path() const { return m_path; }
    [[nodiscard]] std::uint64_t size() const { return m_size; }
    /// Whether [offset, offset + length) lies inside the file.
    [[nodiscard]] bool contains(std::uint64_t offset, std::uint64_t length) const {
        return offset <= m_size && length <= m_size - offset;
    }

    /// Fills `bytes` from `offset`.
    [[nodiscard]] Status read(std::uint64_t offset, std::span<std::byte> bytes) const;
    /// Checks the range against the file before it allocates.
    [[nodiscard]] Result<std::vector<std::byte>> read(std::uint64_t offset, std::uint64_t length) const;

  private:
    InputFile(std::filesystem::path path, int descriptor, std::uint64_t size);

    std::filesystem::path m_path;
    int m_descriptor = -1;
    std::uint64_t m_size = 0;
};

/// What one file may expand to: compressed data, broadcast tensors and many views of one storage can claim
/// far more than a file holds.
class MemoryBudget {
  public:
    explicit MemoryBudget(std::uint64_t fileSize)
        : m_left(kFloor + kPerFileByte * std::min(fileSize, kLargestFile)) {}

    /// Takes `bytes` for `purpose` ("tensor conv1.weight"), or refuses.
    [[nodiscard]] Status charge(std::uint64_t bytes, std::string_view purpose);

  private:
    static constexpr std::uint64_t kFloor = std::uint64_t{64} << 20;
    static constexpr std::uint64_t kPerFileByte = 8;
    static constexpr std::uint64_t kLargestFile = std::uint64_t{1}
                                                  << 56;  ///< keeps the product from wrapping
    std::uint64_t m_left;
};

}  // namespace bitloom::checkpoint
