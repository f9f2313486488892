#include "app/job_draft.h"

#include <QDir>
#include <QFileInfo>
#include <QStandardPaths>

#include "app/shell_word.h"
#include "engine/base/atomic_file.h"

namespace bitloom::app {

namespace fs = std::filesystem;

void applyRecipe(Recipe recipe, jobs::JobSpec& spec) {
    // What another recipe had set goes back to its default first.
    const jobs::JobSpec standard;
    spec.quantizer.weightGradient = standard.quantizer.weightGradient;
    spec.quantizer.initSigma = standard.quantizer.initSigma;
    spec.quantizer.trainTemperature = standard.quantizer.trainTemperature;
    spec.quantizer.search.start = standard.quantizer.search.start;
    spec.quantizer.search.halfLogits = standard.quantizer.search.halfLogits;
    spec.quantizer.search.factored = standard.quantizer.search.factored;
    spec.train.rates = standard.train.rates;
    spec.train.schedule = standard.train.schedule;
    spec.train.hardForward = standard.train.hardForward;
    spec.train.weightDecay = standard.train.weightDecay;
    spec.train.decayBatchNorm = standard.train.decayBatchNorm;
    spec.train.decayMixture = standard.train.decayMixture;
    spec.train.decayAlpha = standard.train.decayAlpha;
    spec.train.cycleMomentum = standard.train.cycleMomentum;
    const double epochs = spec.train.epochs;
    jobs::applyRecipe(recipe == Recipe::Paper ? "paper" : "short", spec.quantizer.layer, spec);
    spec.train.epochs = epochs;
}

JobDraft draftForWeights(const jobs::InspectResult& weights) {
    JobDraft draft;
    draft.guessed = true;
    draft.spec.model.arch = weights.arch;
    draft.spec.model.weights = fs::absolute(weights.path).string();
    draft.spec.data.normalize = "half";  // what the sample network was trained with
    draft.spec.train.epochs = 1;
    applyRecipe(Recipe::ShortRun, draft.spec);
    return draft;
}

fs::path defaultRunFolder() {
    const QFileInfo working(QDir::currentPath());
    if (working.isWritable()) return fs::path(working.absoluteFilePath().toStdString()) / "runs";
    const QString documents = QStandardPaths::writableLocation(QStandardPaths::DocumentsLocation);
    return fs::path(documents.toStdString()) / "Bitloom";
}

fs::path firstFree(const fs::path& path, const std::function<bool(const fs::path&)>& taken) {
    fs::path free = path;
    for (int number = 2; taken(free); ++number) {
        free = path;
        free.replace_filename(
            fmt::format("{}-{}{}", path.stem().string(), number, path.extension().string()));
    }
    return free;
}

fs::path freshRunPath(const JobDraft& draft, const fs::path& folder) {
    std::string name = draft.file.stem().string();
    if (name.empty()) {
        const std::string arch = draft.spec.model.arch.empty() ? "run" : draft.spec.model.arch;
        name = fmt::format("{}-{}", arch, draft.spec.quantizer.layer.components);
    }
    return firstFree(folder / (name + ".h5"), isThere);
}

Result<std::string> prepare(JobDraft& draft) {
    std::error_code error;
    const fs::path folder = fs::absolute(draft.out).parent_path();
    fs::create_directories(folder, error);
    if (error) {
        return fail(
            "{}: cannot make this folder for the run: {}. Choose another output file in Job > New job.",
            folder.string(), error.message());
    }
    if (draft.file.empty()) {
        const std::string text = jobs::toToml(draft.spec);
        const auto isOthers = [&](const fs::path& file) {
            if (!isThere(file)) return file == draft.out;
            const auto content = readFile(file);
            return !content || *content != text;
        };
        const fs::path file = firstFree(fs::path(draft.out).replace_extension(".toml"), isOthers);
        BITLOOM_RETURN_IF_ERROR(writeFileAtomically(file, text));
        draft.file = file;
    }
    return fmt::format("bitloom train {} --out {}{}", shellWord(draft.file.string()),
                       shellWord(draft.out.string()), draft.replace ? " --replace" : "");
}

}  // namespace bitloom::app
