#include "engine/export/hdf5_image.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>

namespace bitloom::exporting {
namespace {

using graph::DType;

/// Tensors up to this size live in their object header, which saves a block of their own.
constexpr std::size_t kCompactBytes = 4096;
/// Attributes above this size need the dense storage that HDF5 otherwise only uses for many attributes.
constexpr std::size_t kHeaderAttributeBytes = 60'000;
constexpr std::size_t kMaxRank = 8;

struct TypePair {
    DType dtype;
    hid_t id;  // little-endian in the file and in memory
};

/// Types stored; the ids exist only at run time.
std::array<TypePair, 7> knownTypes() {
    return {{{DType::F32, H5T_IEEE_F32LE},
             {DType::F64, H5T_IEEE_F64LE},
             {DType::I64, H5T_STD_I64LE},
             {DType::I32, H5T_STD_I32LE},
             {DType::I16, H5T_STD_I16LE},
             {DType::I8, H5T_STD_I8LE},
             {DType::U8, H5T_STD_U8LE}}};
}

std::optional<TypePair> typeOf(DType dtype) {
    for (const TypePair& pair : knownTypes()) {
        if (pair.dtype == dtype) return pair;
    }
    return std::nullopt;
}

std::optional<TypePair> typeOf(hid_t stored) {
    for (const TypePair& pair : knownTypes()) {
        if (H5Tequal(pair.id, stored) > 0) return pair;
    }
    return std::nullopt;
}

H5Handle memoryAccess() {
    H5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    H5Pset_fapl_core(access.get(), 1 << 16, 0);
    // New-style groups and headers are several times smaller; every HDF5 since 1.8 reads them.
    H5Pset_libver_bounds(access.get(), H5F_LIBVER_V18, H5F_LIBVER_V18);
    return access;
}

H5Handle makeSpace(const graph::Shape& shape) {
    if (shape.empty()) return {H5Screate(H5S_SCALAR), H5Sclose};
    const std::vector<hsize_t> sizes(shape.begin(), shape.end());
    return {H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr), H5Sclose};
}

bool isHardLink(hid_t parent, const std::string& name) {
    H5L_info_t info;
    return H5Lget_info(parent, name.c_str(), &info, H5P_DEFAULT) >= 0 && info.type == H5L_TYPE_HARD;
}

/// Shape of a dataset or attribute.
Result<graph::Shape> shapeOf(hid_t space, const std::string& name) {
    const H5S_class_t kind = H5Sget_simple_extent_type(space);
    if (kind == H5S_SCALAR) return graph::Shape{};
    std::array<hsize_t, H5S_MAX_RANK> sizes{};
    const int rank = kind == H5S_SIMPLE ? H5Sget_simple_extent_dims(space, sizes.data(), nullptr) : -1;
    if (rank < 1 || rank > static_cast<int>(kMaxRank)) return fail("{} has a shape that is not read", name);
    graph::Shape shape;
    for (int i = 0; i < rank; ++i) {
        if (sizes[i] > std::uint64_t{1} << 40)
            return fail("{} claims {} elements in one dimension", name, sizes[i]);
        shape.push_back(static_cast<std::int64_t>(sizes[i]));
    }
    return shape;
}

/// As H5Builder writes them. Others may lie in another file, or in chunks of any size, which HDF5 takes the
/// memory for.
bool isInOnePiece(hid_t dataset) {
    const H5Handle properties(H5Dget_create_plist(dataset), H5Pclose);
    const H5D_layout_t layout = H5Pget_layout(properties.get());
    return (layout == H5D_COMPACT || layout == H5D_CONTIGUOUS) &&
           H5Pget_external_count(properties.get()) == 0;
}

/// Jenkins' lookup3 hash of `count` > 3 little-endian words, count not a multiple of 3: HDF5's metadata
/// checksum (http://burtleburtle.net/bob/c/lookup3.c, public domain).
std::uint32_t metadataChecksum(const std::uint32_t* words, std::size_t count) {
    std::uint32_t a = 0xdeadbeef + static_cast<std::uint32_t>(4 * count);
    std::uint32_t b = a;
    std::uint32_t c = a;
    for (; count > 3; count -= 3, words += 3) {
        a += words[0];
        b += words[1];
        c += words[2];
        a -= c, a ^= std::rotl(c, 4), c += b;
        b -= a, b ^= std::rotl(a, 6), a += c;
        c -= b, c ^= std::rotl(b, 8), b += a;
        a -= c, a ^= std::rotl(c, 16), c += b;
        b -= a, b ^= std::rotl(a, 19), a += c;
        c -= b, c ^= std::rotl(b, 4), b += a;
    }
    a += words[0];
    if (count > 1) b += words[1];
    c = (c ^ b) - std::rotl(b, 14);
    a = (a ^ c) - std::rotl(c, 11);
    b = (b ^ a) - std::rotl(a, 25);
    c = (c ^ b) - std::rotl(b, 16);
    a = (a ^ c) - std::rotl(c, 4);
    b = (b ^ a) - std::rotl(a, 14);
    c = (c ^ b) - std::rotl(b, 24);
    return c;
}

/// H5Fget_file_image of HDF5 1.10 clears the superblock's flags without renewing the checksum over its first
/// 44 bytes; the file could not be opened again.
void renewSuperblockChecksum(std::vector<std::byte>& file) {
    constexpr std::size_t kWords = 11;
    constexpr std::size_t kVersionAt = 8;
    if (file.size() < 4 * (kWords + 1) || file[kVersionAt] < std::byte{2}) return;
    std::array<std::uint32_t, kWords> words{};
    std::memcpy(words.data(), file.data(), sizeof words);
    const std::uint32_t checksum = metadataChecksum(words.data(), kWords);
    std::memcpy(file.data() + sizeof words, &checksum, sizeof checksum);
}

}  // namespace

