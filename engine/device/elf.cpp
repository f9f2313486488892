#include "engine/device/elf.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string_view>

#include <elf.h>

namespace bitloom::device {
namespace {

struct Architecture {
    std::string_view abi;
    int machine;
    std::string_view name;
};
constexpr std::array kArchitectures = {
    Architecture{"arm64-v8a", EM_AARCH64, "64-bit ARM"}, Architecture{"armeabi-v7a", EM_ARM, "32-bit ARM"},
    Architecture{"armeabi", EM_ARM, "32-bit ARM"},       Architecture{"x86_64", EM_X86_64, "64-bit x86"},
    Architecture{"x86", EM_386, "32-bit x86"},           Architecture{"riscv64", EM_RISCV, "64-bit RISC-V"},
};

std::string machineName(int machine) {
    const auto* found = std::ranges::find(kArchitectures, machine, &Architecture::machine);
    return found == kArchitectures.end() ? fmt::format("ELF machine {}", machine) : std::string(found->name);
}

template <class Header>
bool readAt(std::ifstream& stream, std::uint64_t offset, Header& header) {
    stream.seekg(static_cast<std::streamoff>(offset));
    return static_cast<bool>(stream.read(reinterpret_cast<char*>(&header), sizeof header));
}

/// Whether everything that the headers point to lies within `size` bytes.
template <class FileHeader, class SegmentHeader>
bool isWhole(std::ifstream& stream, std::uint64_t size) {
    FileHeader file{};
    if (!readAt(stream, 0, file)) return false;
    const std::uint64_t sections = std::uint64_t{file.e_shnum} * file.e_shentsize;
    if (file.e_shoff > size || sections > size - file.e_shoff) return false;
    for (unsigned i = 0; i < file.e_phnum; ++i) {
        SegmentHeader segment{};
        if (file.e_phoff > size) return false;
        if (!readAt(stream, file.e_phoff + std::uint64_t{i} * file.e_phentsize, segment)) return false;
        if (segment.p_offset > size || segment.p_filesz > size - segment.p_offset) return false;
    }
    return true;
}

}  // namespace

Status checkAbi(const std::filesystem::path& file, const std::string& abi) {
    std::error_code code;
    const std::uint64_t size = std::filesystem::file_size(file, code);
    std::ifstream stream(file, std::ios::binary);
    if (code || !stream) return fail("{}: cannot read it; check the path", file.string());
    std::array<unsigned char, EI_NIDENT + 4> start{};
    stream.read(reinterpret_cast<char*>(start.data()), start.size());
    if (stream.gcount() < SELFMAG || std::memcmp(start.data(), ELFMAG, SELFMAG) != 0) return {};
    const Error cut =
        fail("{}: this program has been cut short ({} bytes); build it again", file.string(), size);
    if (stream.gcount() < static_cast<std::streamsize>(start.size())) return cut;

    const auto* wanted = std::ranges::find(kArchitectures, abi, &Architecture::abi);
    if (wanted == kArchitectures.end())
        return fail("{}: the device's ABI is '{}', for which programs are not known", file.string(), abi);
    const bool littleEndian = start[EI_DATA] == ELFDATA2LSB;
    const int machine = start[EI_NIDENT + 2] + 256 * start[EI_NIDENT + 3];  // e_machine, after e_type
    if (!littleEndian || machine != wanted->machine) {
        return fail("{}: built for {}, the device runs {} ({}); build it for that target", file.string(),
                    littleEndian ? machineName(machine) : "a big-endian processor", wanted->name, abi);
    }
    const bool whole = start[EI_CLASS] == ELFCLASS64 ? isWhole<Elf64_Ehdr, Elf64_Phdr>(stream, size)
                                                     : isWhole<Elf32_Ehdr, Elf32_Phdr>(stream, size);
    return whole ? Status() : Status(cut);
}

std::vector<std::string> missingFeatures(const report::DeviceInfo& info,
                                         const std::vector<std::string>& required) {
    std::vector<std::string> missing;
    for (const std::string& feature : required) {
        if (std::ranges::find(info.features, feature) == info.features.end()) missing.push_back(feature);
    }
    return missing;
}

}  // namespace bitloom::device
