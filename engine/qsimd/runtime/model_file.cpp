#include "engine/qsimd/runtime/model_file.h"

#include <bit>
#include <cstdio>
#include <cstring>
#include <type_traits>

namespace bitloom::qsimd {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr char kMagic[8] = {'B', 'I', 'T', 'L', 'O', 'O', 'M', 'Q'};

struct Header {
    char magic[8];
    std::uint32_t version;
    std::uint32_t reserved;
    std::uint64_t bytes;  ///< that follow
    std::uint64_t hash;   ///< FNV-1a of them
};
static_assert(sizeof(Header) == 32);

std::uint64_t hashOf(std::span<const std::byte> bytes) {
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (const std::byte byte : bytes)
        hash = (hash ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3u;
    return hash;
}

// One list of fields a struct serves writing and reading: `archive(a, b, ...)`.
template <class Archive>
void fields(Archive& archive, Buffer& b) {
    archive(b.name, b.type, b.height, b.width, b.channels, b.halo, b.scale, b.zeroPoint, b.offset,
            b.firstStep, b.lastStep);
}
template <class Archive>
void fields(Archive& archive, Convolution& s) {
    archive(s.layer, s.input, s.output, s.residual, s.family, s.format, s.indexBits, s.kernelHeight,
            s.kernelWidth, s.strideHeight, s.strideWidth, s.paddingHeight, s.paddingWidth, s.dilationHeight,
            s.dilationWidth, s.groups, s.codebook, s.codebook8, s.weights, s.scale, s.bias, s.residualScale,
            s.low, s.high);
}
template <class Archive>
void fields(Archive& archive, Pool& s) {
    archive(s.kind, s.input, s.output, s.kernelHeight, s.kernelWidth, s.strideHeight, s.strideWidth,
            s.paddingHeight, s.paddingWidth);
}
template <class Archive>
void fields(Archive& archive, Elementwise& s) {
    archive(s.function, s.input, s.output);
}
template <class Archive>
void fields(Archive& archive, Combine& s) {
    archive(s.combination, s.first, s.second, s.output);
}
template <class Archive>
void fields(Archive& archive, Place& s) {
    archive(s.input, s.output, s.strideHeight, s.strideWidth, s.rowsBefore, s.columnsBefore, s.channelsBefore,
            s.clears);
}
template <class Archive>
void fields(Archive& archive, Softmax& s) {
    archive(s.input, s.output);
}
template <class Archive>
void fields(Archive& archive, Model& m) {
    archive(m.name, m.buffers, m.steps, m.output, m.arenaBytes);
}

template <class T>
concept Scalar = std::is_arithmetic_v<T> || std::is_enum_v<T>;

class Writer {
  public:
    explicit Writer(std::vector<std::byte>& bytes) : m_bytes(bytes) {}

    template <class... Values>
    void operator()(Values&... values) {
        (add(values), ...);
    }

  private:
    void addBytes(const void* from, std::size_t count) {
        const auto* bytes = static_cast<const std::byte*>(from);
        m_bytes.insert(m_bytes.end(), bytes, bytes + count);
    }
    template <Scalar T>
    void add(T value) {
        addBytes(&value, sizeof value);
    }
    void add(const std::string& text) {
        add(static_cast<std::uint64_t>(text.size()));
        addBytes(text.data(), text.size());
    }
    template <class T>
    void add(std::vector<T>& values) {
        add(static_cast<std::uint64_t>(values.size()));
        if constexpr (Scalar<T>) {
            addBytes(values.data(), values.size() * sizeof(T));
        } else {
            for (T& value : values)
                add(value);
        }
    }
    void add(Step& step) {
        add(static_cast<std::uint8_t>(step.index()));
        std::visit([this](auto& s) { fields(*this, s); }, step);
    }
    void add(Buffer& buffer) { fields(*this, buffer); }

    std::vector<std::byte>& m_bytes;
};

/// Reads zeros once the bytes are used up or a size is impossible; failed() tells.
class Reader {
  public:
    explicit Reader(std::span<const std::byte> bytes) : m_bytes(bytes) {}

    template <class... Values>
    void operator()(Values&... values) {
        (read(values), ...);
    }
    [[nodiscard]] bool failed() const { return m_failed; }
    [[nodiscard]] bool atEnd() const { return m_bytes.empty(); }

  private:
    bool take(void* to, std::size_t count) {
        if (m_failed || count > m_bytes.size()) {
            m_failed = true;
            return false;
        }
        if (count > 0) std::memcpy(to, m_bytes.data(), count);
        m_bytes = m_bytes.subspan(count);
        return true;
    }
    template <Scalar T>
    void read(T& value) {
        if (!take(&value, sizeof value)) value = T{};
    }
    void read(bool& value) {
        std::uint8_t byte = 0;
        take(&byte, 1);
        value = byte != 0;
    }
    /// Elements of at least `size` bytes each.
    std::size_t count(std::size_t size) {
        std::uint64_t count = 0;
        read(count);
        if (count > m_bytes.size() / size) m_failed = true;
        return m_failed ? 0 : static_cast<std::size_t>(count);
    }
    void read(std::string& text) {
        text.resize(count(1));
        take(text.data(), text.size());
    }
    template <class T>
    void read(std::vector<T>& values) {
        if constexpr (Scalar<T>) {
            values.resize(count(sizeof(T)));
            take(values.data(), values.size() * sizeof(T));
        } else {
            const std::size_t size = count(1);
            for (std::size_t i = 0; i < size && !m_failed; ++i)
                read(values.emplace_back());
        }
    }
    void read(Step& step) {
        std::uint8_t index = 0;
        read(index);
        if (!emplace<0>(index, step)) m_failed = true;
        if (!m_failed) std::visit([this](auto& s) { fields(*this, s); }, step);
    }
    template <std::size_t I>
    static bool emplace(std::uint8_t index, Step& step) {
        if constexpr (I < std::variant_size_v<Step>) {
            if (index != I) return emplace<I + 1>(index, step);
            step.emplace<I>();
            return true;
        }
        return false;
    }
    void read(Buffer& buffer) { fields(*this, buffer); }

    std::span<const std::byte> m_bytes;
    bool m_failed = false;
};

}  // namespace

std::vector<std::byte> toBytes(const Model& model) {
    std::vector<std::byte> bytes(sizeof(Header));
    Model copy = model;  // fields() takes what it could also read into
    Writer writer(bytes);
    fields(writer, copy);
    const auto body = std::span<const std::byte>(bytes).subspan(sizeof(Header));
    Header header = {};
    std::memcpy(header.magic, kMagic, sizeof kMagic);
    header.version = kModelVersion;
    header.bytes = body.size();
    header.hash = hashOf(body);
    std::memcpy(bytes.data(), &header, sizeof header);
    return bytes;
}

std::string fromBytes(std::span<const std::byte> bytes, Model& model) {
    Header header = {};
    if (bytes.size() >= sizeof header) std::memcpy(&header, bytes.data(), sizeof header);
    if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) return "is not a Bitloom model";
    if (header.version != kModelVersion)
        return "has format version " + std::to_string(header.version) + ", this program reads " +
               std::to_string(kModelVersion) + ": export it again";
    const auto body = bytes.subspan(sizeof header);
    if (body.size() != header.bytes)
        return "has " + std::to_string(body.size()) + " bytes of " + std::to_string(header.bytes) +
               ": it was cut off, copy or export it again";
    if (hashOf(body) != header.hash) return "is damaged (its hash differs): copy or export it again";
    Reader reader(body);
    fields(reader, model);
    if (reader.failed() || !reader.atEnd()) return "is damaged: export it again";
    return validate(model);
}

std::string loadModel(const std::string& path, Model& model) {
    std::FILE* file = std::fopen(path.c_str(), "rb");
    if (file == nullptr) return path + ": cannot be opened";
    std::vector<std::byte> bytes;
    std::byte block[1 << 16];
    for (std::size_t got = 0; (got = std::fread(block, 1, sizeof block, file)) > 0;)
        bytes.insert(bytes.end(), block, block + got);
    const bool failed = std::ferror(file) != 0;
    std::fclose(file);
    if (failed) return path + ": cannot be read";
    const std::string problem = fromBytes(bytes, model);
    return problem.empty() ? problem : path + ": " + problem;
}

}  // namespace bitloom::qsimd
