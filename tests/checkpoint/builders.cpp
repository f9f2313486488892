#include "tests/checkpoint/builders.h"

#include <bit>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <gtest/gtest.h>

#include "engine/checkpoint/checkpoint.h"
#include "tests/support/test_paths.h"

namespace bitloom::testing {

std::vector<float> fixtureValues(std::size_t count) {
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i)
        values[i] = static_cast<float>(fixtureValue(static_cast<std::int64_t>(i)));
    return values;
}

std::string floatBytes(std::size_t count) {
    std::string bytes;
    for (const float value : fixtureValues(count))
        bytes += raw(value);
    return bytes;
}

PickleBuilder& PickleBuilder::text(std::string_view value) {
    return op("X").op(raw(static_cast<std::uint32_t>(value.size()))).op(value);
}
PickleBuilder& PickleBuilder::integer(std::int64_t value) {
    if (value >= 0 && value < 256) return op("K").op(raw(static_cast<std::uint8_t>(value)));
    return op("\x8a\x08").op(raw(value));
}
PickleBuilder& PickleBuilder::real(double value) {
    return op("G").op(raw(__builtin_bswap64(std::bit_cast<std::uint64_t>(value))));
}
PickleBuilder& PickleBuilder::global(std::string_view module, std::string_view name) {
    return op("c").op(module).op("\n").op(name).op("\n");
}
PickleBuilder& PickleBuilder::integers(const std::vector<std::int64_t>& values) {
    mark();
    for (const std::int64_t value : values)
        integer(value);
    return tuple();
}
PickleBuilder& PickleBuilder::tensor(std::string_view key, std::int64_t elements,
                                     const std::vector<std::int64_t>& shape,
                                     const std::vector<std::int64_t>& strides, std::int64_t offset,
                                     std::string_view type) {
    global("torch._utils", "_rebuild_tensor_v2").mark();
    mark().text("storage").global("torch", type).text(key).text("cpu").integer(elements).tuple().op("Q");
    integer(offset).integers(shape).integers(strides);
    return op("\x89").global("collections", "OrderedDict").op(")R").tuple().reduce();
}

std::string legacyFile(const std::string& pickle, const std::vector<LegacyStorage>& storages) {
    std::string file("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20j\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.", 25);
    file += pickle;
    PickleBuilder keys;
    keys.op("](");
    for (const LegacyStorage& storage : storages)
        keys.text(storage.key);
    file += keys.op("e").finish();
    for (const LegacyStorage& storage : storages)
        file += raw(storage.elements) + storage.bytes;
    return file;
}

namespace {

constexpr std::uint32_t kIn64 = 0xffffffff;

/// Directory entry (with `offset`) or local header of a part.
std::string zipHeader(const ZipPart& part, bool zip64, const std::uint64_t* offset) {
    const std::uint64_t size = part.size != 0 ? part.size : part.bytes.size();
    const std::uint64_t packed = part.packedSize != 0 ? part.packedSize : part.bytes.size();
    const std::string extra = !zip64 || !offset ? ""
                                                : raw(std::uint16_t{1}) + raw(std::uint16_t{24}) + raw(size) +
                                                      raw(packed) + raw(*offset);
    const auto narrow = [zip64](std::uint64_t value) {
        return raw(zip64 ? kIn64 : static_cast<std::uint32_t>(value));
    };
    std::string header =
        offset ? raw(std::uint32_t{0x02014b50}) + raw(std::uint16_t{45}) : raw(std::uint32_t{0x04034b50});
    header +=
        raw(std::uint16_t{45}) + raw(part.flags) + raw(part.method) + raw(std::uint32_t{0}) + raw(part.crc32);
    header += narrow(packed) + narrow(size) + raw(static_cast<std::uint16_t>(part.name.size()));
    header += raw(static_cast<std::uint16_t>(extra.size()));
    if (offset) header += raw(std::uint16_t{0}) + raw(std::uint64_t{0}) + narrow(*offset);
    return header + part.name + extra;
}

}  // namespace

std::string zipFile(const std::vector<ZipPart>& parts, const ZipOptions& options) {
    std::string file;
    std::string directory;
    for (const ZipPart& part : parts) {
        const std::uint64_t offset = file.size();
        directory += zipHeader(part, options.zip64, &offset);
        file += zipHeader(part, options.zip64, nullptr) + part.bytes;
    }
    const std::uint64_t start = file.size() + options.directoryShift;
    const std::uint64_t count = parts.size() + options.extraEntries;
    const std::uint64_t length = directory.size();
    file += directory;
    if (options.zip64) {
        const std::uint64_t end64 = file.size();
        file += raw(std::uint32_t{0x06064b50}) + raw(std::uint64_t{44}) + raw(std::uint32_t{0}) +
                raw(std::uint64_t{0});
        file += raw(count) + raw(count) + raw(length) + raw(start);
        file += raw(std::uint32_t{0x07064b50}) + raw(std::uint32_t{0}) + raw(end64) + raw(std::uint32_t{1});
    }
    const auto count16 = options.zip64 ? std::uint16_t{0xffff} : static_cast<std::uint16_t>(count);
    file += raw(std::uint32_t{0x06054b50}) + raw(std::uint32_t{0}) + raw(count16) + raw(count16);
    file += raw(options.zip64 ? kIn64 : static_cast<std::uint32_t>(length));
    file += raw(options.zip64 ? kIn64 : static_cast<std::uint32_t>(start)) + raw(std::uint16_t{0});
    return file;
}

std::string torchZip(const std::string& pickle, const std::vector<LegacyStorage>& storages) {
    std::vector<ZipPart> parts = {{.name = "archive/data.pkl", .bytes = pickle}};
    for (const LegacyStorage& storage : storages) {
        parts.push_back({.name = "archive/data/" + storage.key, .bytes = storage.bytes});
    }
    return zipFile(parts);
}

std::string safetensorsFile(const std::string& header, const std::string& data) {
    return raw(std::uint64_t{header.size()}) + header + data;
}

void writeFile(const std::filesystem::path& path, std::string_view bytes) {
    std::ofstream stream(path, std::ios::binary);
    if (!stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush()) {
        throw std::runtime_error("cannot write " + path.string());
    }
}

std::string readFile(const std::filesystem::path& path) {
    std::ifstream stream(path, std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

std::string readError(const std::filesystem::path& path) {
    const auto checkpoint = checkpoint::readCheckpoint(path);
    if (checkpoint.ok()) return {};
    const std::string& message = checkpoint.error().message;
    EXPECT_TRUE(message.starts_with(path.string() + ": ")) << message;
    EXPECT_NE(message.find(';'), std::string::npos) << "no remedy: " << message;
    return message;
}

std::string readErrorOf(std::string_view bytes) {
    const TemporaryFolder folder;
    const auto path = folder / "file";
    writeFile(path, bytes);
    return readError(path);
}

void expectErrorFromEveryPrefix(std::string_view whole, std::size_t step) {
    const TemporaryFolder folder;
    const auto path = folder / "cut";
    writeFile(path, whole);
    ASSERT_EQ(readError(path), "");
    for (std::size_t length = whole.size(); length >= step;) {
        length -= step;
        std::filesystem::resize_file(path, length);
        EXPECT_NE(readError(path), "") << length << " of " << whole.size();
    }
}

}  // namespace bitloom::testing
