// The ten classes of the generated set as signed distances. Private to this folder. Any thread.
#pragma once

#include <string>
#include <vector>

namespace bitloom::data {

enum class Shape { Disc, Ring, Square, Triangle, Cross, Star, Crescent, Dots, Stripes, Checker };

inline constexpr int kShapeCount = 10;

/// In the order of Shape: labels of the generated set.
[[nodiscard]] const std::vector<std::string>& shapeNames();

/// Approximate distance of the point (x, y) to the outline, negative inside; the shape fills about the unit
/// disc.
[[nodiscard]] float shapeDistance(Shape shape, float x, float y);

/// std::floor for small numbers; that one is a library call on plain x86-64 and would double the cost of an
/// image.
[[nodiscard]] inline float wholePart(float x) {
    const auto truncated = static_cast<float>(static_cast<int>(x));
    return truncated > x ? truncated - 1 : truncated;
}

}  // namespace bitloom::data
