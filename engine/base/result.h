// Result<T>: what every fallible engine function returns. An Error names what failed, on which file, layer or
// command, and what to do about it; ErrorKind maps onto the exit codes of the command line.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include <fmt/format.h>

namespace bitloom {

/// Exit codes of the command line: Failed 1, Usage 2, Cancelled 3, NoDevice 4.
enum class ErrorKind { Failed = 1, Usage = 2, Cancelled = 3, NoDevice = 4 };

struct Error {
    ErrorKind kind = ErrorKind::Failed;
    std::string message;
};

/// fail("{}: truncated at byte {}", path, offset)
template <class... Args>
[[nodiscard]] Error fail(fmt::format_string<Args...> format, Args&&... args) {
    return {ErrorKind::Failed, fmt::format(format, std::forward<Args>(args)...)};
}

template <class... Args>
[[nodiscard]] Error usageError(fmt::format_string<Args...> format, Args&&... args) {
    return {ErrorKind::Usage, fmt::format(format, std::forward<Args>(args)...)};
}

template <class T>
class [[nodiscard]] Result {
  public:
    Result(T value) : m_state(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : m_state(std::in_place_index<1>, std::move(error)) {}

    [[nodiscard]] bool ok() const { return m_state.index() == 0; }
    explicit operator bool() const { return ok(); }

    T& value() & {
        assert(ok());
        return std::get<0>(m_state);
    }
    const T& value() const& {
        assert(ok());
        return std::get<0>(m_state);
    }
    T&& value() && {
        assert(ok());
        return std::get<0>(std::move(m_state));
    }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    const Error& error() const& {
        assert(!ok());
        return std::get<1>(m_state);
    }
    Error&& error() && {
        assert(!ok());
        return std::get<1>(std::move(m_state));
    }

  private:
    std::variant<T, Error> m_state;
};

template <>
class [[nodiscard]] Result<void> {
  public:
    Result() = default;
    Result(Error error) : m_error(std::move(error)) {}

    [[nodiscard]] bool ok() const { return !m_error; }
    explicit operator bool() const { return ok(); }
    const Error& error() const& {
        assert(!ok());
        return *m_error;
    }
    Error&& error() && {
        assert(!ok());
        return std::move(*m_error);
    }

  private:
    std::optional<Error> m_error;
};

using Status = Result<void>;

}  // namespace bitloom

#define BITLOOM_CONCAT_INNER(a, b) a##b
#define BITLOOM_CONCAT(a, b) BITLOOM_CONCAT_INNER(a, b)

/// Returns the error of a Status or Result expression to the caller, if it has one.
#define BITLOOM_RETURN_IF_ERROR(expression)                           \
    do {                                                              \
        if (auto bitloomStatus = (expression); !bitloomStatus.ok()) { \
            return std::move(bitloomStatus).error();                  \
        }                                                             \
    } while (false)

/// BITLOOM_ASSIGN_OR_RETURN(auto graph, zoo::makeModel(arch)): the value, or the error to the caller.
#define BITLOOM_ASSIGN_OR_RETURN(declaration, expression) \
    BITLOOM_ASSIGN_OR_RETURN_IMPL(BITLOOM_CONCAT(bitloomResult, __LINE__), declaration, expression)
#define BITLOOM_ASSIGN_OR_RETURN_IMPL(result, declaration, expression) \
    auto result = (expression);                                        \
    if (!result.ok()) return std::move(result).error();                \
    declaration = std::move(result).value()
