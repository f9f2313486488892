// torch.save's format before 1.6: five pickles (magic number, protocol version, system, the object, the list
// of storage keys), then for each key the element count as int64 and the raw little-endian elements. Layout:
// https://github.com/pytorch/pytorch/blob/main/torch/serialization.py, _legacy_save
#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <string>
#include <utility>

#include "engine/checkpoint/pickle_tree.h"
#include "engine/checkpoint/readers.h"

namespace bitloom::checkpoint {
namespace {

using Kind = Value::Kind;

/// 0x1950a86a20f9469cfc6c, little-endian and as protocol 0 writes it.
constexpr std::string_view kMagicBytes("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
constexpr std::string_view kMagicDigits = "119547037146038801333356";
constexpr std::int64_t kProtocolVersion = 1001;

/// The pickles come first in the file, so only this much of its start is looked at for them.
constexpr std::uint64_t kHeadBytes = kMaxPickleBytes + 4096;

/// Reads pickle after pickle.
class PickleSequence {
  public:
    explicit PickleSequence(std::vector<std::byte> bytes) : m_bytes(std::move(bytes)) {}

    Result<Pickle> next() {
        BITLOOM_ASSIGN_OR_RETURN(Pickle pickle, readPickle(std::span(m_bytes).subspan(m_position)));
        m_position += pickle.length;
        return pickle;
    }
    [[nodiscard]] std::uint64_t position() const { return m_position; }

  private:
    std::vector<std::byte> m_bytes;
    std::size_t m_position = 0;
};

Status readPreamble(PickleSequence& pickles) {
    BITLOOM_ASSIGN_OR_RETURN(const Pickle magic, pickles.next());
    const Value& number = magic[magic.root];
    if (number.kind != Kind::BigInt || (number.text != kMagicBytes && number.text != kMagicDigits)) {
        return fail(
            "a Python pickle that torch.save did not write; in Python: torch.save(model.state_dict(), "
            "\"weights.pt\")");
    }
    BITLOOM_ASSIGN_OR_RETURN(const Pickle version, pickles.next());
    const Value& protocol = version[version.root];
    if (protocol.kind != Kind::Int || protocol.integer != kProtocolVersion) {
        return fail(
            "an unknown version of PyTorch's legacy format; load and save it again with a newer PyTorch");
    }
    // The description of the writing system: the elements are little-endian and of fixed sizes whatever it
    // says.
    BITLOOM_ASSIGN_OR_RETURN(const Pickle system, pickles.next());
    return {};
}

/// Element sizes by storage key, as the object's pickle declares them. One key has one type.
Result<std::map<std::string, std::uint64_t>> elementSizes(const Pickle& object) {
    std::map<std::string, std::uint64_t> sizes;
    for (const StorageView& view : object.storages) {
        const std::uint64_t size = graph::byteSize(view.dtype);
        if (sizes.emplace(view.key, size).first->second != size) {
            return fail("storage {} has two element types: {}", view.key, kCopyAgain);
        }
    }
    return sizes;
}

/// Finds where each storage lies; the elements themselves are read with their tensors.
Result<std::map<std::string, RawStorage>> locateStorages(const InputFile& file, const Pickle& object,
                                                         const Pickle& keys, std::uint64_t offset) {
    BITLOOM_ASSIGN_OR_RETURN(const auto sizes, elementSizes(object));
    std::map<std::string, RawStorage> storages;
    if (keys[keys.root].kind != Kind::List) return fail("its list of storages is missing: {}", kCopyAgain);
    for (const ValueId id : keys[keys.root].items) {
        const std::string& key = keys[id].text;
        const auto size = sizes.find(key);
        if (size == sizes.end()) return fail("storage {} belongs to no tensor: {}", key, kCopyAgain);
        std::array<std::byte, sizeof(std::uint64_t)> header;
        if (!file.contains(offset, header.size())) return fail("ends before storage {}: {}", key, kCopyAgain);
        BITLOOM_RETURN_IF_ERROR(file.read(offset, header));
        const auto elements = std::bit_cast<std::uint64_t>(header);
        offset += header.size();
        if (elements > (file.size() - offset) / size->second) {
            return fail("storage {} claims {} elements but {} bytes are left: {}", key, elements,
                        file.size() - offset, kCopyAgain);
        }
        const std::uint64_t bytes = elements * size->second;
        if (!storages.emplace(key, RawStorage{.offset = offset, .size = bytes, .unpacked = {}, .crc32 = {}})
                 .second) {
            return fail("storage {} occurs twice: {}", key, kCopyAgain);
        }
        offset += bytes;
    }
    return storages;
}

}  // namespace

Result<Checkpoint> readPyTorchLegacy(const InputFile& file) {
    MemoryBudget budget(file.size());
    BITLOOM_ASSIGN_OR_RETURN(auto head, file.read(0, std::min(file.size(), kHeadBytes)));
    PickleSequence pickles(std::move(head));
    BITLOOM_RETURN_IF_ERROR(readPreamble(pickles));
    BITLOOM_ASSIGN_OR_RETURN(const Pickle object, pickles.next());
    BITLOOM_ASSIGN_OR_RETURN(const Pickle keys, pickles.next());
    BITLOOM_ASSIGN_OR_RETURN(const auto storages, locateStorages(file, object, keys, pickles.position()));
    const auto find = [&](const StorageView& view) -> Result<RawStorage> {
        const auto found = storages.find(view.key);
        if (found == storages.end()) return fail("its storage {} is missing: {}", view.key, kCopyAgain);
        return found->second;
    };
    BITLOOM_ASSIGN_OR_RETURN(Checkpoint checkpoint, flattenPickle(object, file, find, budget));
    checkpoint.format = Format::PyTorchLegacy;
    return checkpoint;
}

}  // namespace bitloom::checkpoint
