// The generated set: one shape an image, on a busy background, among clutter, partly covered, blurred and
// noisy. Position, size, rotation, proportions and all colours are drawn independently of the class, so that
// only the form tells it. Every number below was chosen by looking at the pictures and by training
// (README.md).
#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <numbers>

#include "engine/base/random.h"
#include "engine/data/generated_shapes.h"
#include "engine/data/pixel_cache.h"
#include "engine/data/sources.h"

namespace bitloom::data {
namespace {

constexpr std::uint64_t kImageStream = 0x73686170;
constexpr int kSide = 32;
constexpr int kMiddle = kSide / 2;
constexpr std::size_t kPixels = std::size_t{kSide} * kSide;

using Colour = std::array<float, 3>;  ///< R G B in [0, 1]

float draw(Random& random, double low, double high) {
    return static_cast<float>(random.uniform(low, high));
}

bool happens(Random& random, double probability) {
    return random.uniform() < probability;
}

Colour mix(const Colour& a, const Colour& b, float t) {
    return {a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t};
}

/// Any hue, rarely grey, rarely dark.
Colour drawColour(Random& random) {
    const float hue = draw(random, 0, 6);
    const float saturation = draw(random, 0.15, 0.85);
    const float value = draw(random, 0.2, 1.0);
    const auto channel = [&](float offset) {
        const float distance = std::abs(std::fmod(hue + offset, 6.0f) - 3.0f);
        return value * (1 - saturation * (1 - std::clamp(distance - 1, 0.0f, 1.0f)));
    };
    return {channel(0), channel(4), channel(2)};
}

/// A colour that stands out from `other`: by at least `contrast` in one channel.
Colour drawContrasting(Random& random, const Colour& other, float contrast) {
    Colour colour{};
    for (int attempt = 0; attempt < 20; ++attempt) {
        colour = drawColour(random);
        float difference = 0;
        for (std::size_t c = 0; c < 3; ++c)
            difference = std::max(difference, std::abs(colour[c] - other[c]));
        if (difference >= contrast) break;
    }
    return colour;
}

/// Smooth random field in about [0, 1]: a ramp, an interpolated lattice of random values and, now and then,
/// waves.
class Field {
  public:
    explicit Field(Random& random) {
        const float angle = draw(random, 0, 2 * std::numbers::pi);
        const float slope = draw(random, 0, 0.7) / kSide;
        m_slopeX = slope * std::cos(angle);
        m_slopeY = slope * std::sin(angle);
        const float amplitude = draw(random, 0.1, 0.7);
        for (float& node : m_nodes)
            node = amplitude * draw(random, -0.5, 0.5);
        if (happens(random, 0.35)) {
            const float direction = draw(random, 0, 2 * std::numbers::pi);
            const float frequency = 1 / draw(random, 3, 9);
            m_waveX = frequency * std::cos(direction);
            m_waveY = frequency * std::sin(direction);
            m_waveAmplitude = draw(random, 0.1, 0.5);
        }
    }

    [[nodiscard]] float at(int x, int y) const {
        const auto fx = static_cast<float>(x);
        const auto fy = static_cast<float>(y);
        const float phase = fx * m_waveX + fy * m_waveY;
        const float wave = 2 * std::abs(phase - wholePart(phase) - 0.5f) - 0.5f;
        const float ramp = (fx - kMiddle) * m_slopeX + (fy - kMiddle) * m_slopeY;
        return std::clamp(0.5f + ramp + lattice(x, y) + m_waveAmplitude * wave, 0.0f, 1.0f);
    }

  private:
    static constexpr int kCell = 8;
    static constexpr int kNodes = kSide / kCell + 1;

    [[nodiscard]] float lattice(int x, int y) const {
        const float u = static_cast<float>(x % kCell) / kCell;
        const float v = static_cast<float>(y % kCell) / kCell;
        const int corner = (y / kCell) * kNodes + x / kCell;
        const float* node = m_nodes.data() + corner;
        const float top = node[0] + (node[1] - node[0]) * u;
        const float bottom = node[kNodes] + (node[kNodes + 1] - node[kNodes]) * u;
        return top + (bottom - top) * v;
    }

