#include "engine/checkpoint/checkpoint.h"

#include <algorithm>
#include <array>
#include <exception>
#include <new>
#include <string_view>

#include "engine/checkpoint/readers.h"
#include "engine/checkpoint/utf8.h"

namespace bitloom::checkpoint {
namespace {

/// Text at `offset`, shorter or empty where the file ends.
Result<std::string> textAt(const InputFile& file, std::uint64_t offset, std::uint64_t length) {
    if (offset >= file.size()) return std::string();
    std::string text(static_cast<std::size_t>(std::min(length, file.size() - offset)), '\0');
    BITLOOM_RETURN_IF_ERROR(file.read(offset, std::as_writable_bytes(std::span(text))));
    return text;
}

/// HDF5 allows a foreign block before its signature: 512 bytes, or any doubling of it.
Result<bool> isHdf5(const InputFile& file) {
    constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";
    for (std::uint64_t offset = 0; offset < file.size() && offset < (1u << 20);
         offset = offset == 0 ? 512 : offset * 2) {
        BITLOOM_ASSIGN_OR_RETURN(const std::string text, textAt(file, offset, kSignature.size()));
        if (text == kSignature) return true;
    }
    return false;
}

Result<Checkpoint> dispatch(const InputFile& file) {
    constexpr char kHeaderStart = '{';
    constexpr std::size_t kHeaderAt = 8;
    constexpr char kPickleStart = '\x80';
    if (file.size() == 0) return fail("it is empty; download or copy it again");
    BITLOOM_ASSIGN_OR_RETURN(const std::string head, textAt(file, 0, 32));
    // safetensors has no signature: a JSON object after the length. No other format has a brace there.
    if (head.size() > kHeaderAt && head[kHeaderAt] == kHeaderStart) return readSafetensors(file);
    if (head.starts_with("PK\x03\x04") || head.starts_with("PK\x05\x06")) return readPyTorchZip(file);
    if (head[0] == kPickleStart || head.starts_with("L119547037146038801333356L"))
        return readPyTorchLegacy(file);
    BITLOOM_ASSIGN_OR_RETURN(const bool hdf5, isHdf5(file));
    if (hdf5) return readHdf5(file);
    return fail(
        "not a weight file that Bitloom knows; it reads PyTorch (.pt .pth .th), safetensors and HDF5, and "
        "recognises them by content");
}

}  // namespace

const char* toText(Format format) {
    switch (format) {
        case Format::PyTorchZip:
            return "PyTorch zip";
        case Format::PyTorchLegacy:
            return "PyTorch legacy";
        case Format::Safetensors:
            return "safetensors";
        case Format::Hdf5:
            return "HDF5";
    }
    return "";
}

Result<Checkpoint> readCheckpoint(const std::filesystem::path& path) {
    const auto read = [&path]() -> Result<Checkpoint> {
        try {
            BITLOOM_ASSIGN_OR_RETURN(const InputFile file, InputFile::open(path));
            return dispatch(file);
        } catch (const std::bad_alloc&) {
            return fail("not enough memory to read it; close other programs");
        } catch (const std::exception& problem) {
            return fail("{}: {}", problem.what(), kCopyAgain);
        }
    };
    Result<Checkpoint> checkpoint = read();
    if (checkpoint) return checkpoint;
    return fail("{}: {}", path.string(), printable(checkpoint.error().message));
}

}  // namespace bitloom::checkpoint