H5Silence::H5Silence() {
    H5Eget_auto2(H5E_DEFAULT, &m_function, &m_data);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

H5Silence::~H5Silence() {
    H5Eset_auto2(H5E_DEFAULT, m_function, m_data);
}

Error h5Error(const std::string& action) {
    std::string reason = "no reason given";
    const auto keepInnermost = [](unsigned position, const H5E_error2_t* error,
                                  void* data) noexcept -> herr_t {
        try {
            if (position == 0 && error->desc) *static_cast<std::string*>(data) = error->desc;
            return 0;
        } catch (...) {
            return -1;  // no exception may cross HDF5
        }
    };
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keepInnermost, &reason);
    return fail("cannot {}: {}", action, reason);
}

Result<H5Builder> H5Builder::create(std::size_t largestAttribute) {
    const H5Handle access = memoryAccess();
    const H5Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
    H5Pset_obj_track_times(creation.get(), false);
    if (largestAttribute > kHeaderAttributeBytes) H5Pset_attr_phase_change(creation.get(), 0, 0);
    // The name only has to differ from other files that are open; nothing is created under it.
    H5Handle file(H5Fcreate("bitloom-export", H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose);
    if (!file.valid()) return h5Error("start an HDF5 file in memory");
    return H5Builder(std::move(file));
}

Result<H5Handle> H5Builder::addGroup(hid_t parent, const std::string& name) const {
    const H5Handle creation(H5Pcreate(H5P_GROUP_CREATE), H5Pclose);
    H5Pset_obj_track_times(creation.get(), false);
    H5Handle group(H5Gcreate2(parent, name.c_str(), H5P_DEFAULT, creation.get(), H5P_DEFAULT), H5Gclose);
    if (!group.valid()) return h5Error(fmt::format("add group {}", name));
    return group;
}

Status H5Builder::addTensor(hid_t parent, const std::string& name, const graph::Tensor& tensor) const {
    const std::optional<TypePair> type = typeOf(tensor.dtype);
    if (!type) {
        return fail("tensor {} is {}, which is not exported to HDF5; convert it to float32", name,
                    graph::toText(tensor.dtype));
    }
    const H5Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    H5Pset_obj_track_times(creation.get(), false);
    if (tensor.bytes.size() <= kCompactBytes) H5Pset_layout(creation.get(), H5D_COMPACT);
    const H5Handle space = makeSpace(tensor.shape);
    const H5Handle dataset(
        H5Dcreate2(parent, name.c_str(), type->id, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
        H5Dclose);
    if (!dataset.valid()) return h5Error(fmt::format("add dataset {}", name));
    if (tensor.bytes.empty()) return {};
    if (H5Dwrite(dataset.get(), type->id, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor.bytes.data()) < 0) {
        return h5Error(fmt::format("fill dataset {}", name));
    }
    return {};
}

Result<std::vector<std::byte>> H5Builder::finish() const {
    if (H5Fflush(m_file.get(), H5F_SCOPE_LOCAL) < 0) return h5Error("finish the HDF5 file");
    const ssize_t size = H5Fget_file_image(m_file.get(), nullptr, 0);
    if (size < 0) return h5Error("measure the HDF5 file");
    std::vector<std::byte> bytes(static_cast<std::size_t>(size));
    if (H5Fget_file_image(m_file.get(), bytes.data(), bytes.size()) < 0) return h5Error("copy the HDF5 file");
    renewSuperblockChecksum(bytes);
    return bytes;
}

Status writeText(hid_t object, const char* name, const std::string& text) {
    const H5Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(type.get(), text.size() + 1);
    H5Tset_cset(type.get(), H5T_CSET_UTF8);
    const H5Handle space(H5Screate(H5S_SCALAR), H5Sclose);
    const H5Handle attribute(H5Acreate2(object, name, type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT),
                             H5Aclose);
    if (!attribute.valid() || H5Awrite(attribute.get(), type.get(), text.c_str()) < 0) {
        return h5Error(fmt::format("write attribute {}", name));
    }
    return {};
}

Status writeIntegers(hid_t object, const char* name, const std::vector<std::int64_t>& values) {
    const H5Handle space = makeSpace({static_cast<std::int64_t>(values.size())});
    const H5Handle attribute(H5Acreate2(object, name, H5T_STD_I64LE, space.get(), H5P_DEFAULT, H5P_DEFAULT),
                             H5Aclose);
    if (!attribute.valid() || H5Awrite(attribute.get(), H5T_STD_I64LE, values.data()) < 0) {
        return h5Error(fmt::format("write attribute {}", name));
    }
    return {};
}

Result<H5Image> H5Image::open(std::span<const std::byte> bytes) {
    const H5Handle access = memoryAccess();
    // HDF5 copies the image; the parameter is not const because callbacks could be installed that take it
    // over.
    if (H5Pset_file_image(access.get(), const_cast<std::byte*>(bytes.data()), bytes.size()) < 0) {
        return h5Error("hand the file to HDF5");
    }
    H5Handle file(H5Fopen("bitloom-import", H5F_ACC_RDONLY, access.get()), H5Fclose);
    if (!file.valid()) return h5Error("open it as HDF5");
    return H5Image(std::move(file), bytes.size());
}

Result<H5Handle> H5Image::openGroup(hid_t parent, const std::string& name) const {
    if (!isHardLink(parent, name)) return fail("group {} is missing", name);
    H5Handle group(H5Gopen2(parent, name.c_str(), H5P_DEFAULT), H5Gclose);
    if (!group.valid()) return h5Error(fmt::format("open group {}", name));
    return group;
}

Result<std::vector<std::string>> H5Image::names(hid_t group) const {
    std::vector<std::string> found;
    const auto add = [](hid_t, const char* name, const H5L_info_t*, void* data) noexcept -> herr_t {
        try {
            static_cast<std::vector<std::string>*>(data)->emplace_back(name);
            return 0;
        } catch (...) {
            return -1;  // no exception may cross HDF5
        }
    };
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, nullptr, add, &found) < 0)
        return h5Error("list a group");
    return found;
}

