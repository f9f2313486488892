// A device with a runner and lowered networks on it: what timing, tuning and comparing share. Private to
// those jobs.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/device/device.h"
#include "engine/jobs/bench_job.h"
#include "engine/jobs/deployment.h"
#include "engine/jobs/schedule_cache.h"
#include "engine/jobs/schedule_space.h"
#include "engine/qsimd/runtime/model.h"

namespace bitloom::jobs {

class BenchSession {
  public:
    /// Opens the device, builds or finds the runner, lowers the network for every family asked for, and puts
    /// all of it on the device. `request` is checked. Outlived by all three references.
    [[nodiscard]] static Result<BenchSession> open(const BenchRequest& request, report::ProgressSink& sink,
                                                   JobControl& control);

    [[nodiscard]] const report::DeviceInfo& deviceInfo() const { return m_device->info(); }
    [[nodiscard]] const std::vector<std::string>& families() const { return m_families; }
    /// As families().
    [[nodiscard]] const std::vector<qsimd::Model>& models() const { return m_models; }
    /// What they were lowered from.
    [[nodiscard]] const Deployment& deployment() const { return m_deployment; }
    /// The same as a run holds it; empty for random weights.
    [[nodiscard]] const quant::QuantizedModel& quantized() const { return m_quantized; }
    [[nodiscard]] const std::string& origin() const { return m_origin; }
    /// Strongest instruction set that runs are allowed.
    [[nodiscard]] const std::string& isa() const { return m_isa; }

    /// Microkernels that may run.
    [[nodiscard]] const std::vector<TileKernel>& kernels() const { return m_kernels; }

    /// Names of all kernels of the registry that may run, as the runner told them.
    [[nodiscard]] const std::vector<std::string>& kernelNames() const { return m_kernelNames; }
    /// Cores that threads are pinned to; none where they are not.
    [[nodiscard]] std::vector<int> pins() const {
        return deviceInfo().emulated ? std::vector<int>() : m_cores;
    }

    /// What a layer's best schedule depends on.
    [[nodiscard]] std::string keyOf(const qsimd::Model& model, const qsimd::Convolution& step) const;

    /// What a layer's line of a schedule begins with; its candidate follows.
    [[nodiscard]] static std::string prefixOf(const qsimd::Convolution& step);

    /// Lines of a schedule: the fastest candidates of `cache`. `count`: how many layers have one.
    [[nodiscard]] std::string bestSchedule(const ScheduleCache& cache, int& count) const;

    /// Runs all models in turns under a schedule (empty: the runner's own choices); the runner's JSON.
    [[nodiscard]] Result<std::string> time(const std::string& schedule, int repeat);

    /// Runs model `family` once under each schedule, in turns; the runner's JSON has one model a schedule.
    [[nodiscard]] Result<std::string> timeSchedules(std::size_t family,
                                                    const std::vector<std::string>& schedules, int repeat);

    /// What model `family` computes from one image, step by step; the runner's JSON.
    [[nodiscard]] Result<std::string> hashes(std::size_t family, const std::vector<float>& image);

    /// Outputs of model `family` for `images`, one after another.
    [[nodiscard]] Result<std::vector<float>> outputs(std::size_t family,
                                                     std::span<const std::vector<float>> images);

    [[nodiscard]] Result<report::DeviceConditions> conditions() { return m_device->conditions(*m_control); }
    /// Clocks and temperatures alone: for between two rounds.
    [[nodiscard]] Result<report::DeviceConditions> clocks() { return m_device->clocks(*m_control); }
    [[nodiscard]] Status close() { return m_device->close(); }

  private:
    BenchSession() = default;
    void chooseCores();
    Status deployRun();
    Status lowerAll();
    Status putAll(const std::string& runner);
    Status askRunner();
    [[nodiscard]] Result<std::string> time(const std::vector<std::string>& models,
                                           const std::vector<std::string>& schedules, int repeat);
    Status putImages(std::span<const std::vector<float>> images);
    [[nodiscard]] Result<std::string> run(std::vector<std::string> arguments);

    const BenchRequest* m_request = nullptr;
    report::ProgressSink* m_sink = nullptr;
    JobControl* m_control = nullptr;
    std::unique_ptr<device::Device> m_device;
    std::string m_origin;
    std::string m_isa;
    std::vector<int> m_cores;  ///< that are timed; those of an emulated device are not pinned to
    quant::QuantizedModel m_quantized;
    Deployment m_deployment;
    std::vector<std::string> m_families;
    std::vector<qsimd::Model> m_models;
    std::vector<TileKernel> m_kernels;
    std::vector<std::string> m_kernelNames;
};

/// Usage errors of what cannot be meant.
[[nodiscard]] Status checkRequest(const BenchRequest& request);

}  // namespace bitloom::jobs
