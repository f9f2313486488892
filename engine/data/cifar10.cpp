// CIFAR-10, binary version (https://www.cs.toronto.edu/~kriz/cifar.html): records of one label byte and 3,072
// pixel bytes, planes R G B, rows from the top.
#include <algorithm>

#include "engine/base/atomic_file.h"
#include "engine/base/text.h"
#include "engine/data/sources.h"

namespace bitloom::data {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPixelBytes = std::size_t{3} * 32 * 32;
constexpr std::size_t kRecordBytes = 1 + kPixelBytes;
constexpr std::size_t kClasses = 10;
constexpr std::size_t kUsualFile = 10'000 * kRecordBytes;
/// What is larger than this is another kind of file.
constexpr std::size_t kLargestFile = 10 * kUsualFile;

class Cifar10 final : public Dataset {
  public:
    Cifar10(std::vector<std::uint8_t> records, std::vector<std::string> classNames)
        : m_records(std::move(records)), m_classNames(std::move(classNames)) {}

    [[nodiscard]] std::int64_t size() const override {
        return static_cast<std::int64_t>(m_records.size() / kRecordBytes);
    }
    [[nodiscard]] ImageShape shape() const override { return {}; }
    [[nodiscard]] const std::vector<std::string>& classNames() const override { return m_classNames; }

    [[nodiscard]] Result<int> read(std::int64_t index, std::span<std::uint8_t> pixels) const override {
        assert(index >= 0 && index < size() && pixels.size() == kPixelBytes);
        const auto record =
            std::span(m_records).subspan(static_cast<std::size_t>(index) * kRecordBytes, kRecordBytes);
        std::ranges::copy(record.subspan(1), pixels.begin());
        return int{record[0]};
    }

  private:
    std::vector<std::uint8_t> m_records;
    std::vector<std::string> m_classNames;
};

/// Appends the records of one file to `records`.
Status appendFile(const fs::path& path, std::vector<std::uint8_t>& records) {
    const Result<std::string> file = readFile(path, kLargestFile);
    if (!file) {
        return fail("{}; name the unpacked folder of CIFAR-10's binary version (cifar-10-batches-bin)",
                    file.error().message);
    }
    if (file->empty() || file->size() % kRecordBytes != 0) {
        return fail(
            "{}: {} bytes is not a whole number of {}-byte CIFAR-10 records; the file is cut short or of "
            "another kind, fetch it again",
            path.string(), file->size(), kRecordBytes);
    }
    const std::size_t begin = records.size();
    records.insert(records.end(), file->begin(), file->end());
    for (std::size_t at = begin; at < records.size(); at += kRecordBytes) {
        if (records[at] >= kClasses) {
            return fail(
                "{}: record {} has label {}, labels are 0 to {}; the file is damaged or of another kind "
                "(CIFAR-100?), fetch it again",
                path.string(), (at - begin) / kRecordBytes, records[at], kClasses - 1);
        }
    }
    return {};
}

/// The lines of batches.meta.txt, or the official names when there is no such file.
Result<std::vector<std::string>> readClassNames(const fs::path& folder) {
    const fs::path path = folder / "batches.meta.txt";
    std::error_code ignored;
    if (!fs::exists(path, ignored)) {
        return std::vector<std::string>{"airplane", "automobile", "bird",  "cat",  "deer",
                                        "dog",      "frog",       "horse", "ship", "truck"};
    }
    BITLOOM_ASSIGN_OR_RETURN(const std::string text, readFile(path, 4096));
    std::vector<std::string> names;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find_first_of("\r\n", at), text.size());
        if (end > at) names.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    if (names.size() != kClasses) {
        return fail(
            "{}: {} class names instead of {}; correct the file or remove it to use the official names",
            path.string(), names.size(), kClasses);
    }
    return names;
}

}  // namespace

Result<std::unique_ptr<Dataset>> openCifar10(const fs::path& folder, Split split) {
    BITLOOM_ASSIGN_OR_RETURN(std::vector<std::string> names, readClassNames(folder));
    std::vector<fs::path> paths;
    if (split == Split::Test) {
        paths = {folder / "test_batch.bin"};
    } else {
        for (int batch = 1; batch <= 5; ++batch)
            paths.push_back(folder / fmt::format("data_batch_{}.bin", batch));
    }
    std::vector<std::uint8_t> records;
    records.reserve(paths.size() * kUsualFile);
    for (const fs::path& path : paths)
        BITLOOM_RETURN_IF_ERROR(appendFile(path, records));
    std::unique_ptr<Dataset> dataset = std::make_unique<Cifar10>(std::move(records), std::move(names));
    return dataset;
}

}  // namespace bitloom::data
