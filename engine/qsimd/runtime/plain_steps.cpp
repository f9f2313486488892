#include "engine/qsimd/runtime/plain_steps.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace bitloom::qsimd {
namespace {

constexpr int kChunk = 256;  // values that are worked on at a time

struct Rows {
    int first;
    int end;
};
Rows shareOf(int rows, const Run& run) {
    const auto at = [&](int part) {
        return static_cast<int>(static_cast<std::int64_t>(rows) * part / run.threads);
    };
    return {at(run.thread), at(run.thread + 1)};
}

const Buffer& bufferOf(const Run& run, BufferIndex index) {
    return run.model.buffers[static_cast<std::size_t>(index)];
}

std::size_t sizeOf(const Buffer& buffer) {
    return buffer.type == ValueType::Float32 ? 4 : 1;
}

/// Where value `at` of row y is; a row is width x channels values.
std::byte* place(const Run& run, const Buffer& buffer, int y, int at) {
    return run.arena + buffer.offset +
           static_cast<std::size_t>(firstPixel(buffer) + y * rowStride(buffer) + at) * sizeOf(buffer);
}

/// `count` values as real numbers.
void load(const Run& run, const Buffer& buffer, int y, int at, int count, float* to) {
    const std::byte* from = place(run, buffer, y, at);
    if (buffer.type == ValueType::Float32) {
        std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
    } else {
        run.loops.dequantize(reinterpret_cast<const std::uint8_t*>(from), static_cast<std::size_t>(count),
                             buffer.scale, buffer.zeroPoint, to);
    }
}

void store(const Run& run, const Buffer& buffer, int y, int at, int count, const float* from) {
    std::byte* to = place(run, buffer, y, at);
    if (buffer.type == ValueType::Float32) {
        std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
    } else {
        run.loops.quantize(from, static_cast<std::size_t>(count), 1.0F / buffer.scale,
                           static_cast<float>(buffer.zeroPoint), reinterpret_cast<std::uint8_t*>(to));
    }
}

bool sameNumbers(const Buffer& a, const Buffer& b) {
    return a.type == b.type &&
           (a.type == ValueType::Float32 || (a.scale == b.scale && a.zeroPoint == b.zeroPoint));
}

/// visit(first value, values) for `count` values.
template <class Visit>
void inChunks(int count, const Visit& visit) {
    for (int at = 0; at < count; at += kChunk)
        visit(at, std::min(kChunk, count - at));
}

/// Taps of a window along one direction that lie inside the image: [first, end).
Rows inside(int at, int stride, int padding, int kernel, int extent) {
    const int start = at * stride - padding;
    return {std::max(0, start), std::min(extent, start + kernel)};
}

/// best[i] = the greater of best[i] and other[i], of values as `buffer` stores them.
void takeGreater(const Run& run, const Buffer& buffer, const std::byte* other, std::size_t count,
                 std::byte* best) {
    if (buffer.type == ValueType::Float32) {
        run.loops.maxFloats(reinterpret_cast<const float*>(other), count, reinterpret_cast<float*>(best));
    } else {
        run.loops.maxBytes(reinterpret_cast<const std::uint8_t*>(other), count,
                           reinterpret_cast<std::uint8_t*>(best));
    }
}

/// Pixels [x, end) of row y of a maximum over values that need no conversion: first over the rows of the
/// window, which are contiguous, then over its columns. `best` holds all columns of these pixels' windows.
void maximumOf(const Run& run, const Pool& step, int y, int x, int end, const Rows& rows, std::byte* best) {
    const Buffer& from = bufferOf(run, step.input);
    const Buffer& to = bufferOf(run, step.output);
    const auto columnsOf = [&](int at) {
        return inside(at, step.strideWidth, step.paddingWidth, step.kernelWidth, from.width);
    };
    const auto channels = static_cast<std::size_t>(to.channels);
    const std::size_t pixelBytes = channels * sizeOf(to);
    const int first = columnsOf(x).first;
    const std::size_t count = channels * static_cast<std::size_t>(columnsOf(end - 1).end - first);
    std::memcpy(best, place(run, from, rows.first, first * from.channels), count * sizeOf(to));
    for (int row = rows.first + 1; row < rows.end; ++row)
        takeGreater(run, to, place(run, from, row, first * from.channels), count, best);
    for (; x < end; ++x) {
        const Rows columns = columnsOf(x);
        std::byte* pixel = place(run, to, y, x * to.channels);
        const std::byte* column = best + static_cast<std::size_t>(columns.first - first) * pixelBytes;
        std::memcpy(pixel, column, pixelBytes);
        for (int i = columns.first + 1; i < columns.end; ++i)
            takeGreater(run, to, column += pixelBytes, channels, pixel);
    }
}

/// One output pixel of any pool, in real numbers.
void poolPixel(const Run& run, const Pool& step, int y, int x, const Rows& rows, const Rows& columns) {
    const Buffer& from = bufferOf(run, step.input);
    const Buffer& to = bufferOf(run, step.output);
    const bool maximum = step.kind == PoolKind::Max;
    const float area = static_cast<float>(step.kernelHeight) * static_cast<float>(step.kernelWidth);
    inChunks(to.channels, [&](int channel, int count) {
        float result[kChunk];
        float value[kChunk];
        std::fill_n(result, count, maximum ? -std::numeric_limits<float>::infinity() : 0.0F);
        for (int row = rows.first; row < rows.end; ++row) {
            for (int column = columns.first; column < columns.end; ++column) {
                load(run, from, row, column * from.channels + channel, count, value);
                for (int c = 0; c < count; ++c)
                    result[c] = maximum ? std::max(result[c], value[c]) : result[c] + value[c];
            }
        }
        for (int c = 0; c < count && !maximum; ++c)
            result[c] = result[c] / area;
        store(run, to, y, x * to.channels + channel, count, result);
    });
}

float apply(Function function, float value) {
    const auto relu6 = [](float v) { return std::min(std::max(v, 0.0F), 6.0F); };
    switch (function) {
        case Function::Copy:
            return value;
        case Function::Relu:
            return value > 0.0F ? value : 0.0F;
        case Function::Relu6:
            return relu6(value);
        case Function::HardSwish:
            return value * relu6(value + 3.0F) / 6.0F;
        case Function::HardSigmoid:
            return relu6(value + 3.0F) / 6.0F;
    }
    return value;
}

/// What means 0, as memset takes it.
int zeroByte(const Buffer& buffer) {
    return buffer.type == ValueType::Float32 ? 0 : storeActivation(buffer.zeroPoint);
}

}  // namespace

