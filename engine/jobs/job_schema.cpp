#include "engine/jobs/job_schema.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include <fmt/ranges.h>

#include "engine/jobs/job_key_kinds.h"
#include "engine/quant/method_names.h"
#include "engine/quant/search/value_set.h"

namespace bitloom::jobs {
namespace {

Choices<std::string> methodChoices() {
    Choices<std::string> choices;
    for (const std::string& name : quant::methodNames())
        choices.emplace_back(name, name);
    return choices;
}

/// The numbers of an array; nothing where the node is anything else.
std::optional<std::vector<double>> numbersOf(const toml::node& node) {
    const toml::array* array = node.as_array();
    if (!array) return std::nullopt;
    std::vector<double> numbers;
    for (const toml::node& element : *array) {
        const auto value = element.value<double>();
        if (!value || element.is_boolean()) return std::nullopt;
        numbers.push_back(*value);
    }
    return numbers;
}

std::string toArray(const std::vector<double>& numbers) {
    return fmt::format("[{}]", fmt::join(numbers, ", "));
}

/// Keys of one layer's codebook, whose LayerOptions `access` finds; names get `prefix`. components, bits and
/// values are three ways to say its size: each replaces what a less special place said.
template <class Target, class Access>
void addLayerKeys(std::vector<Key<Target>>& keys, const std::string& prefix, Access access) {
    keys.push_back(choice<Target, std::string>(
        prefix + "method", "how weights are quantized; none: full precision",
        methodChoices(), [=](auto& target) -> auto& { return access(target).method; }));
    Key<Target> components = integer<Target>(
        prefix + "components", "values a weight may take, for dgms zero included; 2^bits",
        [=](auto& target) -> auto& { return access(target).components; }, 2, 256);
    Key<Target> bits = readOnly(integer<Target>(
        prefix + "bits", "bits per weight, instead of components",
        [=](auto& target) -> auto& { return access(target).components; }, 1, 8));
    components.set = [=, set = components.set](const toml::node& node, Target& target) {
        access(target).values.clear();
        return set(node, target);
    };
    components.write = [=, write = components.write](const Target& target) {
        return access(target).values.empty() ? write(target) : std::string();
    };
    bits.set = [=, set = bits.set](const toml::node& node, Target& target) {
        if (!set(node, target)) return false;
        access(target).values.clear();
        access(target).components = 1 << access(target).components;
        return true;
    };
    keys.push_back(std::move(components));
    keys.push_back(std::move(bits));
    keys.push_back({prefix + "values",
                    "rdhs, sgt: the set that weights are chosen from; unset: +-1, +-1/2, ..., 2^bits of them",
                    "an array of 2 to 256 different finite numbers",
                    [=](const toml::node& node, Target& target) {
                        auto values = numbersOf(node);
                        quant::LayerOptions& layer = access(target);
                        if (!values) return false;
                        layer.components = static_cast<int>(values->size());
                        layer.values = std::move(*values);
                        return !layer.values.empty() && quant::search::checkValues(layer, "").ok();
                    },
                    [=](const Target& target) {
                        const std::vector<double>& values = access(target).values;
                        return values.empty() ? std::string() : toArray(values);
                    }});
}

/// Where a layer's mixture starts; names as in addLayerKeys.
template <class Target, class Access>
void addTransferKeys(std::vector<Key<Target>>& keys, const std::string& prefix, Access access) {
    keys.push_back(text<Target>(
        prefix + "transfer",
        "dgms, dgms-mixed: run file whose mixtures the layers start from; empty: k-means",
        [=](auto& target) -> auto& { return access(target).transfer; }));
    keys.push_back(boolean<Target>(
        prefix + "transfer_scale",
        "transfer: mu and sigma times std(w) / std(w of that run); false: as they are",
        [=](auto& target) -> auto& { return access(target).transferScale; }));
}

#define BITLOOM_FIELD(path)  \
    [](auto& job) -> auto& { \
        return job.path;     \
    }

constexpr std::int64_t kMany = std::numeric_limits<std::int64_t>::max();
constexpr int kManyInt = std::numeric_limits<int>::max();

void addModelAndDataKeys(std::vector<Key<JobSpec>>& keys) {
    using Job = JobSpec;
    keys.push_back(
        text<Job>("model.arch", "network; empty: the one that fits the weights", BITLOOM_FIELD(model.arch)));
    keys.push_back(text<Job>("model.weights", "weight file; empty: random initialisation",
                             BITLOOM_FIELD(model.weights)));
    keys.push_back(integer<Job>("model.classes", "outputs; 0: the network's own",
                                BITLOOM_FIELD(model.classes), 0, 1000000));
    keys.push_back(text<Job>("model.teacher", "weights that train.distillation follows; empty: model.weights",
                             BITLOOM_FIELD(model.teacher)));
    keys.push_back(text<Job>("data.source", "cifar10:FOLDER, folder:FOLDER or generated[:SEED,TRAIN,TEST]",
                             BITLOOM_FIELD(data.source)));
    keys.push_back(
        integer<Job>("data.batch", "training images per step", BITLOOM_FIELD(data.batch), 1, 65536));
    keys.push_back(
        text<Job>("data.normalize", "cifar10, imagenet, half or none", BITLOOM_FIELD(data.normalize)));
    keys.push_back(boolean<Job>("data.augment", "random crops and flips", BITLOOM_FIELD(data.augment)));
    keys.push_back(
        integer<Job>("data.threads", "threads that prepare batches", BITLOOM_FIELD(data.threads), 1, 256));
}

Key<JobSpec> excludeKey() {
    return {"quantizer.exclude", "layers left in full precision; unset: first convolution and linear layers",
            "an array of layer names",
            [](const toml::node& node, JobSpec& job) {
                const toml::array* array = node.as_array();
                if (!array) return false;
                std::vector<std::string> names;
                for (const toml::node& element : *array) {
                    const auto name = element.value_exact<std::string>();
                    if (!name) return false;
                    names.push_back(*name);
                }
                job.quantizer.exclude = std::move(names);
                return true;
            },
            [](const JobSpec& job) {
                if (!job.quantizer.exclude) return std::string();
                std::string list;
                for (const std::string& name : *job.quantizer.exclude)
                    list += (list.empty() ? "" : ", ") + quoteToml(name);
                return "[" + list + "]";
            }};
}

void addSearchKeys(std::vector<Key<JobSpec>>& keys) {
    using Job = JobSpec;
    using quant::SearchStart;
    keys.push_back(choice<Job, SearchStart>(
        "quantizer.start", "rdhs, sgt: from the pretrained weights, or random as published",
        {{"posterior", SearchStart::Posterior}, {"random", SearchStart::Random}},
        BITLOOM_FIELD(quantizer.search.start)));
    keys.push_back(number<Job>("quantizer.spread",
                               "rdhs, sgt: deviation around each value at the start, in units of the scale",
                               BITLOOM_FIELD(quantizer.search.spread), 1e-3, 1e3));
    keys.push_back(number<Job>("quantizer.temperature_rate",
                               "rdhs: tau is this to the power of the epoch, from 1 down",
                               BITLOOM_FIELD(quantizer.search.temperatureRate), 1e-3, 1));
    keys.push_back(number<Job>("quantizer.temperature_floor", "rdhs: tau goes no lower",
                               BITLOOM_FIELD(quantizer.search.temperatureFloor), 1e-5, 1));
    keys.push_back(number<Job>("quantizer.gumbel_noise",
                               "rdhs: factor of the noise on the logits in training",
                               BITLOOM_FIELD(quantizer.search.gumbelNoise), 0, 100));
    keys.push_back(boolean<Job>("quantizer.gradient_sign", "sgt: pass on the gradient's sign, not its value",
                                BITLOOM_FIELD(quantizer.search.gradientSign)));
    keys.push_back(boolean<Job>("quantizer.half_logits",
                                "rdhs, sgt: logits in half precision, one momentum a weight",
                                BITLOOM_FIELD(quantizer.search.halfLogits)));
    keys.push_back(
        boolean<Job>("quantizer.factored",
                     "rdhs, sgt: sets +-e take a logit for the sign and one for each magnitude, in "
                     "place of one for each value",
                     BITLOOM_FIELD(quantizer.search.factored)));
}

void addUniformKeys(std::vector<Key<JobSpec>>& keys) {
    using Job = JobSpec;
    using quant::BitBudgetKind;
    keys.push_back(number<Job>("quantizer.bin_regulariser",
                               "uniform: weight of the entropy-aware bin regulariser; 0.1 in SDQ",
                               BITLOOM_FIELD(quantizer.binRegulariser), 0, 1e3));
    keys.push_back(number<Job>(
        "quantizer.target",
        "sdq, dgms-mixed: mean bits a weight, bytes, or bit operations with activations of 32 bits "
        "that the layers may take",
        BITLOOM_FIELD(quantizer.sdq.target), 0.01, 1e18));
    keys.push_back(choice<Job, BitBudgetKind>("quantizer.budget", "sdq, dgms-mixed: what target counts",
                                              {{"bits", BitBudgetKind::Bits},
                                               {"bytes", BitBudgetKind::Bytes},
                                               {"bit_operations", BitBudgetKind::BitOps}},
                                              BITLOOM_FIELD(quantizer.sdq.budget)));
    keys.push_back(boolean<Job>("quantizer.per_block",
                                "sdq, dgms-mixed: the layers of a block share one bitwidth",
                                BITLOOM_FIELD(quantizer.sdq.perBlock)));
    keys.push_back(number<Job>("quantizer.error_weight", "sdq, dgms-mixed: weight of the quantization error",
                               BITLOOM_FIELD(quantizer.sdq.errorWeight), 0, 1e3));
    keys.push_back(number<Job>("quantizer.budget_weight",
                               "sdq, dgms-mixed: weight of what exceeds the target",
                               BITLOOM_FIELD(quantizer.sdq.budgetWeight), 0, 1e3));
}

Key<JobSpec> firstLastKey() {
    Key<JobSpec> key =
        integer<JobSpec>("quantizer.first_last_bits",
                         "uniform levels for the first convolution and linear layers, outside the mean bits",
                         BITLOOM_FIELD(quantizer.firstLastBits), 0, 8);
    const auto set = key.set;
    key.expected = "an integer from 2 to 8, or 0 for full precision";
    key.set = [set](const toml::node& node, JobSpec& job) {
        return set(node, job) && job.quantizer.firstLastBits != 1;
    };
    return key;
}

void addQuantizerKeys(std::vector<Key<JobSpec>>& keys) {
    using Job = JobSpec;
    using namespace quant;
    const auto layerOf = [](auto& job) -> auto& {
        return job.quantizer.layer;
    };
    addLayerKeys<Job>(keys, "quantizer.", layerOf);
    addTransferKeys<Job>(keys, "quantizer.", layerOf);
    keys.push_back(choice<Job, SigmaInit>("quantizer.init_sigma",
                                          "sigma at the start: of each cluster, or 0.01",
                                          {{"std", SigmaInit::Standard}, {"empirical", SigmaInit::Empirical}},
                                          BITLOOM_FIELD(quantizer.initSigma)));
    keys.push_back(number<Job>("quantizer.temperature", "dgms, dgms-mixed: tau of the second softmax",
                               BITLOOM_FIELD(quantizer.temperature), 1e-3, 1));
    keys.push_back(boolean<Job>("quantizer.train_temperature", "train tau, at train.rate_tau",
                                BITLOOM_FIELD(quantizer.trainTemperature)));
    keys.push_back(choice<Job, Granularity>("quantizer.granularity",
                                            "one mixture per layer or per output channel",
                                            {{"layer", Granularity::Layer}, {"filter", Granularity::Filter}},
                                            BITLOOM_FIELD(quantizer.granularity)));
    keys.push_back(boolean<Job>("quantizer.parity",
                                "the published code's forward pass, and tau trained as there",
                                BITLOOM_FIELD(quantizer.parity)));
    keys.push_back(choice<Job, WeightGradient>(
        "quantizer.weight_gradient", "gradient of the latent weights",
        {{"exact", WeightGradient::Exact}, {"straight-through", WeightGradient::StraightThrough}},
        BITLOOM_FIELD(quantizer.weightGradient)));
    addSearchKeys(keys);
    addUniformKeys(keys);
    keys.push_back(text<Job>("quantizer.strategy",
                             "file of each layer's bits, or learned: those that the stage before ended with",
                             BITLOOM_FIELD(quantizer.strategy)));
    keys.push_back(firstLastKey());
    keys.push_back(excludeKey());
}

void addActivationKeys(std::vector<Key<JobSpec>>& keys) {
    using Job = JobSpec;
    using quant::ActivationMethod;
    keys.push_back(choice<Job, ActivationMethod>(
        "activation.method", "how activations are quantized; none: float",
        {{"none", ActivationMethod::None}, {"ptq", ActivationMethod::Ptq}, {"lsq", ActivationMethod::Lsq}},
        BITLOOM_FIELD(quantizer.activation.method)));
    keys.push_back(integer<Job>("activation.bits", "bits per activation",
                                BITLOOM_FIELD(quantizer.activation.bits), 2, 8));
    keys.push_back(integer<Job>("activation.first_last_bits",
                                "bits of the image, the first layer's output and the last layer's input",
                                BITLOOM_FIELD(quantizer.activation.firstLastBits), 2, 8));
    keys.push_back(integer<Job>("activation.images", "training images that set the ranges",
                                BITLOOM_FIELD(quantizer.activation.images), 1, kMany));
    keys.push_back(integer<Job>("activation.iterations",
                                "ptq: steps that train the scales of a block; 0: none",
                                BITLOOM_FIELD(quantizer.activation.iterations), 0, 1000000));
    keys.push_back(number<Job>("activation.rate", "ptq: of Adam in these steps",
                               BITLOOM_FIELD(quantizer.activation.rate), 1e-9, 1));
}

Key<JobSpec> recipeKey() {
    return readOnly<JobSpec>({"train.recipe",
                              "defaults of [train] and [quantizer]: short runs, or the paper's settings",
                              "one of \"short\", \"paper\"",
                              [](const toml::node& node, JobSpec&) {
                                  const auto recipe = node.value_exact<std::string>();
                                  return recipe == "short" || recipe == "paper";
                              },
                              {}});
}

Key<JobSpec> epochsKey() {
    Key<JobSpec> key = number<JobSpec>(
        "train.epochs", "passes over the training set; 0: the start is scored, nothing trained",
        BITLOOM_FIELD(train.epochs), 0, 1e6);
    const auto write = key.write;
    key.write = [write](const JobSpec& job) { return job.train.steps > 0 ? std::string() : write(job); };
    return key;
}

Key<JobSpec> stepsKey() {
    Key<JobSpec> key = integer<JobSpec>("train.steps", "steps, instead of epochs", BITLOOM_FIELD(train.steps),
                                        1, std::int64_t{1} << 40);
    const auto write = key.write;
    key.write = [write](const JobSpec& job) { return job.train.steps > 0 ? write(job) : std::string(); };
    return key;
}

Key<JobSpec> milestonesKey() {
    return {"train.milestones", "multi-step: shares of the run at which the rate drops to a tenth",
            "an array of numbers from 0 to 1",
            [](const toml::node& node, JobSpec& job) {
                auto milestones = numbersOf(node);
                if (!milestones) return false;
                job.train.milestones = std::move(*milestones);
                return std::ranges::all_of(job.train.milestones,
                                           [](double share) { return share >= 0 && share <= 1; });
            },
            [](const JobSpec& job) { return toArray(job.train.milestones); }};
}

void addScheduleKeys(std::vector<Key<JobSpec>>& keys) {
    using Job = JobSpec;
    using train::Schedule;
    keys.push_back(recipeKey());
    keys.push_back(epochsKey());
    keys.push_back(stepsKey());
    keys.push_back(choice<Job, Schedule>("train.schedule", "course of the learning rate",
                                         {{"one-cycle", Schedule::OneCycle},
                                          {"cosine", Schedule::Cosine},
                                          {"multi-step", Schedule::MultiStep},
                                          {"constant", Schedule::Constant}},
                                         BITLOOM_FIELD(train.schedule)));
    keys.push_back(number<Job>("train.warmup", "one-cycle: share of the run that rises",
                               BITLOOM_FIELD(train.warmup), 0, 1));
    keys.push_back(milestonesKey());
}

void addOptimizerKeys(std::vector<Key<JobSpec>>& keys) {
    using Job = JobSpec;
    keys.push_back(number<Job>("train.momentum", "of SGD", BITLOOM_FIELD(train.momentum), 0, 0.9999));
    keys.push_back(boolean<Job>("train.cycle_momentum", "one-cycle: momentum 0.95 to 0.85 and back",
                                BITLOOM_FIELD(train.cycleMomentum)));
    keys.push_back(boolean<Job>("train.nesterov", "Nesterov momentum", BITLOOM_FIELD(train.nesterov)));
    keys.push_back(
        number<Job>("train.weight_decay", "of weights and biases", BITLOOM_FIELD(train.weightDecay), 0, 1));
    keys.push_back(number<Job>("train.decay_batch_norm", "weight decay of batch norm",
                               BITLOOM_FIELD(train.decayBatchNorm), 0, 1));
    keys.push_back(number<Job>("train.decay_mixture", "weight decay of mu, sigma, pi, tau",
                               BITLOOM_FIELD(train.decayMixture), 0, 1));
    keys.push_back(number<Job>("train.decay_alpha", "weight decay of the logits of rdhs and sgt",
                               BITLOOM_FIELD(train.decayAlpha), 0, 1));
    keys.push_back(number<Job>("train.label_smoothing", "share of the target spread over all classes",
                               BITLOOM_FIELD(train.labelSmoothing), 0, 0.99));
    keys.push_back(number<Job>("train.distillation",
                               "share of the loss that follows a full-precision teacher",
                               BITLOOM_FIELD(train.distillation), 0, 1));
    keys.push_back(number<Job>("train.distillation_temperature", "of teacher and student in that share",
                               BITLOOM_FIELD(train.distillationTemperature), 0.1, 100));
    keys.push_back(boolean<Job>(
        "train.hard_forward", "train through the deployed weights; only dgms and dgms-mixed can do otherwise",
        BITLOOM_FIELD(train.hardForward)));
}

/// `rate` for the three groups of an ordinary network; the special keys refine it.
Key<JobSpec> rateKey() {
    return readOnly<JobSpec>({"train.rate",
                              "peak learning rate of rate_weight, rate_full and rate_batch_norm",
                              "a number from 0 to 100",
                              [](const toml::node& node, JobSpec& job) {
                                  const auto value = node.value<double>();
                                  if (!value || node.is_boolean() || !(*value >= 0 && *value <= 100))
                                      return false;
                                  job.train.rates.weight = job.train.rates.full = job.train.rates.batchNorm =
                                      *value;
                                  return true;
                              },
                              {}});
}

void addRateKeys(std::vector<Key<JobSpec>>& keys) {
    const auto add = [&](const char* name, const char* help, auto access) {
        keys.push_back(number<JobSpec>(name, help, access, 0, 100));
    };
    keys.push_back(rateKey());
    add("train.rate_weight", "latent weights of quantized layers; 0 freezes, here and below",
        BITLOOM_FIELD(train.rates.weight));
    add("train.rate_full", "weights and biases of full-precision layers", BITLOOM_FIELD(train.rates.full));
    add("train.rate_batch_norm", "batch-norm scale and shift", BITLOOM_FIELD(train.rates.batchNorm));
    add("train.rate_mu", "centroids", BITLOOM_FIELD(train.rates.mu));
    add("train.rate_sigma", "standard deviations", BITLOOM_FIELD(train.rates.sigma));
    add("train.rate_pi", "mixing weights", BITLOOM_FIELD(train.rates.pi));
    add("train.rate_tau", "temperature, with quantizer.train_temperature", BITLOOM_FIELD(train.rates.tau));
    add("train.rate_clip", "clips of uniform levels", BITLOOM_FIELD(train.rates.clip));
    add("train.rate_activation_step", "lsq: step sizes of activations",
        BITLOOM_FIELD(train.rates.activationStep));
    add("train.rate_alpha", "logits of rdhs and sgt", BITLOOM_FIELD(train.rates.alpha));
}

void addRunKeys(std::vector<Key<JobSpec>>& keys) {
    using Job = JobSpec;
    keys.push_back(integer<Job>("train.seed", "of everything random", BITLOOM_FIELD(train.seed), 0, kMany));
    keys.push_back(integer<Job>("train.threads", "threads that compute; 0: all cores",
                                BITLOOM_FIELD(train.threads), 0, 4096));
    keys.push_back(text<Job>("train.device", "cpu, cuda or cuda:N", BITLOOM_FIELD(train.device)));
    keys.push_back(choice<Job, train::Precision>(
        "train.precision",
        "what convolutions multiply while training; bfloat16 is quicker where the processor has it, and "
        "every score is of float32",
        {{"float32", train::Precision::Float32}, {"bfloat16", train::Precision::BFloat16}},
        BITLOOM_FIELD(train.precision)));
    keys.push_back(integer<Job>("train.evaluate_every", "epochs between evaluations; 0: only at the end",
                                BITLOOM_FIELD(train.evaluateEvery), 0, kManyInt));
    keys.push_back(integer<Job>("train.evaluate_images", "test images scored; 0: all",
                                BITLOOM_FIELD(train.evaluateImages), 0, kMany));
    keys.push_back(integer<Job>("train.batch_norm_batches",
                                "batches that re-estimate batch norm before scoring; 0: none",
                                BITLOOM_FIELD(train.batchNormBatches), 0, 100000));
    keys.push_back(integer<Job>("train.checkpoint_every_seconds", "time between checkpoints; 0: every step",
                                BITLOOM_FIELD(train.checkpointEverySeconds), 0, 86400));
    keys.push_back(
        integer<Job>("record.every", "steps between snapshots", BITLOOM_FIELD(record.every), 1, kManyInt));
    Key<Job> bins = integer<Job>("record.bins", "bins of histograms", BITLOOM_FIELD(record.bins), 32, 256);
    const auto setBins = bins.set;
    bins.expected = "32, 64, 128 or 256";
    bins.set = [setBins](const toml::node& node, Job& job) {
        return setBins(node, job) && (job.record.bins & (job.record.bins - 1)) == 0;
    };
    keys.push_back(std::move(bins));
}

#undef BITLOOM_FIELD

}  // namespace

const std::vector<Key<JobSpec>>& jobSchema() {
    static const std::vector<Key<JobSpec>> schema = [] {
        std::vector<Key<JobSpec>> keys;
        addModelAndDataKeys(keys);
        addQuantizerKeys(keys);
        addActivationKeys(keys);
        addScheduleKeys(keys);
        addOptimizerKeys(keys);
        addRateKeys(keys);
        addRunKeys(keys);
        return keys;
    }();
    return schema;
}

const std::vector<Key<quant::LayerOptions>>& layerSchema() {
    static const std::vector<Key<quant::LayerOptions>> schema = [] {
        std::vector<Key<quant::LayerOptions>> keys;
        const auto itself = [](auto& layer) -> auto& {
            return layer;
        };
        addLayerKeys<quant::LayerOptions>(keys, "", itself);
        addTransferKeys<quant::LayerOptions>(keys, "", itself);
        return keys;
    }();
    return schema;
}

const std::vector<Key<int>>& activationLayerSchema() {
    static const std::vector<Key<int>> schema = [] {
        Key<int> bits = integer<int>(
            "bits", "bits of this activation; 32: float", [](auto& value) -> auto& { return value; }, 2, 32);
        const auto set = bits.set;
        bits.expected = "an integer from 2 to 8, or 32 for float";
        bits.set = [set](const toml::node& node, int& value) {
            return set(node, value) && (value <= 8 || value == 32);
        };
        return std::vector{bits};
    }();
    return schema;
}

const std::vector<Rivals>& rivalKeys() {
    static const std::vector<Rivals> rivals = {
        {"bits", {"components", "values"}},
        {"components", {"bits", "values"}},
        {"values", {"bits", "components"}},
        {"epochs", {"steps"}},
        {"steps", {"epochs"}},
        {"rate", {"rate_weight", "rate_full", "rate_batch_norm"}, false},
    };
    return rivals;
}

Result<toml::table> parseToml(std::string_view text, const std::string& origin) {
    try {
        return toml::parse(text, origin);
    } catch (const toml::parse_error& error) {
        return usageError("{}:{}: {}", origin, error.source().begin.line, error.description());
    }
}

std::string quoteToml(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            quoted += '\\';
            quoted += c;
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            quoted += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
        } else {
            quoted += c;
        }
    }
    return quoted + '"';
}

}  // namespace bitloom::jobs
