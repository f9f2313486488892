// Which candidates of which layers are timed when: a few a layer in every round, in turns with the runner's
// own choice. Times come from the caller, so that nothing here knows a device. One thread. Private to the
// tuner.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/jobs/schedule_cache.h"
#include "engine/jobs/schedule_space.h"
#include "engine/report/progress_sink.h"

namespace bitloom::jobs {

class TuningRounds {
  public:
    struct Layer {
        std::size_t family = 0;
        std::string name;
        std::string prefix;  ///< of its lines in a schedule, "k2 conv1 "
        std::string key;     ///< in the cache; layers of one key share what is found
        TunedShape shape;
    };
    /// Median milliseconds of each layer of family `family` under each schedule, by its name.
    using Times = std::map<std::string, std::vector<double>>;
    using Timer = std::function<Result<Times>(std::size_t family, const std::vector<std::string>& schedules)>;

    TuningRounds(std::vector<Layer> layers, std::vector<TileKernel> kernels, int threads,
                 ScheduleCache& cache, Timer timer)
        : m_layers(std::move(layers)),
          m_kernels(std::move(kernels)),
          m_threads(threads),
          m_cache(cache),
          m_timer(std::move(timer)) {}

    /// Times what is not known, and keeps it after every round; returns the rounds that took.
    [[nodiscard]] Result<int> run(report::ProgressSink& sink, const JobControl& control);

    /// Microkernels first; when all are timed, what varies the fastest; at last what gained, together. At
    /// most kMostCandidates.
    [[nodiscard]] std::vector<Candidate> candidates(const Layer& layer) const;

    [[nodiscard]] const std::vector<Layer>& layers() const { return m_layers; }

  private:
    [[nodiscard]] std::vector<Candidate> untried(const Layer& layer) const;
    [[nodiscard]] std::size_t mostUntried() const;
    Status timeRound(std::size_t family);

    std::vector<Layer> m_layers;
    std::vector<TileKernel> m_kernels;
    int m_threads;
    ScheduleCache& m_cache;
    Timer m_timer;
};

}  // namespace bitloom::jobs
