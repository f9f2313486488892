// HDF5 file drivers of the writer and of readers.
//
// The writer's: HDF5 does not survive a failed write: closing the file then marks a damaged
// file as whole, and the process crashes at exit. So HDF5 never hears of one: from the first failure on,
// everything it writes is kept in memory and the file stays as its readers last saw it. The writer asks
// `DiskFailure` and gives up in order.
//
// The readers': HDF5 shares what it knows of a file among all of a process that have it open, so that one
// reader would see rows as an older one last saw them. Here every opening is a file of its own.
#pragma once

#include <hdf5.h>

namespace bitloom::record::h5 {

struct DiskFailure {
    int error = 0;  ///< errno of the first write that failed; 0 while the disk takes everything
};

/// Lets the file access list `properties` open files through the driver. `failure` must outlive the files.
/// The thread that writes is the one that may look at `failure`.
void useAppendDriver(hid_t properties, DiskFailure& failure);

/// The same for reading. `failure` has the errno of an opening that failed; it need not outlive that.
void useReadDriver(hid_t properties, DiskFailure& failure);

}  // namespace bitloom::record::h5
