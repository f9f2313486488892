// torch.save's zip format: "<name>/data.pkl" describes the object, "<name>/data/<key>" hold the raw storages.
// Layout: https://github.com/pytorch/pytorch/blob/main/torch/serialization.py
#include <map>
#include <string>
#include <utility>

#include "engine/checkpoint/pickle_tree.h"
#include "engine/checkpoint/readers.h"
#include "engine/checkpoint/zip_archive.h"

namespace bitloom::checkpoint {
namespace {

/// "<name>/" of the shortest path that ends in data.pkl.
Result<std::string> findRoot(const ZipArchive& archive) {
    constexpr std::string_view kPickle = "data.pkl";
    const std::string* shortest = nullptr;
    for (const auto& [name, entry] : archive.entries()) {
        const bool whole = name == kPickle || name.ends_with("/data.pkl");
        if (whole && (!shortest || name.size() < shortest->size())) shortest = &name;
    }
    if (!shortest) {
        return fail(
            "a zip without data.pkl, so not made by torch.save; unpack it and open the weight file inside");
    }
    return shortest->substr(0, shortest->size() - kPickle.size());
}

Status checkByteOrder(const ZipArchive& archive, const std::string& root) {
    const ZipEntry* entry = archive.find(root + "byteorder");
    if (!entry || entry->size > 16) return {};
    BITLOOM_ASSIGN_OR_RETURN(const auto bytes, archive.unpack(*entry));
    const std::string_view order(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (order == "big")
        return fail("saved on a big-endian machine; load and save it again on a little-endian one");
    return {};
}

/// Storages by key. Deflated ones are unpacked once and kept, as several tensors may share one.
class ZipStorages {
  public:
    ZipStorages(const ZipArchive& archive, std::string folder)
        : m_archive(archive), m_folder(std::move(folder)) {}

    Result<RawStorage> find(const StorageView& view) {
        if (const auto known = m_found.find(view.key); known != m_found.end()) return known->second;
        const ZipEntry* entry = m_archive.find(m_folder + view.key);
        if (!entry) return fail("its storage {}{} is missing: {}", m_folder, view.key, kCopyAgain);
        RawStorage raw;
        raw.size = entry->size;
        if (entry->stored()) {
            BITLOOM_ASSIGN_OR_RETURN(raw.offset, m_archive.dataOffset(*entry));
            if (entry->crc32 != 0) raw.crc32 = entry->crc32;
        } else {
            BITLOOM_ASSIGN_OR_RETURN(auto bytes, m_archive.unpack(*entry));
            raw.unpacked = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
        }
        m_found.emplace(view.key, raw);
        return raw;
    }

  private:
    const ZipArchive& m_archive;
    std::string m_folder;
    std::map<std::string, RawStorage, std::less<>> m_found;
};

}  // namespace

Result<Checkpoint> readPyTorchZip(const InputFile& file) {
    MemoryBudget budget(file.size());
    BITLOOM_ASSIGN_OR_RETURN(const ZipArchive archive, ZipArchive::open(file, budget));
    BITLOOM_ASSIGN_OR_RETURN(const std::string root, findRoot(archive));
    BITLOOM_RETURN_IF_ERROR(checkByteOrder(archive, root));
    const ZipEntry& entry = *archive.find(root + "data.pkl");
    if (entry.size > kMaxPickleBytes) {
        return fail("its pickle is longer than {} bytes; save only the state_dict", kMaxPickleBytes);
    }
    BITLOOM_ASSIGN_OR_RETURN(const auto bytes, archive.unpack(entry));
    BITLOOM_ASSIGN_OR_RETURN(const Pickle pickle, readPickle(bytes));
    ZipStorages storages(archive, root + "data/");
    BITLOOM_ASSIGN_OR_RETURN(
        Checkpoint checkpoint,
        flattenPickle(
            pickle, file, [&](const StorageView& view) { return storages.find(view); }, budget));
    checkpoint.format = Format::PyTorchZip;
    return checkpoint;
}

}  // namespace bitloom::checkpoint
