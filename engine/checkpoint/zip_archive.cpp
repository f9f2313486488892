#include "engine/checkpoint/zip_archive.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <zlib.h>

#include "engine/checkpoint/byte_reader.h"

namespace bitloom::checkpoint {
namespace {

constexpr std::uint32_t kEndSignature = 0x06054b50;
constexpr std::uint32_t kEnd64Signature = 0x06064b50;
constexpr std::uint32_t kEnd64LocatorSignature = 0x07064b50;
constexpr std::uint32_t kEntrySignature = 0x02014b50;
constexpr std::uint32_t kLocalSignature = 0x04034b50;
constexpr std::uint64_t kEndLength = 22;
constexpr std::uint64_t kEnd64Length = 56;
constexpr std::uint64_t kEnd64LocatorLength = 20;
constexpr std::uint64_t kEntryLength = 46;
constexpr std::uint64_t kLocalLength = 30;
constexpr std::uint64_t kMaxComment = 0xffff;
constexpr std::uint64_t kMaxDirectory = std::uint64_t{64} << 20;
/// 32- and 16-bit fields with this value are given in the zip64 record instead.
constexpr std::uint32_t kIn64 = 0xffffffff;
constexpr std::uint16_t kZip64Extra = 1;
constexpr std::uint16_t kEncrypted = 1;

struct Directory {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::uint64_t count = 0;
};

Error damaged(std::string_view what) {
    return fail("its zip directory {}: {}", what, kCopyAgain);
}

Result<Directory> findDirectory64(const InputFile& file, std::uint64_t endOffset) {
    if (endOffset < kEnd64LocatorLength) return damaged("lacks its zip64 part");
    BITLOOM_ASSIGN_OR_RETURN(const auto locatorBytes,
                             file.read(endOffset - kEnd64LocatorLength, kEnd64LocatorLength));
    ByteReader locator(locatorBytes);
    if (locator.read<std::uint32_t>() != kEnd64LocatorSignature) return damaged("lacks its zip64 part");
    locator.take(4);
    BITLOOM_ASSIGN_OR_RETURN(const auto endBytes, file.read(locator.read<std::uint64_t>(), kEnd64Length));
    ByteReader end(endBytes);
    if (end.read<std::uint32_t>() != kEnd64Signature) return damaged("lacks its zip64 part");
    end.take(28);
    Directory directory;
    directory.count = end.read<std::uint64_t>();
    directory.size = end.read<std::uint64_t>();
    directory.offset = end.read<std::uint64_t>();
    return directory;
}

/// The end record lies before a comment of unknown length, so it is searched from the back.
Result<Directory> findDirectory(const InputFile& file) {
    const std::uint64_t tailLength = std::min(file.size(), kEndLength + kMaxComment);
    const std::uint64_t tailOffset = file.size() - tailLength;
    BITLOOM_ASSIGN_OR_RETURN(const auto tail, file.read(tailOffset, tailLength));
    for (std::uint64_t i = tailLength < kEndLength ? 0 : tailLength - kEndLength + 1; i > 0; --i) {
        ByteReader end(std::span<const std::byte>(tail).subspan(i - 1));
        if (end.read<std::uint32_t>() != kEndSignature) continue;
        end.take(6);
        Directory directory;
        directory.count = end.read<std::uint16_t>();
        directory.size = end.read<std::uint32_t>();
        directory.offset = end.read<std::uint32_t>();
        if (end.read<std::uint16_t>() != end.remaining())
            continue;  // not the record but bytes that look like it
        if (directory.count == 0xffff || directory.size == kIn64 || directory.offset == kIn64) {
            return findDirectory64(file, tailOffset + i - 1);
        }
        return directory;
    }
    return damaged("is missing at its end");
}

/// Replaces the fields that are kept in the zip64 extra field, in their fixed order.
Status applyZip64(ByteReader extra, ZipEntry& entry) {
    while (extra.remaining() >= 4) {
        const auto id = extra.read<std::uint16_t>();
        ByteReader field(extra.take(extra.read<std::uint16_t>()));
        if (id != kZip64Extra) continue;
        for (std::uint64_t* value : {&entry.size, &entry.packedSize, &entry.headerOffset}) {
            if (*value == kIn64) *value = field.read<std::uint64_t>();
        }
        if (field.exhausted()) return damaged("has a short zip64 field");
    }
    return {};
}

/// zlib's window over `packed` into exactly `out`.
bool inflateInto(std::span<const std::byte> packed, std::span<std::byte> out) {
    constexpr std::size_t kChunk = std::size_t{1} << 30;  // zlib counts in 32 bits
    if (out.empty()) return true;
    z_stream stream = {};
    if (::inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    std::size_t inLeft = packed.size();
    std::size_t outLeft = out.size();
    int code = Z_OK;
    while (code == Z_OK) {
        stream.avail_in = static_cast<uInt>(std::min(inLeft, kChunk));
        stream.avail_out = static_cast<uInt>(std::min(outLeft, kChunk));
        const std::size_t inGiven = stream.avail_in;
        const std::size_t outGiven = stream.avail_out;
        code = ::inflate(&stream, Z_NO_FLUSH);
        inLeft -= inGiven - stream.avail_in;
        outLeft -= outGiven - stream.avail_out;
    }
    ::inflateEnd(&stream);
    return code == Z_STREAM_END && outLeft == 0;
}

}  // namespace

Result<ZipArchive> ZipArchive::open(const InputFile& file, MemoryBudget& budget) {
    BITLOOM_ASSIGN_OR_RETURN(const Directory directory, findDirectory(file));
    ZipArchive archive(file, budget);
    BITLOOM_RETURN_IF_ERROR(archive.readDirectory(directory.offset, directory.size, directory.count));
    return archive;
}

Status ZipArchive::readDirectory(std::uint64_t offset, std::uint64_t size, std::uint64_t count) {
    if (size > kMaxDirectory) return damaged("claims an absurd size");
    BITLOOM_ASSIGN_OR_RETURN(const auto bytes, m_file->read(offset, size));
    if (count > size / kEntryLength) return damaged("claims more entries than it holds");
    ByteReader in(bytes);
    for (std::uint64_t i = 0; i < count; ++i) {
        if (in.read<std::uint32_t>() != kEntrySignature) return damaged("is malformed");
        in.take(4);  // versions
        ZipEntry entry;
        entry.flags = in.read<std::uint16_t>();
        entry.method = in.read<std::uint16_t>();
        in.take(4);  // time
        entry.crc32 = in.read<std::uint32_t>();
        entry.packedSize = in.read<std::uint32_t>();
        entry.size = in.read<std::uint32_t>();
        const auto nameLength = in.read<std::uint16_t>();
        const auto extraLength = in.read<std::uint16_t>();
        const auto commentLength = in.read<std::uint16_t>();
        in.take(8);  // disk and attributes
        entry.headerOffset = in.read<std::uint32_t>();
        std::string name(in.takeText(nameLength));
        BITLOOM_RETURN_IF_ERROR(applyZip64(ByteReader(in.take(extraLength)), entry));
        in.take(commentLength);
        if (in.exhausted()) return damaged("is malformed");
        const auto [place, added] = m_entries.emplace(std::move(name), entry);
        if (!added) return fail("entry {} occurs twice in the zip: {}", place->first, kCopyAgain);
    }
    return {};
}

const ZipEntry* ZipArchive::find(std::string_view name) const {
    const auto found = m_entries.find(name);
    return found == m_entries.end() ? nullptr : &found->second;
}

Result<std::uint64_t> ZipArchive::dataOffset(const ZipEntry& entry) const {
    if ((entry.flags & kEncrypted) != 0) return fail("its zip is encrypted; save it again with torch.save");
    if (entry.method != 0 && entry.method != Z_DEFLATED) {
        return fail("its zip uses compression method {}; save it again with torch.save", entry.method);
    }
    // The local header repeats name and extra field with lengths of its own: torch pads here to align the
    // data.
    BITLOOM_ASSIGN_OR_RETURN(const auto bytes, m_file->read(entry.headerOffset, kLocalLength));
    ByteReader local(bytes);
    if (local.read<std::uint32_t>() != kLocalSignature)
        return damaged("points to something that is no entry");
    local.take(22);
    const std::uint64_t nameLength = local.read<std::uint16_t>();
    const std::uint64_t offset = entry.headerOffset + kLocalLength + nameLength + local.read<std::uint16_t>();
    if (!m_file->contains(offset, entry.packedSize)) return damaged("claims more bytes than the file has");
    if (entry.stored() && entry.size != entry.packedSize) return damaged("contradicts itself about a size");
    return offset;
}

Result<std::vector<std::byte>> ZipArchive::unpack(const ZipEntry& entry) const {
    BITLOOM_ASSIGN_OR_RETURN(const std::uint64_t offset, dataOffset(entry));
    std::vector<std::byte> bytes;
    if (entry.stored()) {
        BITLOOM_ASSIGN_OR_RETURN(bytes, m_file->read(offset, entry.size));
    } else {
        BITLOOM_RETURN_IF_ERROR(m_budget->charge(entry.size, "a compressed entry of its zip"));
        BITLOOM_ASSIGN_OR_RETURN(const auto packed, m_file->read(offset, entry.packedSize));
        bytes.resize(static_cast<std::size_t>(entry.size));
        if (!inflateInto(packed, bytes))
            return fail("a compressed entry of its zip does not unpack: {}", kCopyAgain);
    }
    const auto sum = ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
    if (entry.crc32 != 0 && sum != entry.crc32) {
        return fail("an entry of its zip does not match its checksum: {}", kCopyAgain);
    }
    return bytes;
}

}  // namespace bitloom::checkpoint
