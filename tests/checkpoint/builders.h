// Builds weight files byte by byte, whole or damaged, so that tests need no Python.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace bitloom::testing {

/// Little-endian bytes of a number.
template <class T>
std::string raw(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

/// Element i of every tensor in the committed fixtures, exact in every floating type.
inline double fixtureValue(std::int64_t i) {
    return static_cast<double>((37 * i) % 101 - 50) / 64;
}
/// The first `count` of them.
std::vector<float> fixtureValues(std::size_t count);
std::string floatBytes(std::size_t count);  ///< the same as bytes of float32

/// A pickle of protocol 2, one call an instruction. Containers are opened, filled and closed by the caller.
class PickleBuilder {
  public:
    PickleBuilder& op(std::string_view bytes) {
        m_bytes += bytes;
        return *this;
    }
    PickleBuilder& text(std::string_view value);
    PickleBuilder& integer(std::int64_t value);
    PickleBuilder& real(double value);
    PickleBuilder& global(std::string_view module, std::string_view name);
    PickleBuilder& integers(const std::vector<std::int64_t>& values);  ///< a tuple
    PickleBuilder& mark() { return op("("); }
    PickleBuilder& tuple() { return op("t"); }
    PickleBuilder& dict() { return op("}"); }
    PickleBuilder& setItems() { return op("u"); }
    PickleBuilder& reduce() { return op("R"); }
    /// A tensor of storage `key`, as torch.save describes it.
    PickleBuilder& tensor(std::string_view key, std::int64_t elements, const std::vector<std::int64_t>& shape,
                          const std::vector<std::int64_t>& strides, std::int64_t offset = 0,
                          std::string_view type = "FloatStorage");
    /// With PROTO in front and STOP behind.
    [[nodiscard]] std::string finish() const { return "\x80\x02" + m_bytes + "."; }

  private:
    std::string m_bytes;
};

/// A storage of a legacy file: key, element count that the file states, bytes that follow.
struct LegacyStorage {
    std::string key;
    std::int64_t elements = 0;
    std::string bytes;
};
[[nodiscard]] std::string legacyFile(const std::string& pickle, const std::vector<LegacyStorage>& storages);

/// A zip archive; the fields can be falsified.
struct ZipPart {
    std::string name = {};
    std::string bytes = {};
    std::uint16_t method = 0;
    std::uint64_t size = 0;        ///< of the unpacked bytes; 0: the bytes' own
    std::uint64_t packedSize = 0;  ///< 0: the bytes' own
    std::uint32_t crc32 = 0;       ///< 0 is "not computed"
    std::uint16_t flags = 0;
};
struct ZipOptions {
    bool zip64 = false;                ///< every size, offset and count in zip64 records
    std::uint32_t directoryShift = 0;  ///< added to the stated offset of the directory
    std::uint16_t extraEntries = 0;    ///< added to the stated count
};
[[nodiscard]] std::string zipFile(const std::vector<ZipPart>& parts, const ZipOptions& options = {});
/// archive/data.pkl, archive/version and archive/data/<key>.
[[nodiscard]] std::string torchZip(const std::string& pickle, const std::vector<LegacyStorage>& storages);

/// `header` after its length, then `data`.
[[nodiscard]] std::string safetensorsFile(const std::string& header, const std::string& data);

void writeFile(const std::filesystem::path& path, std::string_view bytes);
[[nodiscard]] std::string readFile(const std::filesystem::path& path);

/// The message with which reading `path` fails; "" when it succeeds. Checks that the message starts with the
/// path and holds a remedy after a semicolon.
[[nodiscard]] std::string readError(const std::filesystem::path& path);
/// The same for a file made of `bytes`.
[[nodiscard]] std::string readErrorOf(std::string_view bytes);

/// Expects an error from every proper prefix of `whole` that is a multiple of `step` bytes shorter.
void expectErrorFromEveryPrefix(std::string_view whole, std::size_t step = 1);

}  // namespace bitloom::testing
