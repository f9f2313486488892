// The trainings of a job, one after the other: network, data, teacher, and the trainer of the stage that is
// under way. Files are train_job's. On the job's thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/jobs/checkpoint_folder.h"
#include "engine/jobs/job_inputs.h"
#include "engine/jobs/job_spec.h"
#include "engine/jobs/run_checkpoint.h"
#include "engine/report/progress_sink.h"
#include "engine/train/trainer.h"

namespace bitloom::jobs {

/// Codebooks of a layer.
struct CodebookSize {
    int mixtures = 1;
    int components = 0;           ///< of each; 0: full precision
    bool outsideAverage = false;  ///< in the last stage that quantizes the layer
};
using CodebookSizes = std::map<std::string, CodebookSize>;  ///< by node name

class TrainingSession {
  public:
    /// Reads what the job needs, checks that every stage can follow the one before, makes the first trainer.
    /// Bitwidths that a stage takes from a file become part of job(). `sink` hears which mixtures of other
    /// runs layers start with.
    [[nodiscard]] static Result<TrainingSession> start(JobSpec job, report::ProgressSink& sink);

    /// From the run's checkpoint, which has all the weights; without one the run starts again from its job.
    [[nodiscard]] static Result<TrainingSession> resume(const RecordedRun& run,
                                                        const CheckpointFolder& folder,
                                                        report::ProgressSink& sink);

    [[nodiscard]] const JobSpec& job() const { return m_job; }
    [[nodiscard]] const graph::Graph& graph() const { return m_network.graph; }
    [[nodiscard]] const Datasets& datasets() const { return m_datasets; }
    [[nodiscard]] const std::optional<train::Teacher>& teacher() const { return m_teacher; }
    /// The pretrained weights; empty without, and once they have been trained.
    [[nodiscard]] const graph::StateDict& pretrained() const { return m_network.state; }

    [[nodiscard]] std::int64_t totalSteps() const { return m_ends.back(); }
    [[nodiscard]] std::int64_t stepsPerEpoch() const { return m_trainer->stepsPerEpoch(); }

    /// Of the layers that any stage from here on quantizes, the most over them all. `current`: the trainer's
    /// quantized model.
    [[nodiscard]] Result<CodebookSizes> codebookSizes(const quant::QuantizedModel& current) const;

    /// Of the stage under way; of the last one when run() has ended well.
    [[nodiscard]] const train::Trainer& trainer() const { return *m_trainer; }

    /// Trains what is left of the stages. As train::Trainer::run.
    [[nodiscard]] Status run(report::ProgressSink& sink, JobControl& control,
                             const train::SaveCheckpoint& save);

  private:
    TrainingSession() = default;
    void setJob(JobSpec job);
    [[nodiscard]] Status checkStages() const;
    [[nodiscard]] Status checkLearnedBits(std::size_t stage) const;
    [[nodiscard]] Status checkLayers(const quant::QuantizerOptions& options) const;
    [[nodiscard]] Status checkLaterTransfers(report::ProgressSink& sink) const;
    [[nodiscard]] Status beginStage(std::size_t stage, const graph::StateDict& start,
                                    quant::QuantizerOptions quantizer, report::ProgressSink& sink);
    [[nodiscard]] Status makeTrainer(std::size_t stage, const graph::StateDict& start,
                                     const quant::QuantizerOptions& quantizer);
    [[nodiscard]] Status beginNextStage(report::ProgressSink& sink);
    [[nodiscard]] std::string nameOf(std::size_t stage) const;

    JobSpec m_job;
    std::vector<JobSpec> m_stages;
    std::vector<std::int64_t> m_ends;  ///< step at which each stage ends
    Network m_network;
    Datasets m_datasets;
    std::optional<train::Teacher> m_teacher;  ///< where any stage distils
    std::unique_ptr<train::Trainer> m_trainer;
    std::size_t m_stage = 0;
};

}  // namespace bitloom::jobs
