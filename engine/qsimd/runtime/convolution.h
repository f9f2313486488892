// One convolution or fully connected layer, ready to run: weights in panels, code chosen, corrections for
// padding and zero points computed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/qsimd/runtime/dispatch.h"
#include "engine/qsimd/runtime/panels.h"

namespace bitloom::qsimd {

/// What one thread needs while it runs layers; grown by reserve().
struct Scratch {
    AlignedArray<float> floats;       ///< a decoded panel
    AlignedArray<std::int8_t> bytes;  ///< a decoded panel
    AlignedArray<float> sums;         ///< some tiles; also used as int32
};

class PreparedConvolution {
  public:
    /// `model` has passed validate() and outlives this. Throws std::bad_alloc.
    PreparedConvolution(const Model& model, const Convolution& step, const Dispatch& dispatch);

    /// Thread `thread` of `threads` does its share; all shares together are the layer. Each thread has its
    /// own `scratch`, which reserve() has seen.
    void run(std::byte* arena, int thread, int threads, Scratch& scratch) const;

    void reserve(Scratch& scratch) const;

    /// As run() with one thread, and keeps the int8 sums, corrected for zero points,
    /// [height][width][channels]. Empty for float layers.
    [[nodiscard]] std::vector<std::int32_t> accumulators(std::byte* arena, Scratch& scratch) const;

    /// Name of the registry's line that runs.
    [[nodiscard]] std::string kernelName() const;
    /// The family that runs: K0 where the paper's kernel cannot take the layer, TunedFp32 where a schedule
    /// decodes K0's weights when they are loaded.
    [[nodiscard]] Family family() const { return m_family; }
    /// Bytes of weights in the form that is run.
    [[nodiscard]] std::size_t preparedBytes() const;

  private:
    /// Rows of the window that meet the image, for some rows of the output.
    struct RowRange {
        int first = 0;
        int count = 0;
        std::vector<std::int32_t> start;  ///< per channel of all blocks, as the epilogue wants it
    };
    /// Rows [firstRow, endRow) of the window and values [first, first + count) of each row's segments, for
    /// the pixels of a tile from firstPixel on.
    struct Part {
        int firstRow = 0;
        int endRow = 0;
        int first = 0;
        int count = 0;
        int firstPixel = 0;
        const Microkernel* kernel = nullptr;
        bool adds = false;  ///< to the sums of another part of these rows
    };
    /// Tiles [firstTile, endTile) that a block of channels is computed for.
    struct Turn {
        int block = 0;
        bool last = false;  ///< of a thread's blocks
        int firstTile = 0;
        int endTile = 0;
    };
    enum class Mode { Tiles, Depthwise, Naive, Paper };

    void chooseMode(const Convolution& step);
    void chooseRows(Isa ceiling);
    void prepareRows(bool skipPadding);
    void prepareStarts();
    void prepareParts();
    void preparePanelParts(int valueBytes, int partKb);
    void prepareEdges();
    void preparePaper();
    template <class Weight>
    [[nodiscard]] const Weight* panelOf(int block, Scratch& scratch) const;
    template <class Value>
    [[nodiscard]] Fields<Value> fieldsAt(const Value* input, int y, int x, int firstRow, int rows,
                                         int group) const;
    [[nodiscard]] bool sharesChannels(int tiles, int blocks, int threads) const;
    template <class Value>
    void runTiles(std::byte* arena, int thread, int threads, Scratch& scratch, std::int32_t* trace) const;
    template <class Value>
    void runBlock(std::byte* arena, const Turn& turn, Scratch& scratch, std::int32_t* trace) const;
    template <class Value>
    void runDepthwise(std::byte* arena, int firstRow, int endRow, Scratch& scratch,
                      std::int32_t* trace) const;
    void runNaive(std::byte* arena, int firstRow, int endRow, Scratch& scratch) const;
    void runPaper(std::byte* arena, int firstRow, int endRow, Scratch& scratch) const;
    void finish(std::byte* arena, const void* sums, int sumStride, int y, int x, int pixels, int channel,
                int channels, const std::int32_t* start) const;
    [[nodiscard]] const RowRange& rangeOf(int y) const {
        return m_ranges[m_rangeOfRow[static_cast<std::size_t>(y)]];
    }

    const Model& m_model;
    const Convolution& m_step;
    Buffer m_input;  ///< flattened to one row where the window is one pixel
    Buffer m_output;
    const Loops& m_loops;
    const Microkernel* m_kernel = nullptr;   ///< of tiles
    const RowKernel* m_rowKernel = nullptr;  ///< of the other modes
    FloatDecoder m_decodeFloats = nullptr;
    ByteDecoder m_decodeBytes = nullptr;
    Mode m_mode = Mode::Tiles;
    Family m_family;
    Schedule m_schedule;
    Epilogue m_epilogue = nullptr;
    PanelShape m_shape;
    Panels m_panels;
    std::vector<std::vector<Part>> m_parts;  ///< of the tiles of a row
    int m_tilesAtOnce = 1;                   ///< that take a part before any takes the next
    bool m_prefetchesParts = false;
    AlignedArray<float> m_plainFloats;          ///< depthwise and naive: [row][column][..][channel]
    AlignedArray<std::int8_t> m_plainBytes;     ///< depthwise
    AlignedArray<std::uint8_t> m_paperIndices;  ///< [output][row][segment][run x bits / 8]
    AlignedArray<float> m_pairs;                ///< the paper's extended codebook
    std::vector<RowRange> m_ranges;
    std::vector<std::uint32_t> m_rangeOfRow;
};

}  // namespace bitloom::qsimd
