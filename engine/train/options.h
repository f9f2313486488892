// What a job says about training, [train] of a job file. Plain values, no libtorch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bitloom::train {

enum class Schedule { OneCycle, Cosine, MultiStep, Constant };

/// What convolutions multiply, forward and backward, while a network trains, and how activations between them
/// are kept. Sums, parameters, their updates, batch statistics, the loss and every evaluation are float32
/// whatever this says.
enum class Precision { Float32, BFloat16 };

/// Peak learning rate of each parameter group; 0 freezes the group.
struct GroupRates {
    double weight = 0.01;     ///< latent weights of quantized layers
    double full = 0.01;       ///< weights and biases of full-precision layers
    double batchNorm = 0.01;  ///< scale and shift
    double mu = 2e-5;
    double sigma = 0;  ///< trained as log sigma
    double pi = 0;     ///< trained as log |p|
    double tau = 0;
    double alpha = 0.1;            ///< logits of RDHS and SGT
    double clip = 0.01;            ///< of uniform levels
    double activationStep = 1e-3;  ///< LSQ's step sizes of activations
};

struct TrainOptions {
    double epochs = 1;  ///< ignored when steps > 0; 0: no step, the start is scored
    std::int64_t steps = 0;
    Schedule schedule = Schedule::OneCycle;
    double warmup = 0.3;  ///< one-cycle: share of steps that rise (PyTorch's pct_start)
    std::vector<double> milestones = {
        0.5, 0.75};  ///< multi-step: shares of all steps at which the rate is divided by 10
    double momentum = 0.9;
    bool cycleMomentum =
        false;  ///< one-cycle: momentum 0.95 -> 0.85 -> 0.95, as the published code's scheduler
    bool nesterov = false;
    double weightDecay = 5e-4;  ///< on `weight` and `full` groups only
    double decayBatchNorm = 0;
    double decayMixture = 0;  ///< on mu, sigma, pi, tau
    double decayAlpha = 1e-4;
    GroupRates rates;
    std::uint64_t seed = 1;
    int threads = 0;             ///< 0: all cores; the result's bits depend on it
    std::string device = "cpu";  ///< "cpu", "cuda", "cuda:1"
    Precision precision = Precision::Float32;
    double labelSmoothing = 0;
    double distillation = 0;             ///< share of the loss that follows the teacher, 0 to 1
    double distillationTemperature = 1;  ///< of both softmaxes in it
    /// DGMS: train through Psi with Phi's backward (dgms/README.md section 6). RDHS and SGT always do.
    bool hardForward = false;
    int evaluateEvery = 1;            ///< epochs; the last step is always evaluated
    std::int64_t evaluateImages = 0;  ///< 0: the whole test set
    int batchNormBatches =
        20;  ///< training batches that re-estimate batch norm before scoring hard weights; 0: none
    int checkpointEverySeconds = 60;
};

}  // namespace bitloom::train
