#include "engine/record/append_driver.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <map>
#include <memory>
#include <new>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/record/h5.h"

namespace bitloom::record::h5 {
namespace {

constexpr std::size_t kPageBytes = 4096;
using Page = std::array<char, kPageBytes>;

/// What travels with the file access list.
struct DriverInfo {
    DiskFailure* failure;
};

struct AppendFile {
    H5FD_t common{};  // first: HDF5 sees a pointer to it
    int descriptor = -1;
    haddr_t allocated = 0;
    haddr_t end = 0;
    DiskFailure* failure = nullptr;
    DiskFailure own;               // of a reader
    std::map<haddr_t, Page> kept;  // by page number: what was written since the failure
};

AppendFile& self(H5FD_t* file) {
    return *reinterpret_cast<AppendFile*>(file);
}
const AppendFile& self(const H5FD_t* file) {
    return *reinterpret_cast<const AppendFile*>(file);
}

/// Reads from the file alone; zeros behind its end. False with errno on failure.
bool readDisk(int descriptor, haddr_t address, char* buffer, std::size_t size) {
    while (size > 0) {
        const ssize_t count = ::pread(descriptor, buffer, size, static_cast<off_t>(address));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return false;
        if (count == 0) {
            std::memset(buffer, 0, size);
            return true;
        }
        buffer += count;
        address += static_cast<haddr_t>(count);
        size -= static_cast<std::size_t>(count);
    }
    return true;
}

bool writeDisk(int descriptor, haddr_t address, const char* buffer, std::size_t size) {
    while (size > 0) {
        const ssize_t count = ::pwrite(descriptor, buffer, size, static_cast<off_t>(address));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return false;
        buffer += count;
        address += static_cast<haddr_t>(count);
        size -= static_cast<std::size_t>(count);
    }
    return true;
}

/// Calls visit(page number, offset in the page, offset in the range, bytes) for each page that a range
/// touches.
template <class Visit>
bool forEachPage(haddr_t address, std::size_t size, Visit&& visit) {
    for (std::size_t done = 0; done < size;) {
        const haddr_t position = address + done;
        const auto offset = static_cast<std::size_t>(position % kPageBytes);
        const std::size_t bytes = std::min(size - done, kPageBytes - offset);
        if (!visit(position / kPageBytes, offset, done, bytes)) return false;
        done += bytes;
    }
    return true;
}

bool keep(AppendFile& file, haddr_t address, const char* buffer, std::size_t size) {
    return forEachPage(
        address, size, [&](haddr_t number, std::size_t offset, std::size_t done, std::size_t bytes) {
            const auto [page, isNew] = file.kept.try_emplace(number);
            if (isNew && !readDisk(file.descriptor, number * kPageBytes, page->second.data(), kPageBytes))
                return false;
            std::memcpy(page->second.data() + offset, buffer + done, bytes);
            return true;
        });
}

// What follows is called from C, which no exception may cross.

H5FD_t* openFile(const char* name, unsigned flags, hid_t properties, haddr_t) noexcept {
    std::unique_ptr<AppendFile> file(new (std::nothrow) AppendFile);
    if (!file) return nullptr;
    DiskFailure& failure = *static_cast<const DriverInfo*>(H5Pget_driver_info(properties))->failure;
    const bool writable = (flags & H5F_ACC_RDWR) != 0;
    file->failure = writable ? &failure : &file->own;
    const int mode = (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | ((flags & H5F_ACC_TRUNC) ? O_TRUNC : 0) |
                     ((flags & H5F_ACC_CREAT) ? O_CREAT : 0);
    file->descriptor = ::open(name, mode, 0644);
    struct stat status {};
    if (file->descriptor < 0 || ::fstat(file->descriptor, &status) != 0) {
        failure.error = errno;
        if (file->descriptor >= 0) ::close(file->descriptor);
        return nullptr;
    }
    file->end = static_cast<haddr_t>(status.st_size);
    return &file.release()->common;
}

herr_t closeAppend(H5FD_t* file) noexcept {
    const std::unique_ptr<AppendFile> owned(&self(file));
    if (::close(owned->descriptor) != 0 && owned->failure->error == 0) owned->failure->error = errno;
    return 0;
}

herr_t query(const H5FD_t*, unsigned long* flags) noexcept {
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_SUPPORTS_SWMR_IO | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

herr_t descriptorOf(H5FD_t* file, hid_t, void** handle) noexcept {
    *handle = &self(file).descriptor;
    return 0;
}

haddr_t allocatedEnd(const H5FD_t* file, H5FD_mem_t) noexcept {
    return self(file).allocated;
}

herr_t setAllocatedEnd(H5FD_t* file, H5FD_mem_t, haddr_t address) noexcept {
    self(file).allocated = address;
    return 0;
}

haddr_t fileEnd(const H5FD_t* file, H5FD_mem_t) noexcept {
    return self(file).end;
}

herr_t read(H5FD_t* common, H5FD_mem_t, hid_t, haddr_t address, std::size_t size, void* buffer) noexcept {
    const AppendFile& file = self(common);
    char* bytes = static_cast<char*>(buffer);
    if (!readDisk(file.descriptor, address, bytes, size)) return -1;
    if (file.kept.empty()) return 0;
    forEachPage(address, size, [&](haddr_t number, std::size_t offset, std::size_t done, std::size_t count) {
        const auto page = file.kept.find(number);
        if (page != file.kept.end()) std::memcpy(bytes + done, page->second.data() + offset, count);
        return true;
    });
    return 0;
}

herr_t write(H5FD_t* common, H5FD_mem_t, hid_t, haddr_t address, std::size_t size,
             const void* buffer) noexcept {
    AppendFile& file = self(common);
    const char* bytes = static_cast<const char*>(buffer);
    if (file.failure->error == 0 && !writeDisk(file.descriptor, address, bytes, size))
        file.failure->error = errno;
    if (file.failure->error != 0) {
        const auto kept = [&]() -> herr_t { return keep(file, address, bytes, size) ? 0 : -1; };
        if (fenced(kept) < 0) return -1;
    }
    file.end = std::max(file.end, address + size);
    return 0;
}

herr_t truncate(H5FD_t* common, hid_t, hbool_t) noexcept {
    AppendFile& file = self(common);
    if (file.end == file.allocated) return 0;
    if (file.failure->error == 0 && ::ftruncate(file.descriptor, static_cast<off_t>(file.allocated)) != 0) {
        file.failure->error = errno;
    }
    file.end = file.allocated;
    return 0;
}

// HDF5 marks a file as being written only through drivers that have these; WriterLock is the lock that
// counts.
herr_t lock(H5FD_t*, hbool_t) noexcept {
    return 0;
}
herr_t unlock(H5FD_t*) noexcept {
    return 0;
}

/// Without `cmp`: no two openings are the same file to HDF5.
H5FD_class_t driverClass(const char* name) {
    H5FD_class_t driver{};
    driver.name = name;
    driver.maxaddr = (haddr_t{1} << 62) - 1;
    driver.fc_degree = H5F_CLOSE_WEAK;
    driver.fapl_size = sizeof(DriverInfo);
    driver.open = openFile;
    driver.close = closeAppend;
    driver.query = query;
    driver.get_handle = descriptorOf;
    driver.get_eoa = allocatedEnd;
    driver.set_eoa = setAllocatedEnd;
    driver.get_eof = fileEnd;
    driver.read = read;
    driver.write = write;
    driver.truncate = truncate;
    driver.lock = lock;
    driver.unlock = unlock;
    std::fill(std::begin(driver.fl_map), std::end(driver.fl_map), H5FD_MEM_SUPER);
    driver.fl_map[H5FD_MEM_DRAW] = H5FD_MEM_DRAW;
    driver.fl_map[H5FD_MEM_GHEAP] = H5FD_MEM_DRAW;
    return driver;
}

void useDriver(hid_t properties, const H5FD_class_t& driver, DiskFailure& failure) {
    const Handle id(check(H5FDregister(&driver), "register the file driver"), H5FDunregister);
    const DriverInfo info{&failure};
    check(H5Pset_driver(properties, id.get(), &info), "set up file access");
}

}  // namespace

void useAppendDriver(hid_t properties, DiskFailure& failure) {
    useDriver(properties, driverClass("bitloom-append"), failure);
}

void useReadDriver(hid_t properties, DiskFailure& failure) {
    useDriver(properties, driverClass("bitloom-read"), failure);
}

}  // namespace bitloom::record::h5
