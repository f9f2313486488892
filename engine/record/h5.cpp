#include "engine/record/h5.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <sys/stat.h>

#include "engine/base/system_error.h"

namespace bitloom::record::h5 {
namespace {

/// Chunks hold about this much; a longer row is a chunk of its own and compressed. A row is thus written to
/// disk once: compressed chunks that grow would leave their old copies behind, since SWMR never reuses space.
constexpr std::uint64_t kChunkBytes = 2048;
constexpr std::uint64_t kCompressFromBytes = 512;
constexpr unsigned kDeflateLevel = 1;
constexpr hsize_t kAllocationBlock = 64 << 10;
/// How often a reader of a live file retries metadata that a write has torn. HDF5 doubles its pause from 1 ns
/// each time: 24 attempts give up after 17 ms, its default of 100 would hang on a damaged file for ever.
constexpr unsigned kReadAttempts = 24;

struct StackSummary {
    std::string deepest;
    int systemError = 0;
};

herr_t summarise(unsigned, const H5E_error2_t* entry, void* data) noexcept {
    return fenced([&] {
        auto& summary = *static_cast<StackSummary*>(data);
        const std::string text = entry->desc ? entry->desc : "";
        if (summary.deepest.empty()) summary.deepest = text;
        const auto position = text.find("errno = ");
        if (summary.systemError == 0 && position != std::string::npos) {
            summary.systemError = std::atoi(text.c_str() + position + std::strlen("errno = "));
        }
        return 0;
    });
}

Handle textType(std::size_t bytes) {
    Handle type(check(H5Tcopy(H5T_C_S1), "make a text type"), H5Tclose);
    check(H5Tset_size(type.get(), std::max<std::size_t>(bytes, 1)), "make a text type");
    check(H5Tset_strpad(type.get(), H5T_STR_NULLPAD), "make a text type");
    check(H5Tset_cset(type.get(), H5T_CSET_UTF8), "make a text type");
    return type;
}

/// The type of an element in memory; `stored`: in the file, little-endian on every machine.
Handle elementType(const Column& column, bool stored) {
    const auto copy = [](hid_t type) { return Handle(check(H5Tcopy(type), "copy a type"), H5Tclose); };
    switch (column.element) {
        case Element::Float64:
            return copy(stored ? H5T_IEEE_F64LE : H5T_NATIVE_DOUBLE);
        case Element::Int64:
            return copy(stored ? H5T_STD_I64LE : H5T_NATIVE_INT64);
        case Element::UInt64:
            return copy(stored ? H5T_STD_U64LE : H5T_NATIVE_UINT64);
        case Element::UInt32:
            return copy(stored ? H5T_STD_U32LE : H5T_NATIVE_UINT32);
        case Element::Text:
            break;
    }
    return textType(column.textBytes);
}

Handle propertyList(hid_t kind) {
    return {check(H5Pcreate(kind), "make a property list"), H5Pclose};
}

/// HDF5's own locks fail on read-only and network file systems. Nothing here needs them: a writer works on a
/// file that nobody else knows until SWMR is on.
Handle fileAccess() {
    Handle properties = propertyList(H5P_FILE_ACCESS);
    check(H5Pset_file_locking(properties.get(), false, true), "set up file access");
    return properties;
}

Handle writerAccess(DiskFailure& failure) {
    Handle properties = fileAccess();
    check(H5Pset_libver_bounds(properties.get(), H5F_LIBVER_LATEST, H5F_LIBVER_LATEST), "set up file access");
    check(H5Pset_meta_block_size(properties.get(), kAllocationBlock), "set up file access");
    check(H5Pset_small_data_block_size(properties.get(), kAllocationBlock), "set up file access");
    useAppendDriver(properties.get(), failure);
    return properties;
}

/// Rows of one chunk.
std::uint64_t chunkRows(const Column& column) {
    if (column.rowBytes() >= kCompressFromBytes) return 1;
    return std::max<std::uint64_t>(1, kChunkBytes / column.rowBytes());
}

std::vector<hsize_t> dimensionsOf(const Column& column, std::uint64_t rows) {
    std::vector<hsize_t> dimensions{rows};
    dimensions.insert(dimensions.end(), column.shape.begin(), column.shape.end());
    return dimensions;
}

Handle dataspace(const std::vector<hsize_t>& dimensions, const hsize_t* limits = nullptr) {
    return {check(H5Screate_simple(static_cast<int>(dimensions.size()), dimensions.data(), limits),
                  "make a dataspace"),
            H5Sclose};
}

void setFill(hid_t properties, const Column& column) {
    const std::int64_t noStep = kNoStep;
    const double unknown = report::kNoValue;
    if (column.name == kStep)
        check(H5Pset_fill_value(properties, H5T_NATIVE_INT64, &noStep), "set a fill value");
    if (column.element == Element::Float64) {
        check(H5Pset_fill_value(properties, H5T_NATIVE_DOUBLE, &unknown), "set a fill value");
    }
}

}  // namespace

void raise(const std::string& action) {
    StackSummary summary;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, summarise, &summary);
    if (summary.systemError != 0) raiseSystemError(action, summary.systemError);
    throw Failure(
        fmt::format("cannot {}: {}", action, summary.deepest.empty() ? "unknown reason" : summary.deepest));
}

