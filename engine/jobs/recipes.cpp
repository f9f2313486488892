// What train.recipe sets before the keys of a job do.
#include "engine/jobs/job_spec.h"
#include "engine/quant/method_names.h"

namespace bitloom::jobs {
namespace {

/// search/README.md section 6.
void applySearchRecipe(const std::string& recipe, const quant::LayerOptions& layer, JobSpec& job) {
    train::TrainOptions& train = job.train;
    if (recipe == "paper") {
        // One group at 0.1, decayed whole, from random logits.
        train.rates.weight = train.rates.full = train.rates.batchNorm = train.rates.alpha = 0.1;
        train.weightDecay = train.decayBatchNorm = train.decayAlpha = 1e-4;
        train.schedule = train::Schedule::Cosine;
        train.epochs = 200;
        job.quantizer.search.start = quant::SearchStart::Random;
        return;
    }
    train.rates.weight = train.rates.full = train.rates.batchNorm = 3e-2;
    train.rates.alpha = layer.components > 2 ? 0.3 : 3;
    job.quantizer.search.halfLogits = true;
    job.quantizer.search.factored = true;
}

/// What SDQ publishes of its training, both phases (quant/sdq/README.md section 5, uniform/README.md section
/// 4).
void applySdqPaper(JobSpec& job) {
    train::TrainOptions& train = job.train;
    train.rates.weight = train.rates.full = train.rates.batchNorm = train.rates.clip = 1e-2;
    train.schedule = train::Schedule::Cosine;
    train.epochs = 200;
    train.hardForward = true;
}

}  // namespace

void applyRecipe(const std::string& recipe, const quant::LayerOptions& layer, JobSpec& job) {
    train::TrainOptions& train = job.train;
    if (layer.method == "rdhs" || layer.method == "sgt") return applySearchRecipe(recipe, layer, job);
    const bool levels = layer.method == "uniform" || quant::learnsBits(layer.method);
    if (recipe == "paper" && levels) return applySdqPaper(job);
    if (recipe == "paper") {
        // What the published scripts do (dgms/README.md section 5): one group at 2e-5, decayed whole,
        // everything trained.
        train.rates = {2e-5, 2e-5, 2e-5, 2e-5, 2e-5, 2e-5, 2e-5};
        // Of the mixture not: the decay of sigma and pi that they have would act on log sigma and log |p|
        // here, and at these rates it moves a parameter by less than 0.2 % in 350 epochs.
        train.decayBatchNorm = train.weightDecay;
        train.cycleMomentum = true;
        train.epochs = 350;
        job.quantizer.weightGradient = quant::WeightGradient::Exact;
        job.quantizer.initSigma = quant::SigmaInit::Empirical;
        job.quantizer.trainTemperature = true;
        return;
    }
    // dgms/README.md section 6, measured: its wide codebooks start close to the optimum and want small steps.
    const bool quantized = layer.method != "none";
    const bool dgms = layer.method == "dgms";
    double rate = 1e-2;
    if (dgms && layer.components >= 16) rate = 1e-3;
    if (dgms && layer.components < 8) rate = 3e-2;
    train.hardForward = quantized;
    train.rates.weight = train.rates.full = train.rates.batchNorm = rate;
}

}  // namespace bitloom::jobs