    float m_slopeX = 0;
    float m_slopeY = 0;
    float m_waveX = 0;
    float m_waveY = 0;
    float m_waveAmplitude = 0;
    std::array<float, std::size_t{kNodes} * kNodes> m_nodes{};
};

class Canvas {
  public:
    void fill(const Field& field, const Colour& a, const Colour& b) {
        for (int y = 0; y < kSide; ++y) {
            for (int x = 0; x < kSide; ++x)
                m_colours[at(x, y)] = mix(a, b, field.at(x, y));
        }
    }

    /// Paints where `distance(x, y)`, in pixels, is negative, with soft edges of one pixel; only within
    /// `reach` of the centre.
    template <class Distance, class Paint>
    void paint(float centreX, float centreY, float reach, float opacity, Distance distance, Paint colour) {
        const auto low = [&](float centre) { return std::max(static_cast<int>(centre - reach), 0); };
        const auto high = [&](float centre) { return std::min(static_cast<int>(centre + reach) + 2, kSide); };
        for (int y = low(centreY); y < high(centreY); ++y) {
            for (int x = low(centreX); x < high(centreX); ++x) {
                const float signedDistance =
                    distance(static_cast<float>(x) - centreX, static_cast<float>(y) - centreY);
                const float coverage = std::clamp(0.5f - signedDistance, 0.0f, 1.0f) * opacity;
                if (coverage > 0) m_colours[at(x, y)] = mix(m_colours[at(x, y)], colour(x, y), coverage);
            }
        }
    }

    /// Mixes in the 3 x 3 binomial mean with weight `amount`.
    void blur(float amount) {
        std::array<Colour, kPixels> rows;
        const auto smooth = [&](const Colour& before, const Colour& here, const Colour& after) {
            return mix(here, mix(before, after, 0.5f), amount / 2);
        };
        for (int y = 0; y < kSide; ++y) {
            for (int x = 0; x < kSide; ++x) {
                rows[at(x, y)] = smooth(m_colours[at(std::max(x - 1, 0), y)], m_colours[at(x, y)],
                                        m_colours[at(std::min(x + 1, kSide - 1), y)]);
            }
        }
        for (int y = 0; y < kSide; ++y) {
            for (int x = 0; x < kSide; ++x) {
                m_colours[at(x, y)] = smooth(rows[at(x, std::max(y - 1, 0))], rows[at(x, y)],
                                             rows[at(x, std::min(y + 1, kSide - 1))]);
            }
        }
    }

    /// Writes planes R G B with noise of standard deviation `deviation`: sums of two uniform draws, of ten
    /// bits each.
    void write(Random& random, float deviation, std::span<std::uint8_t> pixels) const {
        const float scale = deviation * std::sqrt(6.0f) / 1024;
        for (std::size_t i = 0; i < kPixels; ++i) {
            std::uint64_t bits = random.next();
            for (std::size_t c = 0; c < 3; ++c, bits >>= 20) {
                const int sum = static_cast<int>(bits & 1023) + static_cast<int>((bits >> 10) & 1023) - 1023;
                const float value = m_colours[i][c] + scale * static_cast<float>(sum);
                const float rounded = wholePart(std::clamp(value, 0.0f, 1.0f) * 255 + 0.5f);
                pixels[c * kPixels + i] = static_cast<std::uint8_t>(rounded);
            }
        }
    }

  private:
    static std::size_t at(int x, int y) {
        return static_cast<std::size_t>(y) * kSide + static_cast<std::size_t>(x);
    }