void raiseSystemError(const std::string& action, int error) {
    throw Failure(fmt::format("cannot {}: {}", action, describeSystemError(error)));
}

void silenceHdf5() {
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

bool Handle::reset() {
    const hid_t id = std::exchange(m_id, H5I_INVALID_HID);
    return id < 0 || m_close(id) >= 0;
}

Handle createFile(const std::filesystem::path& path, DiskFailure& failure) {
    const Handle properties = writerAccess(failure);
    const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, properties.get());
    if (file < 0 && failure.error != 0) raiseSystemError("create it", failure.error);
    return {check(file, "create it"), H5Fclose};
}

Handle openForAppending(const std::filesystem::path& path, DiskFailure& failure) {
    const Handle properties = writerAccess(failure);
    const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR | H5F_ACC_SWMR_WRITE, properties.get());
    if (file < 0 && failure.error != 0) raiseSystemError("append to it", failure.error);
    return {check(file, "append to it"), H5Fclose};
}

Handle openForReading(const std::filesystem::path& path, bool live) {
    DiskFailure failure;
    const Handle properties = fileAccess();
    useReadDriver(properties.get(), failure);
    if (live) check(H5Pset_metadata_read_attempts(properties.get(), kReadAttempts), "set up file access");
    const unsigned flags = H5F_ACC_RDONLY | (live ? H5F_ACC_SWMR_READ : 0u);
    const hid_t file = H5Fopen(path.c_str(), flags, properties.get());
    if (file < 0) {
        if (failure.error != 0) raiseSystemError("open it", failure.error);
        StackSummary summary;
        H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, summarise, &summary);
        if (summary.systemError != 0) raiseSystemError("open it", summary.systemError);
        throw Failure(fmt::format("cannot open it: {}; the file is damaged or incomplete, copy it again",
                                  summary.deepest));
    }
    return {file, H5Fclose};
}

