// Where exceptions of libtorch and the standard library end: they become errors of this module. Private to
// train/.
#pragma once

#include <exception>
#include <new>
#include <string>

#include <c10/util/Exception.h>

#include "engine/base/result.h"

namespace bitloom::train {

/// The result of `body`, or what was thrown in it as an error that begins with `where`.
template <class Body>
[[nodiscard]] auto guarded(const std::string& where, const Body& body) -> decltype(body()) {
    try {
        return body();
    } catch (const c10::Error& error) {
        return fail("{}: libtorch: {}", where, error.what_without_backtrace());
    } catch (const std::bad_alloc&) {
        return fail("{}: out of memory; lower data.batch or close other programs", where);
    } catch (const std::exception& error) {
        return fail("{}: {}", where, error.what());
    }
}

}  // namespace bitloom::train