Result<graph::Tensor> H5Image::readTensor(hid_t parent, const std::string& name) {
    if (!isHardLink(parent, name)) return fail("dataset {} is missing", name);
    const H5Handle dataset(H5Dopen2(parent, name.c_str(), H5P_DEFAULT), H5Dclose);
    if (!dataset.valid()) return h5Error(fmt::format("open dataset {}", name));
    const H5Handle stored(H5Dget_type(dataset.get()), H5Tclose);
    const std::optional<TypePair> type = typeOf(stored.get());
    if (!type) return fail("dataset {} has a type that is not read", name);
    if (!isInOnePiece(dataset.get()))
        return fail("dataset {} is in chunks or in another file, which is not read", name);
    const H5Handle space(H5Dget_space(dataset.get()), H5Sclose);
    BITLOOM_ASSIGN_OR_RETURN(const graph::Shape shape, shapeOf(space.get(), "dataset " + name));
    std::uint64_t bytes = graph::byteSize(type->dtype);
    for (const std::int64_t size : shape) {
        if (size > 0 && bytes > m_budget / static_cast<std::uint64_t>(size)) {
            return fail("dataset {} of shape {} claims more than the {} bytes of the file", name,
                        graph::toText(shape), m_size);
        }
        bytes *= static_cast<std::uint64_t>(size);
    }
    if (bytes > m_budget) return fail("its datasets claim more than the {} bytes of the file", m_size);
    m_budget -= bytes;
    graph::Tensor tensor{type->dtype, shape, std::vector<std::byte>(bytes)};
    if (bytes > 0 &&
        H5Dread(dataset.get(), type->id, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor.bytes.data()) < 0) {
        return h5Error(fmt::format("read dataset {}", name));
    }
    return tensor;
}

