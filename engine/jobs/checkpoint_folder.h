// The checkpoints of one run: <run file>.ckpt/step-N.safetensors, the newest two, and teacher.safetensors.
// Each file is written whole or not at all, carries a hash of its content and the identity of its run. One
// thread.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/report/run.h"
#include "engine/train/trainer.h"

namespace bitloom::jobs {

class CheckpointFolder {
  public:
    /// Tells the runs apart that were recorded under one name.
    [[nodiscard]] static std::string identityOf(const report::RunInfo& info);

    /// Touches nothing. `run`: the run file.
    CheckpointFolder(const std::filesystem::path& run, std::string identity);

    [[nodiscard]] const std::filesystem::path& path() const { return m_path; }

    /// Makes the folder, should it not be there; changes nothing in it.
    [[nodiscard]] Status make() const;

    /// Makes the folder and empties it of other runs' checkpoints and teachers and of files that a killed
    /// process left half written.
    [[nodiscard]] Status claim();

    /// It is there and holds no checkpoint, as a run leaves it that was killed before its first.
    [[nodiscard]] bool isEmpty() const;

    /// Of the newest checkpoint by its name; nothing is read. -1: there is none.
    [[nodiscard]] std::int64_t newestStep() const;

    /// Writes the state and removes all but the newest two. A failure leaves the earlier checkpoints as they
    /// were.
    [[nodiscard]] Status save(const train::TrainerState& state);

    /// The newest whole checkpoint of this run, nothing when there is none. Each newer file that is damaged
    /// goes to `warn` with the reason.
    [[nodiscard]] Result<std::optional<train::TrainerState>> newest(
        const std::function<void(const std::string&)>& warn) const;

    /// What distillation follows, kept whole so that a run can be continued without the file it came from.
    [[nodiscard]] Status saveTeacher(const train::Teacher& teacher);
    [[nodiscard]] Result<train::Teacher> teacher() const;

    /// Removes checkpoints later than `step`: a run that continues from there makes new ones.
    [[nodiscard]] Status dropAfter(std::int64_t step);

  private:
    struct Entry {
        std::int64_t step = 0;
        std::filesystem::path path;
    };
    [[nodiscard]] std::vector<Entry> entries() const;  ///< newest first
    [[nodiscard]] Result<train::TrainerState> read(const Entry& entry) const;
    [[nodiscard]] Status write(const std::filesystem::path& path, const graph::StateDict& tensors,
                               std::map<std::string, std::string> metadata) const;
    [[nodiscard]] bool owns(const std::filesystem::path& path) const;  ///< a file of this very run
    [[nodiscard]] Result<checkpoint::Checkpoint> readWhole(const std::filesystem::path& path) const;

    std::filesystem::path m_path;
    std::string m_identity;
};

}  // namespace bitloom::jobs
