#include "engine/jobs/version.h"

namespace bitloom::jobs {

const char* version() {
    return BITLOOM_VERSION;
}

}  // namespace bitloom::jobs
