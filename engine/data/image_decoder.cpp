#include "engine/data/image_decoder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <new>
#include <string_view>

#include "engine/base/atomic_file.h"

namespace bitloom::data {
namespace {

constexpr std::string_view kPngSignature = "\x89PNG\r\n\x1a\n";
constexpr std::string_view kJpegSignature = "\xff\xd8\xff";
constexpr std::uint64_t kLongestSide = 16'384;
constexpr std::uint64_t kMostPixels = std::uint64_t{1} << 26;

/// How one target pixel is put together from source pixels along one axis; weights add up to 1.
struct Tap {
    int first = 0;
    std::vector<float> weights;
};

/// Triangle filter from `length` pixels starting at `offset` to `size` pixels. Its half-width is one pixel of
/// the coarser of the two grids: bilinear when enlarging, an average over all source pixels when shrinking.
std::vector<Tap> makeTaps(int offset, int length, int size) {
    const double scale = static_cast<double>(length) / size;
    const double radius = std::max(scale, 1.0);
    std::vector<Tap> taps(static_cast<std::size_t>(size));
    for (int target = 0; target < size; ++target) {
        const double centre = (target + 0.5) * scale;
        const int first = std::max(static_cast<int>(std::floor(centre - radius)), 0);
        const int last = std::min(static_cast<int>(std::ceil(centre + radius)), length);
        Tap& tap = taps[static_cast<std::size_t>(target)];
        tap.first = offset + first;
        double sum = 0;
        for (int source = first; source < last; ++source) {
            const double weight = std::max(0.0, 1.0 - std::abs(source + 0.5 - centre) / radius);
            tap.weights.push_back(static_cast<float>(weight));
            sum += weight;
        }
        for (float& weight : tap.weights)
            weight = static_cast<float>(weight / sum);
    }
    return taps;
}

}  // namespace

namespace detail {

Status checkImageSize(const std::string& name, std::uint64_t width, std::uint64_t height) {
    if (std::max(width, height) > kLongestSide || width * height > kMostPixels) {
        return fail(
            "{}: {} x {} pixels is more than the {} a side or {} in all that are read; shrink the image",
            name, width, height, kLongestSide, kMostPixels);
    }
    return {};
}

}  // namespace detail

Result<RgbImage> decodeImage(const std::filesystem::path& path, int enoughPixels) {
    try {
        BITLOOM_ASSIGN_OR_RETURN(const std::string text, readFile(path));
        const std::span bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
        if (text.starts_with(kPngSignature)) return detail::decodePng(path.string(), bytes);
        if (text.starts_with(kJpegSignature)) return detail::decodeJpeg(path.string(), bytes, enoughPixels);
        return fail("{}: neither a PNG nor a JPEG image by its first bytes; replace or remove it",
                    path.string());
    } catch (const std::bad_alloc&) {
        return fail("{}: not enough memory to decode it; free some or shrink the image", path.string());
    }
}

void resizeToSquare(const RgbImage& image, int size, std::span<std::uint8_t> planes) {
    const int side = std::min(image.width, image.height);
    const std::vector<Tap> columns = makeTaps((image.width - side) / 2, side, size);
    const std::vector<Tap> rows = makeTaps((image.height - side) / 2, side, size);
    const auto rowBytes = static_cast<std::size_t>(image.width) * 3;
    const auto plane = static_cast<std::size_t>(size) * static_cast<std::size_t>(size);
    std::vector<float> line(rowBytes);
    for (std::size_t y = 0; y < rows.size(); ++y) {
        std::ranges::fill(line, 0.0f);
        for (std::size_t i = 0; i < rows[y].weights.size(); ++i) {
            const std::uint8_t* source =
                image.pixels.data() + (static_cast<std::size_t>(rows[y].first) + i) * rowBytes;
            for (std::size_t x = 0; x < rowBytes; ++x)
                line[x] += rows[y].weights[i] * static_cast<float>(source[x]);
        }
        for (std::size_t x = 0; x < columns.size(); ++x) {
            std::array<float, 3> sums{};
            for (std::size_t i = 0; i < columns[x].weights.size(); ++i) {
                const float* source = line.data() + 3 * (static_cast<std::size_t>(columns[x].first) + i);
                for (std::size_t channel = 0; channel < 3; ++channel)
                    sums[channel] += columns[x].weights[i] * source[channel];
            }
            for (std::size_t channel = 0; channel < 3; ++channel) {
                const float rounded = std::clamp(sums[channel] + 0.5f, 0.0f, 255.0f);
                planes[channel * plane + y * columns.size() + x] = static_cast<std::uint8_t>(rounded);
            }
        }
    }
}

}  // namespace bitloom::data
