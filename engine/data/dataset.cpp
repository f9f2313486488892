#include "engine/data/dataset.h"

#include <algorithm>
#include <charconv>
#include <exception>

#include "engine/base/text.h"
#include "engine/data/sources.h"

namespace bitloom::data {
namespace {

const std::vector<std::string> kSchemes = {"cifar10", "folder", "generated"};
constexpr std::string_view kGeneratedForm = "generated:SEED,TRAIN,TEST";
constexpr std::int64_t kMostGenerated = 10'000'000;
constexpr int kLargestImageSize = 1024;

struct GeneratedSpec {
    std::uint64_t seed = 1;
    std::int64_t train = 20'000;
    std::int64_t test = 2'000;
};

/// Reads a decimal number off the front of `text`, with the comma after it if there is one. False when there
/// is no number.
template <class T>
bool takeNumber(std::string_view& text, T& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.starts_with(',')) text.remove_prefix(1);
    return true;
}

Result<GeneratedSpec> parseGenerated(std::string_view source, std::string_view numbers) {
    GeneratedSpec spec;
    if (numbers.empty()) return spec;
    std::string_view rest = numbers;
    const bool read = std::ranges::count(numbers, ',') == 2 && !numbers.ends_with(',') &&
                      takeNumber(rest, spec.seed) && takeNumber(rest, spec.train) &&
                      takeNumber(rest, spec.test) && rest.empty();
    if (!read) {
        return usageError(
            "data source '{}': expected three whole numbers, {}; for example generated:1,20000,2000", source,
            kGeneratedForm);
    }
    if (std::min(spec.train, spec.test) < 1 || std::max(spec.train, spec.test) > kMostGenerated) {
        return usageError("data source '{}': TRAIN and TEST of {} must be from 1 to {} images", source,
                          kGeneratedForm, kMostGenerated);
    }
    return spec;
}

}  // namespace

Result<std::unique_ptr<Dataset>> openDataset(std::string_view source, Split split, int imageSize) try {
    const std::size_t colon = source.find(':');
    const std::string_view scheme = source.substr(0, colon);
    const std::string_view rest =
        colon == std::string_view::npos ? std::string_view() : source.substr(colon + 1);
    if (std::ranges::find(kSchemes, scheme) == kSchemes.end()) {
        return usageError(
            "data source '{}': there is no kind '{}', did you mean '{}'? Known: cifar10:FOLDER, "
            "folder:FOLDER, {}",
            source, scheme, nearestName(scheme, kSchemes), kGeneratedForm);
    }
    if (scheme == "generated") {
        BITLOOM_ASSIGN_OR_RETURN(const GeneratedSpec spec, parseGenerated(source, rest));
        return makeGeneratedDataset(spec.seed, split, split == Split::Train ? spec.train : spec.test);
    }
    if (rest.empty())
        return usageError("data source '{}': name a folder after the colon, {}:FOLDER", source, scheme);
    if (scheme == "cifar10") return openCifar10(rest, split);
    if (imageSize < 0 || imageSize > kLargestImageSize) {
        return usageError("data source '{}': images of {} pixels a side were asked for; choose from 1 to {}",
                          source, imageSize, kLargestImageSize);
    }
    return openImageFolder(rest, split, imageSize == 0 ? 32 : imageSize);
} catch (const std::exception& error) {
    return fail("data source '{}': cannot open it: {}", source, error.what());
}

Result<Normalization> normalizationByName(std::string_view name) {
    struct Named {
        std::string name;
        Normalization values;
    };
    static const std::vector<Named> kNormalizations = {
        {"imagenet", {{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}}},
        {"cifar10", {{0.4914f, 0.4822f, 0.4465f}, {0.2023f, 0.1994f, 0.2010f}}},
        {"half", {{0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}}},
        {"none", {}},
    };
    std::vector<std::string> names;
    for (const Named& candidate : kNormalizations) {
        if (candidate.name == name) return candidate.values;
        names.push_back(candidate.name);
    }
    return usageError("normalization '{}' is not known, did you mean '{}'? Known: {}", name,
                      nearestName(name, names), joinNames(names));
}

}  // namespace bitloom::data
