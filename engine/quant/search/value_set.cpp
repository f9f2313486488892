#include "engine/quant/search/value_set.h"

#include <algorithm>
#include <cmath>

namespace bitloom::quant::search {
namespace {

constexpr int kMaxPowers =
    16;  // +-2^-7 are the smallest: beyond, values are closer to 0 than weights are apart

}  // namespace

std::vector<double> valuesOf(const LayerOptions& layer) {
    std::vector<double> values = layer.values;
    if (values.empty()) {
        for (int exponent = 0; 2 * exponent < layer.components; ++exponent) {
            values.push_back(std::ldexp(1.0, -exponent));
            values.push_back(-values.back());
        }
    }
    std::ranges::sort(values);
    return values;
}

std::vector<double> ofLargestOne(std::vector<double> values) {
    const double largest = std::max(std::abs(values.front()), std::abs(values.back()));
    for (double& value : values)
        value /= largest;
    return values;
}

bool isSignedSet(const std::vector<double>& values) {
    if (values.size() < 4 || values.size() % 2 != 0) return false;
    for (std::size_t k = 0; k < values.size() / 2; ++k) {
        if (values[k] != -values[values.size() - 1 - k]) return false;
    }
    return true;
}

Status checkValues(const LayerOptions& layer, const std::string& where) {
    if (layer.values.empty()) {
        if (layer.components >= 2 && layer.components <= kMaxPowers && layer.components % 2 == 0) return {};
        return usageError(
            "{}: components = {}: the sets +-1, +-1/2, ... have 2, 4, ... {} values (1 to 4 bits); list "
            "others as {}.values",
            where, layer.components, kMaxPowers, where);
    }
    if (layer.values.size() < 2 || layer.values.size() > 256) {
        return usageError("{}: values has {} of them; list 2 to 256 different numbers", where,
                          layer.values.size());
    }
    std::vector<float> sorted;
    for (const double value : layer.values) {
        sorted.push_back(static_cast<float>(value));
        if (!std::isfinite(sorted.back())) {
            return usageError("{}: values has {}, which is no finite float32 number; remove it", where,
                              value);
        }
    }
    std::ranges::sort(sorted);
    if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end()) {
        return usageError("{}: values has {} twice; list different numbers", where, *twice);
    }
    return {};
}

}  // namespace bitloom::quant::search
