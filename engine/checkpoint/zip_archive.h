// The part of the zip format that weight files use: stored and deflated entries, zip64, read through the
// central directory. Format: PKWARE APPNOTE 6.3.9. Encryption and split archives are refused.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/checkpoint/input_file.h"

namespace bitloom::checkpoint {

struct ZipEntry {
    std::uint16_t flags = 0;
    std::uint16_t method = 0;  ///< 0 stored, 8 deflated
    std::uint32_t crc32 = 0;   ///< of the unpacked bytes; 0 where the writer left it out
    std::uint64_t packedSize = 0;
    std::uint64_t size = 0;
    std::uint64_t headerOffset = 0;  ///< of the local header

    [[nodiscard]] bool stored() const { return method == 0; }
};

class ZipArchive {
  public:
    /// Reads the directory. `file` and `budget` must outlive the archive.
    [[nodiscard]] static Result<ZipArchive> open(const InputFile& file, MemoryBudget& budget);

    [[nodiscard]] const std::map<std::string, ZipEntry, std::less<>>& entries() const { return m_entries; }
    [[nodiscard]] const ZipEntry* find(std::string_view name) const;

    /// Where the packed bytes of an entry start; the range up to packedSize lies inside the file.
    [[nodiscard]] Result<std::uint64_t> dataOffset(const ZipEntry& entry) const;
    /// The unpacked bytes, checked against size and checksum.
    [[nodiscard]] Result<std::vector<std::byte>> unpack(const ZipEntry& entry) const;

  private:
    ZipArchive(const InputFile& file, MemoryBudget& budget) : m_file(&file), m_budget(&budget) {}
    Status readDirectory(std::uint64_t offset, std::uint64_t size, std::uint64_t count);

    const InputFile* m_file;
    MemoryBudget* m_budget;
    std::map<std::string, ZipEntry, std::less<>> m_entries;
};

}  // namespace bitloom::checkpoint
