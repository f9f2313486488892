// HDF5 weights: every numeric dataset becomes a tensor keyed by its path with '.' for '/'. Links to other
// files, external and virtual storage are not followed: opening a weight file must read that file alone.
// HDF5's own error printing is silenced on this thread while reading; its deepest message goes into ours.
#include <algorithm>
#include <array>
#include <exception>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <hdf5.h>

#include "engine/checkpoint/readers.h"
#include "engine/checkpoint/tensor_builder.h"
#include "engine/checkpoint/utf8.h"

namespace bitloom::checkpoint {
namespace {

using graph::DType;
using graph::Tensor;

/// Owns an HDF5 identifier of any kind.
class Handle {
  public:
    Handle(hid_t id, herr_t (*close)(hid_t)) : m_id(id), m_close(close) {}
    ~Handle() {
        if (m_id >= 0) m_close(m_id);
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    [[nodiscard]] hid_t get() const { return m_id; }
    [[nodiscard]] bool valid() const { return m_id >= 0; }

  private:
    hid_t m_id;
    herr_t (*m_close)(hid_t);
};

class SilencedErrors {
  public:
    SilencedErrors() {
        H5Eget_auto2(H5E_DEFAULT, &m_function, &m_data);
        H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    }
    ~SilencedErrors() { H5Eset_auto2(H5E_DEFAULT, m_function, m_data); }
    SilencedErrors(const SilencedErrors&) = delete;
    SilencedErrors& operator=(const SilencedErrors&) = delete;

  private:
    H5E_auto2_t m_function = nullptr;
    void* m_data = nullptr;
};

/// The description at the bottom of HDF5's error stack, where the cause is.
std::string hdf5Reason() {
    std::string reason = "no reason given";
    const auto keepFirst = [](unsigned position, const H5E_error2_t* error, void* data) noexcept -> herr_t {
        try {
            if (position == 0 && error->desc) *static_cast<std::string*>(data) = error->desc;
            return 0;
        } catch (...) {
            return -1;  // no exception may cross HDF5
        }
    };
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keepFirst, &reason);
    return reason;
}

struct FloatLayout {
    std::size_t exponentAt, exponentBits, mantissaBits, bias;
};
constexpr FloatLayout kHalf{10, 5, 10, 15};
constexpr FloatLayout kBrain{7, 8, 7, 127};

/// A little-endian 16-bit float type for H5Dread to convert to.
hid_t makeFloat16(const FloatLayout& layout) {
    const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(type, 15, layout.exponentAt, layout.exponentBits, 0, layout.mantissaBits);
    H5Tset_size(type, 2);
    H5Tset_ebias(type, layout.bias);
    return type;
}

bool hasLayout(hid_t type, const FloatLayout& layout) {
    std::size_t sign = 0, exponentAt = 0, exponentBits = 0, mantissaAt = 0, mantissaBits = 0;
    if (H5Tget_fields(type, &sign, &exponentAt, &exponentBits, &mantissaAt, &mantissaBits) < 0) return false;
    return sign == 15 && exponentAt == layout.exponentAt && exponentBits == layout.exponentBits &&
           mantissaAt == 0 && mantissaBits == layout.mantissaBits && H5Tget_ebias(type) == layout.bias;
}

struct MemoryType {
    DType dtype;
    hid_t id;  ///< to be closed
};

MemoryType floatType(hid_t type) {
    const std::size_t size = H5Tget_size(type);
    if (size == 2 && hasLayout(type, kHalf)) return {DType::F16, makeFloat16(kHalf)};
    if (size == 2 && hasLayout(type, kBrain)) return {DType::BF16, makeFloat16(kBrain)};
    if (size <= 4) return {DType::F32, H5Tcopy(H5T_IEEE_F32LE)};
    return {DType::F64, H5Tcopy(H5T_IEEE_F64LE)};
}

MemoryType integerType(hid_t type) {
    const std::size_t size = H5Tget_size(type);
    const bool isSigned = H5Tget_sign(type) == H5T_SGN_2;
    if (size == 1 && !isSigned) return {DType::U8, H5Tcopy(H5T_STD_U8LE)};
    if (size == 1) return {DType::I8, H5Tcopy(H5T_STD_I8LE)};
    if (size == 2 && isSigned) return {DType::I16, H5Tcopy(H5T_STD_I16LE)};
    if (size == 2 || (size == 4 && isSigned)) return {DType::I32, H5Tcopy(H5T_STD_I32LE)};
    return {DType::I64, H5Tcopy(H5T_STD_I64LE)};  // an uint64 beyond int64 saturates there
}

/// h5py writes truth values as an enumeration FALSE = 0, TRUE = 1 over int8.
bool isBoolean(hid_t type) {
    return H5Tget_class(type) == H5T_ENUM && H5Tget_nmembers(type) == 2 && H5Tget_size(type) == 1;
}

constexpr hsize_t kMaxAttribute = 64u << 10;

std::string attributeText(hid_t attribute, hid_t type) {
    std::string text(H5Tget_size(type), '\0');
    if (H5Aread(attribute, type, text.data()) < 0) return {};
    const std::size_t end = text.find_last_not_of(std::string_view("\0 ", 2));
    text.resize(end == std::string::npos ? 0 : end + 1);
    return printable(text);
}

/// Scalar number and fixed-length text attributes of the root group. Text of variable length is passed over:
/// it lies in the file's global heap, and HDF5 1.10 loops for ever over a damaged one.
void readAttribute(hid_t location, const char* name, std::map<std::string, std::string>& metadata) {
    const Handle attribute(H5Aopen(location, name, H5P_DEFAULT), H5Aclose);
    const Handle space(H5Aget_space(attribute.get()), H5Sclose);
    const Handle type(H5Aget_type(attribute.get()), H5Tclose);
    if (!attribute.valid() || !type.valid() || H5Sget_simple_extent_npoints(space.get()) != 1) return;
    if (H5Aget_storage_size(attribute.get()) > kMaxAttribute || !isUtf8(name)) return;
    std::int64_t integer = 0;
    double real = 0;
    switch (H5Tget_class(type.get())) {
        case H5T_STRING:
            if (H5Tis_variable_str(type.get()) == 0)
                metadata[name] = attributeText(attribute.get(), type.get());
            break;
        case H5T_INTEGER:
            if (H5Aread(attribute.get(), H5T_NATIVE_INT64, &integer) >= 0)
                metadata[name] = fmt::format("{}", integer);
            break;
        case H5T_FLOAT:
            if (H5Aread(attribute.get(), H5T_NATIVE_DOUBLE, &real) >= 0)
                metadata[name] = fmt::format("{}", real);
            break;
        default:
            break;
    }
}

struct Metadata {
    std::map<std::string, std::string> values;
    std::exception_ptr thrown;
};

Result<std::map<std::string, std::string>> readMetadata(hid_t file) {
    const auto visit = [](hid_t location, const char* name, const H5A_info_t*,
                          void* data) noexcept -> herr_t {
        auto& metadata = *static_cast<Metadata*>(data);
        try {
            readAttribute(location, name, metadata.values);
            return 0;
        } catch (...) {
            metadata.thrown = std::current_exception();  // no exception may cross HDF5
            return -1;
        }
    };
    Metadata metadata;
    H5Aiterate2(file, H5_INDEX_NAME, H5_ITER_INC, nullptr, visit, &metadata);
    if (metadata.thrown) std::rethrow_exception(metadata.thrown);
    return std::move(metadata.values);
}

/// Reads one dataset after another; the first error ends the walk and is kept.
class DatasetReader {
  public:
    DatasetReader(hid_t file, MemoryBudget& budget) : m_file(file), m_budget(budget) {}