Handle createGroup(hid_t parent, const std::string& name) {
    const Handle properties = propertyList(H5P_GROUP_CREATE);
    check(H5Pset_link_creation_order(properties.get(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED),
          "order " + name);
    return {
        check(H5Gcreate2(parent, name.c_str(), H5P_DEFAULT, properties.get(), H5P_DEFAULT), "create " + name),
        H5Gclose};
}

Handle openGroup(hid_t parent, const std::string& name) {
    return {check(H5Gopen2(parent, name.c_str(), H5P_DEFAULT), "find " + name), H5Gclose};
}

std::vector<std::string> linkNames(hid_t group) {
    std::vector<std::string> names;
    const auto collect = [](hid_t, const char* name, const H5L_info_t*, void* data) noexcept -> herr_t {
        return fenced([&] {
            static_cast<std::vector<std::string>*>(data)->emplace_back(name);
            return 0;
        });
    };
    hsize_t position = 0;
    check(H5Literate(group, H5_INDEX_CRT_ORDER, H5_ITER_INC, &position, collect, &names), "list a group");
    return names;
}

bool hasLink(hid_t group, const std::string& name) {
    return check(H5Lexists(group, name.c_str(), H5P_DEFAULT), "look for " + name) > 0;
}

void writeText(hid_t object, const char* attribute, const std::string& text) {
    const Handle type = textType(text.size());
    const Handle space(check(H5Screate(H5S_SCALAR), "make a dataspace"), H5Sclose);
    const std::string action = fmt::format("write {}", attribute);
    const Handle id(
        check(H5Acreate2(object, attribute, type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), action),
        H5Aclose);
    check(H5Awrite(id.get(), type.get(), text.c_str()), action);
}

std::string readText(hid_t object, const char* attribute) {
    const std::string action = fmt::format("read {}", attribute);
    const Handle id(check(H5Aopen(object, attribute, H5P_DEFAULT), action), H5Aclose);
    const Handle type(check(H5Aget_type(id.get()), action), H5Tclose);
    const Handle space(check(H5Aget_space(id.get()), action), H5Sclose);
    if (H5Tget_class(type.get()) != H5T_STRING || H5Tis_variable_str(type.get()) != 0 ||
        H5Sget_simple_extent_npoints(space.get()) != 1) {
        throw Failure(
            fmt::format("cannot {}: it is not a text of fixed length; the file is damaged", action));
    }
    const std::size_t size = H5Tget_size(type.get());
    if (size > fileBytes(object)) {
        throw Failure(fmt::format(
            "cannot {}: it claims {} bytes, more than the file has; the file is damaged", action, size));
    }
    std::string text(size, '\0');
    check(H5Aread(id.get(), textType(text.size()).get(), text.data()), action);
    text.resize(text.find_last_not_of('\0') + 1);
    return text;
}

void writeInteger(hid_t object, const char* attribute, std::int64_t value) {
    const Handle space(check(H5Screate(H5S_SCALAR), "make a dataspace"), H5Sclose);
    const std::string action = fmt::format("write {}", attribute);
    const Handle id(
        check(H5Acreate2(object, attribute, H5T_STD_I64LE, space.get(), H5P_DEFAULT, H5P_DEFAULT), action),
        H5Aclose);
    check(H5Awrite(id.get(), H5T_NATIVE_INT64, &value), action);
}

std::int64_t readInteger(hid_t object, const char* attribute) {
    const std::string action = fmt::format("read {}", attribute);
    const Handle id(check(H5Aopen(object, attribute, H5P_DEFAULT), action), H5Aclose);
    const Handle space(check(H5Aget_space(id.get()), action), H5Sclose);
    if (H5Sget_simple_extent_npoints(space.get()) != 1) {
        throw Failure(fmt::format("cannot {}: it is not one number; the file is damaged", action));
    }
    std::int64_t value = 0;
    check(H5Aread(id.get(), H5T_NATIVE_INT64, &value), action);
    return value;
}

bool hasAttribute(hid_t object, const char* attribute) {
    return check(H5Aexists(object, attribute), fmt::format("look for {}", attribute)) > 0;
}

std::uint64_t fileBytes(hid_t object) {
    const std::string action = "measure the file";
    const Handle file(check(H5Iget_file_id(object), action), H5Fclose);
    void* descriptor = nullptr;
    check(H5Fget_vfd_handle(file.get(), H5P_DEFAULT, &descriptor), action);
    struct stat status {};
    if (::fstat(*static_cast<const int*>(descriptor), &status) != 0) raiseSystemError(action, errno);
    return static_cast<std::uint64_t>(status.st_size);
}

void Dataset::create(hid_t group, const Column& column) {
    const Handle properties = propertyList(H5P_DATASET_CREATE);
    const std::vector<hsize_t> chunk = dimensionsOf(column, chunkRows(column));
    const std::string action = "create dataset " + column.name;
    check(H5Pset_chunk(properties.get(), static_cast<int>(chunk.size()), chunk.data()), action);
    if (column.rowBytes() >= kCompressFromBytes) {
        if (column.element != Element::Text) check(H5Pset_shuffle(properties.get()), action);
        check(H5Pset_deflate(properties.get(), kDeflateLevel), action);
    }
    setFill(properties.get(), column);
    std::vector<hsize_t> limits = chunk;
    limits[0] = H5S_UNLIMITED;
    const Handle space = dataspace(dimensionsOf(column, 0), limits.data());
    const Handle type = elementType(column, true);
    const Handle dataset(check(H5Dcreate2(group, column.name.c_str(), type.get(), space.get(), H5P_DEFAULT,
                                          properties.get(), H5P_DEFAULT),
                               action),
                         H5Dclose);
}

void Dataset::createFixed(hid_t group, const Column& column, std::uint64_t rows) {
    const Handle properties = propertyList(H5P_DATASET_CREATE);
    const std::string action = "create dataset " + column.name;
    check(H5Pset_alloc_time(properties.get(), H5D_ALLOC_TIME_EARLY), action);
    setFill(properties.get(), column);
    const Handle space = dataspace(dimensionsOf(column, rows));
    const Handle type = elementType(column, true);
    const Handle dataset(check(H5Dcreate2(group, column.name.c_str(), type.get(), space.get(), H5P_DEFAULT,
                                          properties.get(), H5P_DEFAULT),
                               action),
                         H5Dclose);
}

Dataset Dataset::open(hid_t group, Column column, bool forWriting) {
    const Handle properties = propertyList(H5P_DATASET_ACCESS);
    const std::size_t cacheBytes = forWriting ? chunkRows(column) * column.rowBytes() : 0;
    check(H5Pset_chunk_cache(properties.get(), 1, cacheBytes, H5D_CHUNK_CACHE_W0_DEFAULT),
          "set up dataset access");
    Dataset dataset;
    dataset.m_type = elementType(column, false);
    dataset.m_dataset =
        Handle(check(H5Dopen2(group, column.name.c_str(), properties.get()), "open dataset " + column.name),
               H5Dclose);
    dataset.m_column = std::move(column);
    return dataset;
}

std::vector<hsize_t> Dataset::dimensions() const {
    const std::string action = "read the shape of dataset " + m_column.name;
    const Handle space(check(H5Dget_space(m_dataset.get()), action), H5Sclose);
    std::vector<hsize_t> dimensions(
        static_cast<std::size_t>(check(H5Sget_simple_extent_ndims(space.get()), action)));
    check(H5Sget_simple_extent_dims(space.get(), dimensions.data(), nullptr), action);
    if (dimensions.empty())
        throw Failure(fmt::format("cannot {}: it has no rows; the file is damaged", action));
    return dimensions;
}

std::uint64_t Dataset::rows() const {
    return dimensions().front();
}

std::vector<std::uint64_t> Dataset::rowShape() const {
    const std::vector<hsize_t> all = dimensions();
    return {all.begin() + 1, all.end()};
}

void Dataset::extend(std::uint64_t rows) {
    const std::vector<hsize_t> dimensions = dimensionsOf(m_column, rows);
    check(H5Dset_extent(m_dataset.get(), dimensions.data()), "extend dataset " + m_column.name);
}

std::pair<Handle, Handle> Dataset::select(std::uint64_t first, std::uint64_t count) const {
    const std::string action = "select rows of dataset " + m_column.name;
    std::vector<hsize_t> start(m_column.shape.size() + 1, 0);
    start.front() = first;
    const std::vector<hsize_t> size = dimensionsOf(m_column, count);
    Handle file(check(H5Dget_space(m_dataset.get()), action), H5Sclose);
    if (check(H5Sget_simple_extent_ndims(file.get()), action) != static_cast<int>(size.size())) {
        throw Failure(fmt::format("cannot {}: it has another shape; the file is damaged", action));
    }
    check(H5Sselect_hyperslab(file.get(), H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr),
          action);
    return {std::move(file), dataspace(size)};
}

void Dataset::write(std::uint64_t first, std::uint64_t count, const void* values) {
    const auto [file, memory] = select(first, count);
    check(H5Dwrite(m_dataset.get(), m_type.get(), memory.get(), file.get(), H5P_DEFAULT, values),
          "write dataset " + m_column.name);
}

void Dataset::read(std::uint64_t first, std::uint64_t count, void* values) const {
    const auto [file, memory] = select(first, count);
    check(H5Dread(m_dataset.get(), m_type.get(), memory.get(), file.get(), H5P_DEFAULT, values),
          "read dataset " + m_column.name);
}

void Dataset::refresh() {
    check(H5Drefresh(m_dataset.get()), "refresh dataset " + m_column.name);
}

}  // namespace bitloom::record::h5
