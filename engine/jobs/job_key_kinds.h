// Builders of schema keys by kind of value. `access` is a generic lambda that returns the field of a target,
// const or not: the one place where a key is tied to it. Private to jobs/.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/jobs/job_schema.h"

namespace bitloom::jobs {

template <class Target, class Access>
Key<Target> number(std::string name, std::string help, Access access, double low, double high) {
    std::string expected = fmt::format("a number from {} to {}", low, high);
    return {std::move(name), std::move(help), std::move(expected),
            [=](const toml::node& node, Target& target) {
                const auto value = node.value<double>();
                if (!value || node.is_boolean() || !(*value >= low && *value <= high)) return false;
                access(target) = *value;
                return true;
            },
            [=](const Target& target) { return fmt::format("{}", access(target)); }};
}

template <class Target, class Access>
Key<Target> integer(std::string name, std::string help, Access access, std::int64_t low, std::int64_t high) {
    std::string expected = high == std::numeric_limits<std::int64_t>::max()
                               ? fmt::format("an integer, at least {}", low)
                               : fmt::format("an integer from {} to {}", low, high);
    return {std::move(name), std::move(help), std::move(expected),
            [=](const toml::node& node, Target& target) {
                const auto value = node.value_exact<std::int64_t>();
                if (!value || *value < low || *value > high) return false;
                access(target) = static_cast<std::remove_reference_t<decltype(access(target))>>(*value);
                return true;
            },
            [=](const Target& target) { return fmt::format("{}", access(target)); }};
}

template <class Target, class Access>
Key<Target> boolean(std::string name, std::string help, Access access) {
    return {std::move(name), std::move(help), "true or false",
            [=](const toml::node& node, Target& target) {
                const auto value = node.value_exact<bool>();
                if (value) access(target) = *value;
                return value.has_value();
            },
            [=](const Target& target) { return std::string(access(target) ? "true" : "false"); }};
}

template <class Target, class Access>
Key<Target> text(std::string name, std::string help, Access access) {
    return {std::move(name), std::move(help), "a string",
            [=](const toml::node& node, Target& target) {
                auto value = node.value_exact<std::string>();
                if (value) access(target) = std::move(*value);
                return value.has_value();
            },
            [=](const Target& target) { return quoteToml(access(target)); }};
}

template <class Value>
using Choices = std::vector<std::pair<std::string, Value>>;

template <class Target, class Value, class Access>
Key<Target> choice(std::string name, std::string help, Choices<Value> choices, Access access) {
    std::string expected = "one of";
    for (const auto& [word, value] : choices)
        expected += fmt::format("{} \"{}\"", &word == &choices[0].first ? "" : ",", word);
    return {std::move(name), std::move(help), std::move(expected),
            [=](const toml::node& node, Target& target) {
                const auto given = node.value_exact<std::string>();
                for (const auto& [word, value] : choices) {
                    if (given != word) continue;
                    access(target) = value;
                    return true;
                }
                return false;
            },
            [=](const Target& target) {
                for (const auto& [word, value] : choices) {
                    if (access(target) == value) return quoteToml(word);
                }
                return std::string();
            }};
}

/// A key that is read but never written, because another key holds the same fact.
template <class Target>
Key<Target> readOnly(Key<Target> key) {
    key.write = [](const Target&) { return std::string(); };
    return key;
}

}  // namespace bitloom::jobs
