#include "engine/base/system_error.h"

#include <cerrno>
#include <system_error>

namespace bitloom {
namespace {

const char* remedyOf(int error) {
    switch (error) {
        case ENOSPC:
        case EDQUOT:
            return "; free some space on that disk and run again";
        case EFBIG:
            return "; the disk or a limit allows no larger file: choose another place or raise the limit";
        case EACCES:
        case EPERM:
        case EROFS:
            return "; choose a folder you can write to";
        case ENOENT:
        case ENOTDIR:
            return "; check the path";
        default:
            return "";
    }
}

}  // namespace

std::string describeSystemError(int error) {
    return std::generic_category().message(error) + remedyOf(error);
}

}  // namespace bitloom
