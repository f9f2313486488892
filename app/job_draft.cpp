#include "app/job_draft.h"

#include <QDir>
#include <QFileInfo>
#include <QStandardPaths>
#include <cassert>

#include "engine/base/atomic_file.h"

namespace bitloom::app {

namespace fs = std::filesystem;

void applyRecipe(Recipe recipe, jobs::JobSpec& spec) {
    const std::string words[] = {recipe == Recipe::Paper ? "train.recipe=paper" : "train.recipe=short",
                                 fmt::format("quantizer.components={}", spec.quantizer.layer.components)};
    const auto standard = jobs::parseJob("", "recipe", ".", words);
    assert(standard);
    spec.quantizer.weightGradient = standard->quantizer.weightGradient;
    spec.quantizer.initSigma = standard->quantizer.initSigma;
    spec.quantizer.trainTemperature = standard->quantizer.trainTemperature;
    spec.train.rates = standard->train.rates;
    spec.train.weightDecay = standard->train.weightDecay;
    spec.train.decayBatchNorm = standard->train.decayBatchNorm;
    spec.train.decayMixture = standard->train.decayMixture;
    spec.train.cycleMomentum = standard->train.cycleMomentum;
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

fs::path freshRunPath(const JobDraft& draft, const fs::path& folder) {
    std::string name = draft.file.stem().string();
    if (name.empty()) {
        const std::string arch = draft.spec.model.arch.empty() ? "run" : draft.spec.model.arch;
        name = fmt::format("{}-{}", arch, draft.spec.quantizer.layer.components);
    }
    fs::path path = folder / (name + ".h5");
    for (int number = 2; fs::exists(path); ++number)
        path = folder / fmt::format("{}-{}.h5", name, number);
    return path;
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
        const fs::path file = fs::path(draft.out).replace_extension(".toml");
        BITLOOM_RETURN_IF_ERROR(writeFileAtomically(file, jobs::toToml(draft.spec)));
        draft.file = file;
    }
    return fmt::format("bitloom train {} --out {}", shellWord(draft.file.string()),
                       shellWord(draft.out.string()));
}

std::string shellWord(const std::string& text) {
    constexpr std::string_view kPlain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%";
    if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
    std::string quoted = "'";
    for (const char c : text) {
        if (c == '\'') {
            quoted += "'\\''";
        } else {
            quoted += c;
        }
    }
    return quoted + "'";
}

}  // namespace bitloom::app
