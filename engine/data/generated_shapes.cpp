#include "engine/data/generated_shapes.h"

#include <algorithm>
#include <cmath>

namespace bitloom::data {
namespace {

float disc(float x, float y, float radius) {
    return std::sqrt(x * x + y * y) - radius;
}

float box(float x, float y, float halfWidth, float halfHeight) {
    return std::max(std::abs(x) - halfWidth, std::abs(y) - halfHeight);
}

/// Star with `Points` tips at radius `tip` and as many inner corners at radius `corner`; a regular polygon
/// when corner = tip cos(pi / Points). Reflections fold the plane into the wedge between a tip on the y axis
/// and the corner next to it, where the outline is one straight line.
template <int Points>
float star(float x, float y, float tip, float corner) {
    static const float kSin = std::sin(3.14159265f / Points);
    static const float kCos = std::cos(3.14159265f / Points);
    constexpr int kFolds = (Points + 1) / 2;
    x = std::abs(x);
    for (int fold = 0; fold < kFolds; ++fold) {
        const float beyond = std::max(x * kCos - y * kSin, 0.0f);
        x = std::abs(x - 2 * beyond * kCos);
        y += 2 * beyond * kSin;
    }
    const float normalX = tip - corner * kCos;
    const float normalY = corner * kSin;
    return (x * normalX + (y - tip) * normalY) / std::sqrt(normalX * normalX + normalY * normalY);
}

/// Distance to the nearest of the lines t = 0, period, 2 period, ...
float toLattice(float t, float period) {
    const float phase = t / period;
    return std::abs(phase - wholePart(phase + 0.5f)) * period;
}

/// Negative in every other cell.
float checker(float x, float y, float cell) {
    const float parity = wholePart(x / cell) + wholePart(y / cell);
    const bool filled = parity == 2 * wholePart(parity / 2);
    const float edge = std::min(toLattice(x, cell), toLattice(y, cell));
    return filled ? -edge : edge;
}

}  // namespace

const std::vector<std::string>& shapeNames() {
    static const std::vector<std::string> kNames = {"disc", "ring",     "square", "triangle", "cross",
                                                    "star", "crescent", "dots",   "stripes",  "checker"};
    return kNames;
}

float shapeDistance(Shape shape, float x, float y) {
    switch (shape) {
        case Shape::Disc:
            return disc(x, y, 0.85f);
        case Shape::Ring:
            return std::abs(disc(x, y, 0.7f)) - 0.2f;
        case Shape::Square:
            return box(x, y, 0.75f, 0.75f);
        case Shape::Triangle:
            return star<3>(x, y + 0.15f, 1.1f, 0.55f);
        case Shape::Cross:
            return std::min(box(x, y, 0.95f, 0.28f), box(x, y, 0.28f, 0.95f));
        case Shape::Star:
            return star<5>(x, y, 1.1f, 0.47f);
        case Shape::Crescent:
            return std::max(disc(x, y, 0.95f), 0.8f - std::hypot(x - 0.5f, y));
        case Shape::Dots:
            return disc(std::abs(x) - 0.55f, y, 0.4f);
        case Shape::Stripes:
            return std::max(box(x, y, 0.9f, 0.9f), toLattice(y, 0.6f) - 0.15f);
        case Shape::Checker:
            return std::max(box(x, y, 0.9f, 0.9f), checker(x, y, 0.6f));
    }
    return 1;
}

}  // namespace bitloom::data