    std::array<Colour, kPixels> m_colours;
};

/// Ranges that a stroke is drawn from, in pixels.
struct StrokeRange {
    double shortest;
    double longest;  ///< of half its length
    double thinnest;
    double thickest;  ///< of half its width
};

/// A short stroke with round ends, or a dot: belongs to no class.
void paintStroke(Random& random, Canvas& canvas, const StrokeRange& range) {
    const Colour colour = drawColour(random);
    const float halfLength = draw(random, range.shortest, range.longest);
    const float halfWidth = draw(random, range.thinnest, range.thickest);
    const float opacity = draw(random, 0.5, 1);
    const float angle = draw(random, 0, std::numbers::pi);
    const float alongX = std::cos(angle);
    const float alongY = std::sin(angle);
    const float centreX = draw(random, 0, kSide);
    const float centreY = draw(random, 0, kSide);
    const auto distance = [&](float x, float y) {
        const float along = std::clamp(x * alongX + y * alongY, -halfLength, halfLength);
        const float offX = x - along * alongX;
        const float offY = y - along * alongY;
        return std::sqrt(offX * offX + offY * offY) - halfWidth;
    };
    canvas.paint(centreX, centreY, halfLength + halfWidth, opacity, distance,
                 [&](int, int) { return colour; });
}

void paintShape(Random& random, Canvas& canvas, Shape shape, const Colour& background) {
    const float contrast = draw(random, 0.15, 0.45);
    const Colour colour = drawContrasting(random, background, contrast);
    const Colour otherColour = drawColour(random);
    const Colour shade = mix(colour, otherColour, draw(random, 0, 0.3));
    const Field field(random);
    const float opacity = draw(random, 0.8, 1);
    const float angle = draw(random, 0, 2 * std::numbers::pi);
    const float radius = draw(random, 5, 10);
    const float stretch = draw(random, 0.8, 1.25);
    const float centreX = draw(random, radius * 0.8, kSide - radius * 0.8);
    const float centreY = draw(random, radius * 0.8, kSide - radius * 0.8);
    const float cosX = std::cos(angle) / (radius * stretch);
    const float sinX = std::sin(angle) / (radius * stretch);
    const float cosY = std::cos(angle) * stretch / radius;
    const float sinY = std::sin(angle) * stretch / radius;
    const auto distance = [&](float x, float y) {
        return radius * shapeDistance(shape, x * cosX + y * sinX, y * cosY - x * sinY);
    };
    canvas.paint(centreX, centreY, radius * 1.6f, opacity, distance,
                 [&](int x, int y) { return mix(colour, shade, field.at(x, y)); });
}

/// One draw a statement: the order in which a call's arguments are evaluated differs between compilers.
void paintScene(Random& random, Shape shape, std::span<std::uint8_t> pixels) {
    constexpr StrokeRange kClutter{0, 6, 0.7, 2};
    constexpr StrokeRange kCover{1, 14, 0.6, 1.6};
    Canvas canvas;
    const Colour first = drawColour(random);
    const Colour otherColour = drawColour(random);
    const Colour second = mix(first, otherColour, draw(random, 0.1, 0.6));
    canvas.fill(Field(random), first, second);
    for (auto strokes = random.below(6); strokes > 0; --strokes)
        paintStroke(random, canvas, kClutter);
    paintShape(random, canvas, shape, mix(first, second, 0.5f));
    for (auto strokes = random.below(3); strokes > 0; --strokes)
        paintStroke(random, canvas, kCover);
    if (happens(random, 0.5)) canvas.blur(draw(random, 0.3, 1));
    const float noise = draw(random, 0.01, 0.12);
    canvas.write(random, noise, pixels);
}

class GeneratedShapes final : public Dataset {
  public:
    GeneratedShapes(std::uint64_t seed, Split split, std::int64_t count)
        : m_seed(seed), m_split(split), m_size(count), m_cache(count, m_shape.bytes()) {}

    [[nodiscard]] std::int64_t size() const override { return m_size; }
    [[nodiscard]] ImageShape shape() const override { return m_shape; }
    [[nodiscard]] const std::vector<std::string>& classNames() const override { return shapeNames(); }

    [[nodiscard]] Result<int> read(std::int64_t index, std::span<std::uint8_t> pixels) const override {
        assert(index >= 0 && index < m_size && pixels.size() == m_shape.bytes());
        const int label = static_cast<int>(index % kShapeCount);
        if (m_cache.find(index, pixels)) return label;
        Random random(
            {kImageStream, m_seed, m_split == Split::Train ? 0u : 1u, static_cast<std::uint64_t>(index)});
        paintScene(random, static_cast<Shape>(label), pixels);
        m_cache.store(index, pixels);
        return label;
    }

  private:
    std::uint64_t m_seed;
    Split m_split;
    std::int64_t m_size;
    ImageShape m_shape{3, kSide, kSide};
    mutable PixelCache m_cache;
};

}  // namespace

std::unique_ptr<Dataset> makeGeneratedDataset(std::uint64_t seed, Split split, std::int64_t count) {
    return std::make_unique<GeneratedShapes>(seed, split, count);
}

}  // namespace bitloom::data