Result<std::string> H5Image::readText(hid_t object, const char* name) const {
    if (H5Aexists(object, name) <= 0) return fail("attribute {} is missing", name);
    const H5Handle attribute(H5Aopen(object, name, H5P_DEFAULT), H5Aclose);
    if (!attribute.valid()) return h5Error(fmt::format("open attribute {}", name));
    const H5Handle type(H5Aget_type(attribute.get()), H5Tclose);
    const H5Handle space(H5Aget_space(attribute.get()), H5Sclose);
    const std::size_t size = H5Tget_size(type.get());
    const bool fixedText = H5Tget_class(type.get()) == H5T_STRING && H5Tis_variable_str(type.get()) == 0;
    if (!fixedText || H5Sget_simple_extent_npoints(space.get()) != 1 || size > m_size) {
        return fail("attribute {} is not one text of fixed length", name);
    }
    std::string text(size, '\0');
    if (H5Aread(attribute.get(), type.get(), text.data()) < 0)
        return h5Error(fmt::format("read attribute {}", name));
    text.resize(std::min(text.find('\0'), text.size()));
    return text;
}

bool H5Image::hasAttribute(hid_t object, const char* name) {
    return H5Aexists(object, name) > 0;
}

Result<std::vector<std::int64_t>> H5Image::readIntegers(hid_t object, const char* name) const {
    if (H5Aexists(object, name) <= 0) return fail("attribute {} is missing", name);
    const H5Handle attribute(H5Aopen(object, name, H5P_DEFAULT), H5Aclose);
    if (!attribute.valid()) return h5Error(fmt::format("open attribute {}", name));
    const H5Handle type(H5Aget_type(attribute.get()), H5Tclose);
    const H5Handle space(H5Aget_space(attribute.get()), H5Sclose);
    BITLOOM_ASSIGN_OR_RETURN(const graph::Shape shape,
                             shapeOf(space.get(), fmt::format("attribute {}", name)));
    const bool list = shape.size() == 1 && shape[0] >= 1 && shape[0] <= static_cast<std::int64_t>(kMaxRank);
    if (!list || H5Tget_class(type.get()) != H5T_INTEGER)
        return fail("attribute {} is not a short list of integers", name);
    std::vector<std::int64_t> values(static_cast<std::size_t>(shape[0]));
    if (H5Aread(attribute.get(), H5T_NATIVE_INT64, values.data()) < 0) {
        return h5Error(fmt::format("read attribute {}", name));
    }
    return values;
}

}  // namespace bitloom::exporting
