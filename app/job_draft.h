// The job that the next press of Start runs: a job file as it is, a changed one, or one made in the window
// from a weight file. Plain values, any thread.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <system_error>

#include "engine/base/result.h"
#include "engine/jobs/inspect_job.h"
#include "engine/jobs/job_spec.h"

namespace bitloom::app {

struct JobDraft {
    jobs::JobSpec spec;
    std::filesystem::path file;  ///< where spec stands as it is; empty: changed, or made in the window
    std::filesystem::path out;   ///< run file to write; empty: freshRunPath() chooses
    bool guessed = false;        ///< defaults that no person has seen yet: Start asks first
    bool replace = false;        ///< an unfinished run in `out` goes too; the person was told
};

/// train.recipe of a job file.
enum class Recipe { ShortRun, Paper };

/// Sets what the recipe decides for spec's method and components: rates, schedule, decay, gradient, where
/// mixtures and logits start; what another recipe had set goes back to its default. Not the length.
void applyRecipe(Recipe recipe, jobs::JobSpec& spec);

/// 4-bit DGMS of these weights on the generated images: what Start does when only weights were opened.
[[nodiscard]] JobDraft draftForWeights(const jobs::InspectResult& weights);

/// Where runs go unless told otherwise: "runs" in the working folder, or "Bitloom" among the person's
/// documents when that cannot be written.
[[nodiscard]] std::filesystem::path defaultRunFolder();

/// Whether there is something of this name, as far as that can be told.
[[nodiscard]] inline bool isThere(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
}

/// `path`, or the first of "<stem>-2", "<stem>-3", ... beside it that is not `taken`. Creates nothing.
[[nodiscard]] std::filesystem::path firstFree(const std::filesystem::path& path,
                                              const std::function<bool(const std::filesystem::path&)>& taken);

/// A path in `folder` that does not exist, named after the job file or "<arch>-<components>". Creates
/// nothing.
[[nodiscard]] std::filesystem::path freshRunPath(const JobDraft& draft, const std::filesystem::path& folder);

/// Makes sure that a job file says what `draft.spec` says (written beside the run when there is none yet,
/// never over a file that says something else) and that the folder of the run exists. Returns the command
/// that repeats the job.
[[nodiscard]] Result<std::string> prepare(JobDraft& draft);

}  // namespace bitloom::app