void runStep(const Run& run, const Pool& step) {
    constexpr std::size_t kWindowBytes = std::size_t{16} << 10U;
    alignas(64) std::byte best[kWindowBytes];
    const Buffer& from = bufferOf(run, step.input);
    const Buffer& to = bufferOf(run, step.output);
    const auto columns =
        static_cast<int>(kWindowBytes / (static_cast<std::size_t>(to.channels) * sizeOf(to)));
    const int pixels = columns < step.kernelWidth ? 0 : (columns - step.kernelWidth) / step.strideWidth + 1;
    const bool asStored = step.kind == PoolKind::Max && sameNumbers(from, to) && pixels > 0;
    const Rows share = shareOf(to.height, run);
    for (int y = share.first; y < share.end; ++y) {
        const Rows rows = inside(y, step.strideHeight, step.paddingHeight, step.kernelHeight, from.height);
        for (int x = 0; x < to.width && asStored; x += pixels)
            maximumOf(run, step, y, x, std::min(x + pixels, to.width), rows, best);
        for (int x = 0; x < to.width && !asStored; ++x)
            poolPixel(run, step, y, x, rows,
                      inside(x, step.strideWidth, step.paddingWidth, step.kernelWidth, from.width));
    }
}

void runStep(const Run& run, const Elementwise& step) {
    const Buffer& from = bufferOf(run, step.input);
    const Buffer& to = bufferOf(run, step.output);
    const Rows share = shareOf(to.height, run);
    for (int y = share.first; y < share.end; ++y) {
        const int width = to.width * to.channels;
        if (step.function == Function::Copy && from.type == ValueType::Float32) {
            store(run, to, y, 0, width, reinterpret_cast<const float*>(place(run, from, y, 0)));
            continue;
        }
        inChunks(width, [&](int at, int count) {
            float values[kChunk];
            load(run, from, y, at, count, values);
            for (int i = 0; i < count; ++i)
                values[i] = apply(step.function, values[i]);
            store(run, to, y, at, count, values);
        });
    }
}

void runStep(const Run& run, const Combine& step) {
    const Buffer& first = bufferOf(run, step.first);
    const Buffer& second = bufferOf(run, step.second);
    const Buffer& to = bufferOf(run, step.output);
    const bool onePixel = second.height == 1 && second.width == 1;
    const int part = onePixel ? to.channels : to.width * to.channels;  // what is combined in one go
    const Rows share = shareOf(to.height, run);
    for (int y = share.first; y < share.end; ++y) {
        for (int start = 0; start < to.width * to.channels; start += part) {
            inChunks(part, [&](int at, int count) {
                float a[kChunk];
                float b[kChunk];
                load(run, first, y, start + at, count, a);
                load(run, second, onePixel ? 0 : y, at, count, b);
                for (int i = 0; i < count; ++i)
                    a[i] = step.combination == Combination::Add ? a[i] + b[i] : a[i] * b[i];
                store(run, to, y, start + at, count, a);
            });
        }
    }
}

