// How a prepared convolution runs: tile by tile, or as one of the plain loops.
#include <algorithm>
#include <type_traits>

#include "engine/qsimd/runtime/convolution.h"

namespace bitloom::qsimd {
namespace {

template <class Value>
constexpr bool kIsFloat = std::is_same_v<Value, float>;

/// Share `part` of `parts` of `count` things: [first, end).
struct Share {
    int first;
    int end;
};
Share shareOf(int count, int part, int parts) {
    const auto at = [=](int i) { return static_cast<int>(static_cast<std::int64_t>(count) * i / parts); };
    return {at(part), at(part + 1)};
}

template <class Value>
Value* valuesOf(std::byte* arena, const Buffer& buffer) {
    return reinterpret_cast<Value*>(arena + buffer.offset) + firstPixel(buffer);
}
template <class Value>
const Value* valuesOf(const std::byte* arena, const Buffer& buffer) {
    return reinterpret_cast<const Value*>(arena + buffer.offset) + firstPixel(buffer);
}

constexpr std::size_t kCacheLine = 64;

/// Decodes a panel's `blocks` step by step, each after asking for what lies `ahead` bytes further on and
/// before `end`.
template <class Decode, class Value>
void decodeAhead(Decode decode, const std::uint8_t* packed, std::size_t blocks, const Value* codebook,
                 Value* panel, int bits, std::size_t ahead, const std::uint8_t* end) {
    constexpr std::size_t kStep = 4 * kCacheLine / kBlockBytes;
    for (std::size_t i = 0; i < blocks; i += kStep) {
        const std::uint8_t* from = packed + i * kBlockBytes;
        const auto left = static_cast<std::size_t>(end - from);
        for (std::size_t at = ahead; at < std::min(left, ahead + kStep * kBlockBytes); at += kCacheLine)
            __builtin_prefetch(from + at, 0, 3);
        decode(from, std::min(kStep, blocks - i), codebook, panel + i * blockElements(bits));
    }
}

/// Brings share `part` of `parts` of `bytes` from `from` on to the second cache.
void prefetchShare(const void* from, std::size_t bytes, int part, int parts) {
    const std::size_t share =
        (bytes / static_cast<std::size_t>(parts) + kCacheLine) / kCacheLine * kCacheLine;
    const std::size_t end = std::min(bytes, share * (static_cast<std::size_t>(part) + 1));
    for (std::size_t i = share * static_cast<std::size_t>(part); i < end; i += kCacheLine)
        __builtin_prefetch(static_cast<const char*>(from) + i, 0, 2);
}

}  // namespace

template <class Value>
Fields<Value> PreparedConvolution::fieldsAt(const Value* input, int y, int x, int firstRow, int rows,
                                            int group) const {
    const std::ptrdiff_t row = rowStride(m_input);
    const std::ptrdiff_t top = static_cast<std::ptrdiff_t>(y) * m_step.strideHeight - m_step.paddingHeight +
                               static_cast<std::ptrdiff_t>(firstRow) * m_step.dilationHeight;
    const std::ptrdiff_t left = static_cast<std::ptrdiff_t>(x) * m_step.strideWidth - m_step.paddingWidth;
    Fields<Value> fields;
    fields.first = input + top * row + left * m_input.channels +
                   static_cast<std::ptrdiff_t>(group) * (m_input.channels / m_step.groups);
    fields.pixelStride = static_cast<std::ptrdiff_t>(m_step.strideWidth) * m_input.channels;
    fields.rowStride = m_step.dilationHeight * row;
    fields.segmentStride = static_cast<std::ptrdiff_t>(m_step.dilationWidth) * m_input.channels;
    fields.rows = rows;
    fields.segments = m_shape.segments;
    fields.run = m_shape.paddedRun;
    return fields;
}

void PreparedConvolution::finish(std::byte* arena, const void* sums, int sumStride, int y, int x, int pixels,
                                 int channel, int channels, const std::int32_t* start) const {
    const auto c = static_cast<std::size_t>(channel);
    EpilogueConstants constants;
    constants.start = start;
    constants.scale = m_step.scale.data() + c;
    constants.bias = m_step.bias.data() + c;
    constants.low = m_step.low;
    constants.high = m_step.high;
    constants.residualScale = m_step.residualScale;
    TileShape shape;
    shape.pixels = pixels;
    shape.channels = channels;
    shape.sumStride = sumStride;
    shape.outputStride = m_output.channels;
    const std::ptrdiff_t at =
        y * rowStride(m_output) + static_cast<std::ptrdiff_t>(x) * m_output.channels + channel;
    const void* residual = nullptr;
    if (m_step.residual >= 0) {
        const Buffer& other = m_model.buffers[static_cast<std::size_t>(m_step.residual)];
        shape.residualStride = other.channels;
        const std::ptrdiff_t from =
            y * rowStride(other) + static_cast<std::ptrdiff_t>(x) * other.channels + channel;
        residual = other.type == ValueType::Float32
                       ? static_cast<const void*>(valuesOf<float>(arena, other) + from)
                       : static_cast<const void*>(valuesOf<std::uint8_t>(arena, other) + from);
    }
    void* output = m_output.type == ValueType::Float32
                       ? static_cast<void*>(valuesOf<float>(arena, m_output) + at)
                       : static_cast<void*>(valuesOf<std::uint8_t>(arena, m_output) + at);
    m_epilogue(sums, shape, constants, residual, output);
}

template <class Weight>
const Weight* PreparedConvolution::panelOf(int block, Scratch& scratch) const {
    const std::size_t at = static_cast<std::size_t>(block) * m_panels.stride;
    const std::uint8_t* packed = m_panels.packed.data() + at;
    const auto decoded = [&](auto decode, const Weight* codebook, Weight* panel) -> const Weight* {
        const std::size_t blocks = m_panels.packedBlocks();
        if (m_schedule.aheadKb > 0) {
            decodeAhead(decode, packed, blocks, codebook, panel, m_panels.bits,
                        static_cast<std::size_t>(m_schedule.aheadKb) << 10U,
                        m_panels.packed.data() + m_panels.packed.bytes());
        } else {
            decode(packed, blocks, codebook, panel);
        }
        return panel;
    };
    if constexpr (kIsFloat<Weight>) {
        if (m_panels.bits == 0) return m_panels.floats.data() + at;
        return decoded(m_decodeFloats, m_panels.codebook.data(), scratch.floats.data());
    } else {
        if (m_panels.bits == 0) return m_panels.bytes.data() + at;
        return decoded(m_decodeBytes, m_panels.codebook8.data(), scratch.bytes.data());
    }
}

/// Whether threads share a layer by channels, each reading all of the image and its own weights, or by
/// pixels: what balances better, and where both do, what reads and writes less of what another thread did.
bool PreparedConvolution::sharesChannels(int tiles, int blocks, int threads) const {
    const auto balance = [threads](int parts) {
        const int most = (parts + threads - 1) / threads;
        return static_cast<double>(parts) / (static_cast<double>(most) * threads);
    };
    constexpr double kAlike = 0.9;
    if (balance(blocks) < kAlike * balance(tiles)) return false;
    if (balance(tiles) < kAlike * balance(blocks)) return true;
    const auto bytesOf = [](const Buffer& buffer) {
        const std::size_t values = static_cast<std::size_t>(buffer.height) *
                                   static_cast<std::size_t>(buffer.width) *
                                   static_cast<std::size_t>(buffer.channels);
        return values * (buffer.type == ValueType::Float32 ? sizeof(float) : 1);
    };
    return m_panels.sizeInBytes() > bytesOf(m_input) + bytesOf(m_output);
}

/// One block of channels over some tiles.
template <class Value>
void PreparedConvolution::runBlock(std::byte* arena, const Turn& turn, Scratch& scratch,
                                   std::int32_t* trace) const {
    using Weight = std::conditional_t<kIsFloat<Value>, float, std::int8_t>;
    using Sum = std::conditional_t<kIsFloat<Value>, float, std::int32_t>;
    const Value* input = valuesOf<Value>(static_cast<const std::byte*>(arena), m_input);
    const int pixels = m_kernel->pixels;
    const int tilesPerRow = (m_output.width + pixels - 1) / pixels;
    struct Spot {
        int y;
        int x;
    };
    const auto spotOf = [&](int tile) {
        // The last tile of a row overlaps the one before.
        return Spot{tile / tilesPerRow, std::min(tile % tilesPerRow * pixels, m_output.width - pixels)};
    };
    const int tileSize = pixels * m_shape.channels;
    auto* sums = reinterpret_cast<Sum*>(scratch.sums.data());
    const int block = turn.block;
    const bool fetchesNext = m_panels.bits != 0 && m_schedule.aheadKb == kChoose && !turn.last;
    const auto* panel = panelOf<Weight>(block, scratch);
    const int group = block / m_shape.blocks;
    const int first = block % m_shape.blocks * m_shape.channels;
    const int channel = group * m_shape.outputs + first;
    const int channels = std::min(m_shape.channels, m_shape.outputs - first);
    for (int from = turn.firstTile; from < turn.endTile; from += m_tilesAtOnce) {
        const int end = std::min(from + m_tilesAtOnce, turn.endTile);
        for (const Part& part : m_parts[static_cast<std::size_t>(from % tilesPerRow)]) {
            for (int tile = from; tile < end; ++tile) {
                const Spot spot = spotOf(tile);
                const RowRange& range = rangeOf(spot.y);
                const int row = std::max(part.firstRow, range.first);
                const int rows = std::min(part.endRow, range.first + range.count) - row;
                if (rows <= 0) continue;
                Fields<Value> fields = fieldsAt(input, spot.y, spot.x, row, rows, group);
                fields.first += part.first + part.firstPixel * fields.pixelStride;
                fields.run = part.count;
                fields.weightSkip =
                    static_cast<std::ptrdiff_t>(m_shape.paddedRun - part.count) * m_shape.channels;
                fields.adds = part.adds || row > range.first;
                const Weight* weights = panel + m_shape.placeInPanel(row, part.first);
                if (m_prefetchesParts && from == turn.firstTile)
                    prefetchShare(panel + m_shape.placeInPanel(part.firstRow, part.first + part.count),
                                  sizeof(Weight) * m_shape.placeInPanel(0, part.count), tile - from,
                                  end - from);
                Sum* own = sums + static_cast<std::ptrdiff_t>(tile - from) * tileSize +
                           static_cast<std::ptrdiff_t>(part.firstPixel) * m_shape.channels;
                if constexpr (kIsFloat<Value>) {
                    part.kernel->floats(fields, weights, own);
                } else {
                    part.kernel->bytes(fields, weights, own);
                }
            }
        }
        for (int tile = from; tile < end; ++tile) {
            if (fetchesNext)
                prefetchShare(m_panels.packed.data() + static_cast<std::size_t>(block + 1) * m_panels.stride,
                              m_panels.stride, tile - turn.firstTile, turn.endTile - turn.firstTile);
            const Spot spot = spotOf(tile);
            const Sum* own = sums + static_cast<std::ptrdiff_t>(tile - from) * tileSize;
            const std::int32_t* start = nullptr;
            if constexpr (!kIsFloat<Value>) {
                start = rangeOf(spot.y).start.data() + static_cast<std::ptrdiff_t>(block) * m_shape.channels;
                if (trace != nullptr) {
                    const std::ptrdiff_t pixel =
                        static_cast<std::ptrdiff_t>(spot.y) * m_output.width + spot.x;
                    for (int p = 0; p < pixels; ++p)
                        for (int c = 0; c < channels; ++c)
                            trace[(pixel + p) * m_output.channels + channel + c] =
                                own[p * m_shape.channels + c] + start[c];
                }
            }
            finish(arena, own, m_shape.channels, spot.y, spot.x, pixels, channel, channels, start);
        }
    }
}

template <class Value>
void PreparedConvolution::runTiles(std::byte* arena, int thread, int threads, Scratch& scratch,
                                   std::int32_t* trace) const {
    const int pixels = m_kernel->pixels;
    const int tiles = (m_output.width + pixels - 1) / pixels * m_output.height;
    const int blocks = m_shape.allBlocks();
    const bool byChannels =
        m_schedule.split ? *m_schedule.split == Split::Channels : sharesChannels(tiles, blocks, threads);
    const Share blockShare = byChannels ? shareOf(blocks, thread, threads) : Share{0, blocks};
    const Share tileShare = byChannels ? Share{0, tiles} : shareOf(tiles, thread, threads);
    // With one block there is no other order.
    const bool inTurns = m_schedule.tiles > 0 && blockShare.end - blockShare.first > 1;
    const int step = inTurns ? m_schedule.tiles : tiles;
    for (int first = tileShare.first; first < tileShare.end; first += step) {
        const int end = std::min(first + step, tileShare.end);
        for (int block = blockShare.first; block < blockShare.end; ++block)
            runBlock<Value>(arena, {block, block + 1 == blockShare.end, first, end}, scratch, trace);
    }
}

template <class Value>
void PreparedConvolution::runDepthwise(std::byte* arena, int firstRow, int endRow, Scratch& scratch,
                                       std::int32_t* trace) const {
    using Sum = std::conditional_t<kIsFloat<Value>, float, std::int32_t>;
    const Value* input = valuesOf<Value>(static_cast<const std::byte*>(arena), m_input);
    auto* sums = reinterpret_cast<Sum*>(scratch.sums.data());
    const int channels = m_output.channels;
    for (int y = firstRow; y < endRow; ++y) {
        for (int x = 0; x < m_output.width; x += kPaperPixels) {
            const int pixels = std::min(kPaperPixels, m_output.width - x);
            const RowRange& range = rangeOf(y);
            Fields<Value> fields = fieldsAt(input, y, x, range.first, range.count, 0);
            fields.run = m_step.kernelWidth;
            if constexpr (kIsFloat<Value>) {
                m_rowKernel->floats(fields, m_plainFloats.data(), pixels, channels, sums);
            } else {
                m_rowKernel->bytes(fields, m_plainBytes.data(), pixels, channels, sums);
                if (trace != nullptr) {
                    for (int i = 0; i < pixels * channels; ++i)
                        trace[(static_cast<std::ptrdiff_t>(y) * m_output.width + x) * channels + i] =
                            sums[i] + range.start[static_cast<std::size_t>(i % channels)];
                }
            }
            finish(arena, sums, channels, y, x, pixels, 0, channels, range.start.data());
        }
    }
}

void PreparedConvolution::runNaive(std::byte* arena, int firstRow, int endRow, Scratch& scratch) const {
    const float* input = valuesOf<float>(static_cast<const std::byte*>(arena), m_input);
    const std::size_t perGroup = m_shape.taps() * static_cast<std::size_t>(m_shape.outputs);
    for (int y = firstRow; y < endRow; ++y) {
        for (int group = 0; group < m_step.groups; ++group) {
            m_rowKernel->floats(fieldsAt(input, y, 0, rangeOf(y).first, rangeOf(y).count, group),
                                m_plainFloats.data() + static_cast<std::size_t>(group) * perGroup,
                                m_output.width, m_shape.outputs, scratch.sums.data());
            finish(arena, scratch.sums.data(), m_shape.outputs, y, 0, m_output.width, group * m_shape.outputs,
                   m_shape.outputs, nullptr);
        }
    }
}

void PreparedConvolution::runPaper(std::byte* arena, int firstRow, int endRow, Scratch& scratch) const {
    const float* input = valuesOf<float>(static_cast<const std::byte*>(arena), m_input);
    const std::size_t perOutput = m_shape.taps() * static_cast<std::size_t>(m_step.indexBits) / 8;
    const int channels = m_output.channels;
    float sums[kPaperPixels];
    for (int y = firstRow; y < endRow; ++y) {
        for (int x = 0; x < m_output.width; x += kPaperPixels) {
            const int pixels = std::min(kPaperPixels, m_output.width - x);
            for (int output = 0; output < channels; ++output) {
                m_rowKernel->paper(
                    fieldsAt(input, y, x, rangeOf(y).first, rangeOf(y).count, output / m_shape.outputs),
                    m_paperIndices.data() + static_cast<std::size_t>(output) * perOutput, m_pairs.data(),
                    pixels, sums);
                for (int p = 0; p < pixels; ++p)
                    scratch.sums[static_cast<std::ptrdiff_t>(p) * channels + output] = sums[p];
            }
            finish(arena, scratch.sums.data(), channels, y, x, pixels, 0, channels, nullptr);
        }
    }
}

void PreparedConvolution::run(std::byte* arena, int thread, int threads, Scratch& scratch) const {
    const bool bytes = m_step.family == Family::K2;
    const Share rows = shareOf(m_output.height, thread, threads);
    switch (m_mode) {
        case Mode::Tiles:
            return bytes ? runTiles<std::uint8_t>(arena, thread, threads, scratch, nullptr)
                         : runTiles<float>(arena, thread, threads, scratch, nullptr);
        case Mode::Depthwise:
            return bytes ? runDepthwise<std::uint8_t>(arena, rows.first, rows.end, scratch, nullptr)
                         : runDepthwise<float>(arena, rows.first, rows.end, scratch, nullptr);
        case Mode::Naive:
            return runNaive(arena, rows.first, rows.end, scratch);
        case Mode::Paper:
            return runPaper(arena, rows.first, rows.end, scratch);
    }
}

std::vector<std::int32_t> PreparedConvolution::accumulators(std::byte* arena, Scratch& scratch) const {
    std::vector<std::int32_t> sums;
    if (m_step.family != Family::K2) {
        run(arena, 0, 1, scratch);
        return sums;
    }
    sums.resize(static_cast<std::size_t>(m_output.height) * static_cast<std::size_t>(m_output.width) *
                static_cast<std::size_t>(m_output.channels));
    if (m_mode == Mode::Depthwise) {
        runDepthwise<std::uint8_t>(arena, 0, m_output.height, scratch, sums.data());
    } else {
        runTiles<std::uint8_t>(arena, 0, 1, scratch, sums.data());
    }
    return sums;
}

}  // namespace bitloom::qsimd