    Result<graph::StateDict> run() {
        const auto visit = [](hid_t, const char* name, const H5O_info_t* info,
                              void* self) noexcept -> herr_t {
            return info->type == H5O_TYPE_DATASET ? static_cast<DatasetReader*>(self)->visit(name) : 0;
        };
        if (H5Ovisit2(m_file, H5_INDEX_NAME, H5_ITER_INC, visit, this, H5O_INFO_BASIC) < 0) {
            if (m_thrown) std::rethrow_exception(m_thrown);
            if (!m_status) return m_status.error();
            return fail("its groups cannot be walked: {}: {}", hdf5Reason(), kCopyAgain);
        }
        return std::move(m_tensors);
    }

  private:
    /// HDF5 calls this from C, which no exception may cross.
    herr_t visit(const char* name) noexcept {
        try {
            m_status = readDataset(name);
            return m_status ? 0 : -1;
        } catch (...) {
            m_thrown = std::current_exception();
            return -1;
        }
    }

    Status readDataset(const std::string& name) {
        const Handle dataset(H5Dopen2(m_file, name.c_str(), H5P_DEFAULT), H5Dclose);
        if (!dataset.valid()) return unreadable(name);
        const Handle type(H5Dget_type(dataset.get()), H5Tclose);
        const H5T_class_t typeClass = H5Tget_class(type.get());
        const bool boolean = isBoolean(type.get());
        if (typeClass != H5T_FLOAT && typeClass != H5T_INTEGER && !boolean)
            return {};  // text, compounds: no weights
        BITLOOM_RETURN_IF_ERROR(checkStorage(dataset.get(), H5Tget_size(type.get()), name));

        const MemoryType memory = boolean                  ? MemoryType{DType::Bool, H5Tcopy(type.get())}
                                  : typeClass == H5T_FLOAT ? floatType(type.get())
                                                           : integerType(type.get());
        const Handle memoryType(memory.id, H5Tclose);
        Tensor tensor{memory.dtype, {}, {}};
        const Handle space(H5Dget_space(dataset.get()), H5Sclose);
        BITLOOM_RETURN_IF_ERROR(readShape(space.get(), name, tensor));
        if (!tensor.bytes.empty() && H5Dread(dataset.get(), memoryType.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT,
                                             tensor.bytes.data()) < 0) {
            return unreadable(name);
        }
        normalizeBools(tensor);
        return keep(name, std::move(tensor));
    }

