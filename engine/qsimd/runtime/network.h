// A model made ready for this processor: weights in panels, memory for activations, code chosen. Not to be
// used by two threads at once; construct throws std::bad_alloc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/qsimd/runtime/convolution.h"
#include "engine/qsimd/runtime/plain_steps.h"
#include "engine/qsimd/runtime/thread_pool.h"

namespace bitloom::qsimd {

/// What one step is and how it runs: for tables and for the tuner.
struct StepInfo {
    std::string name;    ///< of the layer, or of the node that the step computes
    std::string kind;    ///< "convolution", "pool", "elementwise", "combine", "place", "softmax"
    std::string shape;   ///< "64x56x56 -> 128x28x28, 3x3 /2"; empty for steps without weights
    std::string kernel;  ///< microkernel or loop
    std::string family;  ///< of what runs, familyName()
    std::int64_t macs = 0;
    std::uint64_t weightBytes = 0;    ///< as stored in the model
    std::uint64_t preparedBytes = 0;  ///< as held while running
};

class Network {
  public:
    /// `model` has passed validate(). `cores` as ThreadPool's.
    Network(Model model, const Dispatch& dispatch, int threads = 1, std::vector<int> cores = {});

    /// One image, [channels][height][width] of buffer 0, to the output, likewise ordered.
    void run(const float* image, float* output);

    /// The steps alone, on what the arena holds: what is timed.
    void runSteps();
    void runStep(std::size_t step);

    /// Runs the next image step by step and calls visit(step) after each.
    template <class Visit>
    void trace(const float* image, const Visit& visit) {
        setImage(image);
        for (std::size_t i = 0; i < m_model.steps.size(); ++i) {
            runStep(i);
            visit(i);
        }
    }

    void setImage(const float* image);
    /// Real numbers of a buffer, [channels][height][width]; valid between its first and its last step.
    [[nodiscard]] std::vector<float> values(BufferIndex buffer);
    /// Numbers 0 to 255 of a Uint8 buffer, [height][width][channels]: equal on all machines.
    [[nodiscard]] std::vector<std::uint8_t> numbers(BufferIndex buffer) const;
    /// Runs step `step`, a convolution, and returns its int8 sums; see PreparedConvolution::accumulators.
    [[nodiscard]] std::vector<std::int32_t> accumulators(std::size_t step);

    [[nodiscard]] const Model& model() const { return m_model; }
    [[nodiscard]] StepInfo info(std::size_t step) const;
    [[nodiscard]] BufferIndex outputOf(std::size_t step) const;
    /// Activations, weights as run, and scratch.
    [[nodiscard]] std::uint64_t peakBytes() const;
    [[nodiscard]] int threads() const { return m_pool.size(); }

  private:
    [[nodiscard]] Run wholeRun();

    Model m_model;
    const Loops& m_loops;
    ThreadPool m_pool;
    AlignedArray<std::byte> m_arena;
    std::vector<PreparedConvolution> m_convolutions;
    std::vector<int> m_convolutionOf;  ///< step -> position above, -1 for other steps
    std::vector<Scratch> m_scratch;    ///< one a thread
};

}  // namespace bitloom::qsimd
