// safetensors: eight bytes of header length, a JSON header, then the tensors without gaps.
// Format: https://github.com/huggingface/safetensors#format. The header is parsed event by event, so that
// nesting, repeated keys and surprises end the parse at once.
#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "engine/base/atomic_file.h"
#include "engine/checkpoint/readers.h"
#include "engine/checkpoint/tensor_builder.h"

namespace bitloom::checkpoint {
namespace {

using graph::DType;
using graph::Tensor;
using nlohmann::json;

constexpr std::uint64_t kMaxHeader = 100'000'000;  ///< the format's own bound
constexpr std::uint64_t kPrefix = 8;

struct TypeName {
    std::string_view name;
    DType dtype;
};
constexpr std::array kTypeNames = std::to_array<TypeName>({{"F32", DType::F32},
                                                           {"F64", DType::F64},
                                                           {"F16", DType::F16},
                                                           {"BF16", DType::BF16},
                                                           {"I64", DType::I64},
                                                           {"I32", DType::I32},
                                                           {"I16", DType::I16},
                                                           {"I8", DType::I8},
                                                           {"U8", DType::U8},
                                                           {"BOOL", DType::Bool}});

struct Entry {
    std::string name;
    std::string dtype;
    graph::Shape shape;
    std::vector<std::int64_t> offsets;  ///< begin and end, after the header
    bool hasShape = false;              ///< an empty shape is a scalar, a missing one is damage
};

/// SAX handler: {"name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, "__metadata__":
/// {..}}.
class HeaderHandler : public nlohmann::json_sax<json> {
  public:
    std::vector<Entry> entries;
    std::map<std::string, std::string> metadata;
    std::string error;  ///< why the parse stopped

    bool null() override { return reject("null"); }
    bool boolean(bool) override { return reject("a truth value"); }
    bool number_float(double, const std::string&) override { return reject("a fraction"); }
    bool binary(json::binary_t&) override { return reject("binary data"); }
    bool number_integer(std::int64_t) override { return reject("a negative number"); }
    bool number_unsigned(std::uint64_t value) override {
        if (!m_inArray || value > std::uint64_t{std::numeric_limits<std::int64_t>::max()})
            return reject("a number");
        (m_key == "shape" ? entries.back().shape : entries.back().offsets)
            .push_back(static_cast<std::int64_t>(value));
        return true;
    }
    bool string(std::string& value) override {
        if (m_depth != 2 || m_inArray) return reject("a text");
        if (m_name == kMetadata) {
            if (!metadata.emplace(m_key, value).second) return reject("a repeated key");
            return true;
        }
        if (m_key != "dtype" || !entries.back().dtype.empty()) return reject("a text");
        entries.back().dtype = value;
        return true;
    }
    bool start_object(std::size_t) override {
        return ++m_depth <= 2 && !m_inArray ? true : reject("an object");
    }
    bool end_object() override {
        --m_depth;
        return true;
    }
    bool start_array(std::size_t) override {
        const bool known =
            m_depth == 2 && m_name != kMetadata && (m_key == "shape" || m_key == "data_offsets");
        if (!known || m_inArray || !startsEmpty()) return reject("an array");
        m_inArray = true;
        return true;
    }
    bool end_array() override {
        m_inArray = false;
        return true;
    }
    bool key(std::string& value) override {
        if (m_depth == 2) {
            m_key = value;
            return true;
        }
        m_name = value;
        if (value != kMetadata) entries.push_back({.name = value, .dtype = {}, .shape = {}, .offsets = {}});
        return true;
    }
    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
        error = fmt::format("its header is not JSON at byte {}: {}", position + kPrefix, kCopyAgain);
        return false;
    }

    static constexpr std::string_view kMetadata = "__metadata__";

  private:
    bool reject(const char* what) {
        error = fmt::format("its header has {} at \"{}\" \"{}\" where none belongs: {}", what, m_name, m_key,
                            kCopyAgain);
        return false;
    }
    /// Whether the array that starts now is the entry's first of its key.
    bool startsEmpty() {
        Entry& entry = entries.back();
        return m_key == "shape" ? !std::exchange(entry.hasShape, true) : entry.offsets.empty();
    }