    /// Shape and room for the content.
    Status readShape(hid_t space, const std::string& name, Tensor& tensor) {
        std::array<hsize_t, H5S_MAX_RANK> sizes = {};
        const H5S_class_t spaceClass = H5Sget_simple_extent_type(space);
        const int rank =
            spaceClass == H5S_SIMPLE ? H5Sget_simple_extent_dims(space, sizes.data(), nullptr) : 0;
        if (rank < 0 || spaceClass == H5S_NO_CLASS) return unreadable(name);
        for (int i = 0; i < rank; ++i)
            tensor.shape.push_back(static_cast<std::int64_t>(sizes[static_cast<std::size_t>(i)]));
        if (spaceClass == H5S_NULL) tensor.shape = {0};
        const auto byteCount = checkedByteCount(tensor.shape, tensor.dtype);
        if (!byteCount)
            return fail("dataset {}: shape {} is impossible: {}", name, graph::toText(tensor.shape),
                        kCopyAgain);
        BITLOOM_RETURN_IF_ERROR(m_budget.charge(*byteCount, fmt::format("dataset {}", name)));
        tensor.bytes.resize(static_cast<std::size_t>(*byteCount));
        return {};
    }

    /// HDF5 takes memory for a whole chunk to read any part of it.
    Status checkStorage(hid_t dataset, std::size_t elementSize, const std::string& name) {
        const Handle plist(H5Dget_create_plist(dataset), H5Pclose);
        const H5D_layout_t layout = H5Pget_layout(plist.get());
        if (layout == H5D_VIRTUAL || H5Pget_external_count(plist.get()) > 0) {
            return fail(
                "dataset {} keeps its data in another file, which is not read; copy it into this file "
                "(h5repack does)",
                name);
        }
        if (layout != H5D_CHUNKED) return {};
        std::array<hsize_t, H5S_MAX_RANK> sizes = {};
        const int rank = H5Pget_chunk(plist.get(), H5S_MAX_RANK, sizes.data());
        if (rank < 0) return unreadable(name);
        std::uint64_t bytes = elementSize;
        for (int i = 0; i < rank; ++i) {
            if (__builtin_mul_overflow(bytes, sizes[static_cast<std::size_t>(i)], &bytes))
                return unreadable(name);
        }
        return m_budget.charge(bytes, fmt::format("a chunk of dataset {}", name));
    }

    Status keep(const std::string& name, Tensor tensor) {
        if (!isUtf8(name)) return fail("dataset {}: its name is not UTF-8; rename it", name);
        std::string key = name;
        std::ranges::replace(key, '/', '.');
        if (!m_tensors.emplace(key, std::move(tensor)).second) {
            return fail("two datasets have the key {}; rename one of them", key);
        }
        return {};
    }

    static Status unreadable(const std::string& name) {
        return fail("dataset {} cannot be read: {}: {}", name, hdf5Reason(), kCopyAgain);
    }

    hid_t m_file;
    MemoryBudget& m_budget;
    graph::StateDict m_tensors;
    Status m_status;
    std::exception_ptr m_thrown;
};

}  // namespace

Result<Checkpoint> readHdf5(const InputFile& file) {
    const SilencedErrors silenced;
    H5PLset_loading_state(0);  // a file must not choose code that is loaded to decode it
    // HDF5's locks fail on read-only and network file systems, and a reader needs none. The properties live
    // on because closing them would clear the reason of a failure.
    const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    H5Pset_file_locking(access.get(), false, true);
    const Handle handle(H5Fopen(file.path().c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
    if (!handle.valid()) return fail("HDF5 cannot open it: {}: {}", hdf5Reason(), kCopyAgain);
    MemoryBudget budget(file.size());
    Checkpoint checkpoint{Format::Hdf5, {}, {}};
    BITLOOM_ASSIGN_OR_RETURN(checkpoint.metadata, readMetadata(handle.get()));
    BITLOOM_ASSIGN_OR_RETURN(checkpoint.tensors, DatasetReader(handle.get(), budget).run());
    return checkpoint;
}

}  // namespace bitloom::checkpoint
