// A network and a dataset small enough to train in a test: 8 x 8 images of four classes told apart by where
// they are bright.
#pragma once

#include <memory>
#include <vector>

#include "engine/report/progress_sink.h"
#include "engine/train/trainer.h"

namespace bitloom::train {

class QuadrantImages final : public data::Dataset {
  public:
    explicit QuadrantImages(std::int64_t size, std::uint64_t seed) : m_size(size), m_seed(seed) {}
    [[nodiscard]] std::int64_t size() const override { return m_size; }
    [[nodiscard]] data::ImageShape shape() const override { return {3, 8, 8}; }
    [[nodiscard]] const std::vector<std::string>& classNames() const override { return m_classes; }
    [[nodiscard]] Result<int> read(std::int64_t index, std::span<std::uint8_t> pixels) const override;

    /// From here on reading `index` fails.
    void breakAt(std::int64_t index) { m_broken = index; }

  private:
    std::int64_t m_size;
    std::uint64_t m_seed;
    std::int64_t m_broken = -1;
    std::vector<std::string> m_classes = {"a", "b", "c", "d"};
};

/// conv1, bn1, conv2, bn2, fc for 4 classes of 8 x 8 images.
[[nodiscard]] graph::Graph smallGraph();

/// Everything a trainer takes, with values for a run of a second.
struct SmallTraining {
    QuadrantImages train{96, 1};
    QuadrantImages test{64, 2};
    quant::QuantizerOptions quantizer;  ///< 3 bits on conv2
    TrainOptions options;               ///< 2 epochs of 6 steps
    int recordEvery = 4;
    int batch = 16;
    data::Normalization normalization{{0.5F, 0.5F, 0.5F}, {0.25F, 0.25F, 0.25F}};

    SmallTraining();
    [[nodiscard]] std::unique_ptr<Trainer> make(const graph::StateDict& state = {}) const;
    [[nodiscard]] Result<std::unique_ptr<Trainer>> tryMake(const graph::StateDict& state = {}) const;
};

/// Keeps all that is reported; `onMetric` may steer the job.
class KeepingSink final : public report::ProgressSink {
  public:
    void metric(const report::MetricSample& sample) override {
        metrics.push_back(sample);
        if (onMetric) onMetric(sample);
    }
    void layer(const report::LayerSnapshotPtr& snapshot) override { layers.push_back(snapshot); }
    void event(const report::RunEvent& event) override {
        events.push_back(event);
        if (onEvent) onEvent(event);
    }
    void progress(const report::Progress& progress) override {
        progressed.push_back(progress);
        if (onProgress) onProgress(progress);
    }

    std::vector<report::MetricSample> metrics;
    std::vector<report::LayerSnapshotPtr> layers;
    std::vector<report::RunEvent> events;
    std::vector<report::Progress> progressed;
    std::function<void(const report::MetricSample&)> onMetric;
    std::function<void(const report::RunEvent&)> onEvent;
    std::function<void(const report::Progress&)> onProgress;
};

/// A checkpoint callback that keeps the newest state.
struct KeptCheckpoint {
    TrainerState state;
    int saves = 0;
    [[nodiscard]] SaveCheckpoint callback();
};

/// Of everything but the row of the last evaluation, which holds a time.
[[nodiscard]] std::uint64_t trainedHash(const TrainerState& state);

}  // namespace bitloom::train