void runStep(const Run& run, const Place& step) {
    const Buffer& from = bufferOf(run, step.input);
    const Buffer& to = bufferOf(run, step.output);
    const bool asStored = sameNumbers(from, to);
    const Rows share = shareOf(to.height, run);
    for (int y = share.first; y < share.end; ++y) {
        if (step.clears)
            std::memset(
                place(run, to, y, 0), zeroByte(to),
                static_cast<std::size_t>(to.width) * static_cast<std::size_t>(to.channels) * sizeOf(to));
        const int row = (y - step.rowsBefore) * step.strideHeight;
        if (y < step.rowsBefore || row >= from.height) continue;
        for (int column = 0, x = step.columnsBefore; column < from.width; column += step.strideWidth, ++x) {
            const int source = column * from.channels;
            const int target = x * to.channels + step.channelsBefore;
            if (asStored) {
                std::memcpy(place(run, to, y, target), place(run, from, row, source),
                            static_cast<std::size_t>(from.channels) * sizeOf(to));
                continue;
            }
            inChunks(from.channels, [&](int at, int count) {
                float values[kChunk];
                load(run, from, row, source + at, count, values);
                store(run, to, y, target + at, count, values);
            });
        }
    }
}

void runStep(const Run& run, const Softmax& step) {
    const Buffer& from = bufferOf(run, step.input);
    const Buffer& to = bufferOf(run, step.output);
    const Rows share = shareOf(to.height, run);
    for (int y = share.first; y < share.end; ++y) {
        for (int x = 0; x < to.width; ++x) {
            const auto* value = reinterpret_cast<const float*>(place(run, from, y, x * from.channels));
            auto* result = reinterpret_cast<float*>(place(run, to, y, x * to.channels));
            const float largest = *std::max_element(value, value + to.channels);
            float sum = 0.0F;
            for (int c = 0; c < to.channels; ++c)
                sum += result[c] = std::exp(value[c] - largest);
            for (int c = 0; c < to.channels; ++c)
                result[c] /= sum;
        }
    }
}

void fillHalo(const Buffer& buffer, std::byte* arena, int thread, int threads) {
    if (buffer.halo == 0) return;
    const std::size_t size = sizeOf(buffer);
    const int zero = zeroByte(buffer);
    const int rows = buffer.height + 2 * buffer.halo;
    const auto at = [&](int part) {
        return static_cast<int>(static_cast<std::int64_t>(rows) * part / threads);
    };
    const std::size_t row = static_cast<std::size_t>(rowStride(buffer)) * size;
    const std::size_t side = static_cast<std::size_t>(buffer.halo * buffer.channels) * size;
    for (int y = at(thread); y < at(thread + 1); ++y) {
        std::byte* start = arena + buffer.offset + static_cast<std::size_t>(y) * row;
        const bool outside = y < buffer.halo || y >= buffer.halo + buffer.height;
        std::memset(start, zero, outside ? row : side);
        if (!outside) std::memset(start + row - side, zero, side);
    }
}

void writeValues(const Run& run, const Buffer& buffer, const float* values) {
    fillHalo(buffer, run.arena, 0, 1);
    const std::int64_t pixels = static_cast<std::int64_t>(buffer.height) * buffer.width;
    for (int y = 0; y < buffer.height; ++y) {
        for (int x = 0; x < buffer.width; ++x) {
            const int pixel = y * buffer.width + x;
            for (int c = 0; c < buffer.channels; ++c)
                store(run, buffer, y, x * buffer.channels + c, 1, values + c * pixels + pixel);
        }
    }
}

void readValues(const Run& run, const Buffer& buffer, float* values) {
    const std::int64_t pixels = static_cast<std::int64_t>(buffer.height) * buffer.width;
    for (int y = 0; y < buffer.height; ++y) {
        for (int x = 0; x < buffer.width; ++x) {
            const int pixel = y * buffer.width + x;
            for (int c = 0; c < buffer.channels; ++c)
                load(run, buffer, y, x * buffer.channels + c, 1, values + c * pixels + pixel);
        }
    }
}

}  // namespace bitloom::qsimd