    int m_depth = 0;
    bool m_inArray = false;
    std::string m_name;
    std::string m_key;
};

Result<Tensor> readEntry(const InputFile& file, const Entry& entry, std::uint64_t dataStart) {
    const auto* type = std::ranges::find(kTypeNames, std::string_view(entry.dtype), &TypeName::name);
    if (type == kTypeNames.end()) {
        return fail("tensor {} has dtype \"{}\", which is not read; convert it to float32 and save again",
                    entry.name, entry.dtype);
    }
    Tensor tensor{type->dtype, entry.shape, {}};
    const auto byteCount = checkedByteCount(entry.shape, type->dtype);
    const auto begin = static_cast<std::uint64_t>(entry.offsets[0]);
    const auto end = static_cast<std::uint64_t>(entry.offsets[1]);
    if (!byteCount || end < begin || end - begin != *byteCount) {
        return fail("tensor {} of shape {} has bytes {} to {}, which is not its size: {}", entry.name,
                    graph::toText(entry.shape), begin, end, kCopyAgain);
    }
    BITLOOM_ASSIGN_OR_RETURN(tensor.bytes, file.read(dataStart + begin, *byteCount));
    normalizeBools(tensor);
    return tensor;
}

/// The format allows neither overlaps nor gaps: with them two readers could see two different networks.
Status checkLayout(std::vector<Entry>& entries, std::uint64_t dataBytes) {
    for (const Entry& entry : entries) {
        if (entry.hasShape && entry.offsets.size() == 2) continue;
        return fail("tensor {} lacks its shape or its two data_offsets: {}", entry.name, kCopyAgain);
    }
    std::ranges::sort(entries, {}, &Entry::offsets);
    std::int64_t position = 0;
    for (const Entry& entry : entries) {
        if (entry.offsets[0] < position)
            return fail("tensor {} overlaps another: {}", entry.name, kCopyAgain);
        if (entry.offsets[0] > position) {
            return fail("{} bytes before tensor {} belong to none: {}", entry.offsets[0] - position,
                        entry.name, kCopyAgain);
        }
        position = std::max(position, entry.offsets[1]);
    }
    if (static_cast<std::uint64_t>(position) == dataBytes) return {};
    return fail("its tensors take {} bytes but {} follow the header: {}", position, dataBytes, kCopyAgain);
}

Result<HeaderHandler> readHeader(const InputFile& file, std::uint64_t& dataStart) {
    std::array<std::byte, kPrefix> prefix;
    if (!file.contains(0, kPrefix)) return fail("ends inside its header: {}", kCopyAgain);
    BITLOOM_RETURN_IF_ERROR(file.read(0, prefix));
    const auto length = std::bit_cast<std::uint64_t>(prefix);
    if (length > kMaxHeader || !file.contains(kPrefix, length)) {
        return fail("claims a header of {} bytes but is {} bytes long: {}", length, file.size(), kCopyAgain);
    }
    dataStart = kPrefix + length;
    BITLOOM_ASSIGN_OR_RETURN(const auto header, file.read(kPrefix, length));
    const auto* text = reinterpret_cast<const char*>(header.data());
    HeaderHandler handler;
    if (!json::sax_parse(text, text + header.size(), &handler)) return fail("{}", handler.error);
    return handler;
}

const TypeName& typeName(DType dtype) {
    return *std::ranges::find(kTypeNames, dtype, &TypeName::dtype);
}

/// What stands where in a file to be written. Points into the tensors.
struct FileLayout {
    std::vector<const graph::StateDict::value_type*> order;
    std::string header;
    std::uint64_t dataBytes = 0;
};

Result<FileLayout> layOut(const graph::StateDict& tensors,
                          const std::map<std::string, std::string>& metadata) try {
    FileLayout layout;
    // Wide types first keeps every tensor aligned to its own element size, as the reference writer does.
    for (const auto& entry : tensors)
        layout.order.push_back(&entry);
    std::ranges::stable_sort(layout.order, std::greater{},
                             [](const auto* e) { return graph::byteSize(e->second.dtype); });
    json header = json::object();
    if (!metadata.empty()) header[std::string(HeaderHandler::kMetadata)] = metadata;
    for (const auto* entry : layout.order) {
        const auto& [name, tensor] = *entry;
        if (checkedByteCount(tensor.shape, tensor.dtype) != tensor.bytes.size() ||
            name == HeaderHandler::kMetadata) {
            return fail(
                "tensor {} cannot be written: its name is reserved or its shape {} does not fit its {} bytes",
                name, graph::toText(tensor.shape), tensor.bytes.size());
        }
        const std::uint64_t end = layout.dataBytes + tensor.bytes.size();
        header[name] = {{"dtype", typeName(tensor.dtype).name},
                        {"shape", tensor.shape},
                        {"data_offsets", {layout.dataBytes, end}}};
        layout.dataBytes = end;
    }
    layout.header = header.dump();
    layout.header.resize((layout.header.size() + kPrefix - 1) / kPrefix * kPrefix, ' ');
    return layout;
} catch (const std::exception& problem) {
    return fail("cannot write the tensors: {}; check that every name is valid UTF-8", problem.what());
}

}  // namespace

Result<Checkpoint> readSafetensors(const InputFile& file) {
    std::uint64_t dataStart = 0;
    BITLOOM_ASSIGN_OR_RETURN(HeaderHandler header, readHeader(file, dataStart));
    BITLOOM_RETURN_IF_ERROR(checkLayout(header.entries, file.size() - dataStart));
    Checkpoint checkpoint{Format::Safetensors, {}, std::move(header.metadata)};
    for (const Entry& entry : header.entries) {
        if (checkpoint.tensors.contains(entry.name)) {
            return fail("two tensors have the key {}: {}", entry.name, kCopyAgain);
        }
        BITLOOM_ASSIGN_OR_RETURN(checkpoint.tensors[entry.name], readEntry(file, entry, dataStart));
    }
    return checkpoint;
}

Status writeSafetensors(const std::filesystem::path& path, const graph::StateDict& tensors,
                        const std::map<std::string, std::string>& metadata) {
    const Result<FileLayout> layout = layOut(tensors, metadata);
    if (!layout) return fail("{}: {}", path.string(), layout.error().message);
    const auto length = std::bit_cast<std::array<std::byte, kPrefix>>(std::uint64_t{layout->header.size()});
    std::vector<std::span<const std::byte>> parts = {length, std::as_bytes(std::span(layout->header))};
    for (const auto* entry : layout->order)
        parts.emplace_back(entry->second.bytes);
    return writeFileAtomically(path, parts);
}

Result<std::int64_t> safetensorsBytes(const graph::StateDict& tensors,
                                      const std::map<std::string, std::string>& metadata) {
    BITLOOM_ASSIGN_OR_RETURN(const FileLayout layout, layOut(tensors, metadata));
    return static_cast<std::int64_t>(kPrefix + layout.header.size() + layout.dataBytes);
}

}  // namespace bitloom::checkpoint
