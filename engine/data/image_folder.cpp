#include <algorithm>
#include <array>
#include <cctype>

#include "engine/base/random.h"
#include "engine/base/text.h"
#include "engine/data/image_decoder.h"
#include "engine/data/pixel_cache.h"
#include "engine/data/sources.h"

namespace bitloom::data {
namespace {

namespace fs = std::filesystem;

/// One tree without train and test: a tenth of each class is the test set, by this stream.
constexpr std::uint64_t kSplitStream = 0x73706c74;
constexpr std::size_t kTestShare = 10;

struct Labelled {
    fs::path path;
    int label = 0;
};

class ImageFolder final : public Dataset {
  public:
    ImageFolder(std::vector<Labelled> images, std::vector<std::string> classNames, int size)
        : m_images(std::move(images)),
          m_classNames(std::move(classNames)),
          m_shape{3, size, size},
          m_cache(static_cast<std::int64_t>(m_images.size()), m_shape.bytes()) {}

    [[nodiscard]] std::int64_t size() const override { return static_cast<std::int64_t>(m_images.size()); }
    [[nodiscard]] ImageShape shape() const override { return m_shape; }
    [[nodiscard]] const std::vector<std::string>& classNames() const override { return m_classNames; }

    [[nodiscard]] Result<int> read(std::int64_t index, std::span<std::uint8_t> pixels) const override {
        assert(index >= 0 && index < size() && pixels.size() == m_shape.bytes());
        const Labelled& image = m_images[static_cast<std::size_t>(index)];
        if (m_cache.find(index, pixels)) return image.label;
        // Twice the size is enough for a sharp result and spares most of the work on a large photograph.
        BITLOOM_ASSIGN_OR_RETURN(const RgbImage decoded, decodeImage(image.path, 2 * m_shape.width));
        resizeToSquare(decoded, m_shape.width, pixels);
        m_cache.store(index, pixels);
        return image.label;
    }

  private:
    std::vector<Labelled> m_images;
    std::vector<std::string> m_classNames;
    ImageShape m_shape;
    mutable PixelCache m_cache;
};

bool isImageName(const fs::path& path) {
    static constexpr std::array<std::string_view, 3> kExtensions = {".png", ".jpg", ".jpeg"};
    std::string extension = path.extension().string();
    std::ranges::transform(extension, extension.begin(), [](char c) {
        return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    });
    return std::ranges::find(kExtensions, extension) != kExtensions.end();
}

/// The entries of `folder` that `wanted` accepts, sorted by name; hidden ones are left out.
template <class Predicate>
Result<std::vector<fs::path>> listFolder(const fs::path& folder, Predicate wanted) {
    std::vector<fs::path> entries;
    std::error_code code;
    fs::directory_iterator iterator(folder, code);
    for (; !code && iterator != fs::directory_iterator(); iterator.increment(code)) {
        const bool hidden = iterator->path().filename().string().starts_with('.');
        if (!hidden && wanted(*iterator)) entries.push_back(iterator->path());
    }
    if (code) return fail("{}: cannot list it: {}; check the path", folder.string(), code.message());
    std::ranges::sort(entries);
    return entries;
}

Result<std::vector<fs::path>> listClasses(const fs::path& folder) {
    BITLOOM_ASSIGN_OR_RETURN(std::vector<fs::path> folders,
                             listFolder(folder, [](const fs::directory_entry& entry) {
                                 std::error_code ignored;
                                 return entry.is_directory(ignored);
                             }));
    if (folders.empty()) {
        return fail("{}: no class folders; put the images of each class into a folder of its own",
                    folder.string());
    }
    return folders;
}

Result<std::vector<fs::path>> listImages(const fs::path& folder) {
    BITLOOM_ASSIGN_OR_RETURN(std::vector<fs::path> images,
                             listFolder(folder, [](const fs::directory_entry& entry) {
                                 std::error_code ignored;
                                 return entry.is_regular_file(ignored) && isImageName(entry.path());
                             }));
    if (images.empty()) {
        return fail("{}: no .png, .jpg or .jpeg file in this class folder; add images or remove the folder",
                    folder.string());
    }
    return images;
}

std::vector<std::string> namesOf(const std::vector<fs::path>& folders) {
    std::vector<std::string> names;
    names.reserve(folders.size());
    for (const fs::path& folder : folders)
        names.push_back(folder.filename().string());
    return names;
}

/// Keeps the part of one class that belongs to `split`: a seeded tenth is the test set, at least one image of
/// two or more.
void keepSplit(std::vector<fs::path>& images, Split split, std::uint64_t label) {
    Random random({kSplitStream, label});
    for (std::size_t i = images.size(); i > 1; --i)
        std::swap(images[i - 1], images[random.below(i)]);
    const std::size_t test =
        std::max((images.size() + kTestShare / 2) / kTestShare, std::size_t{images.size() > 1});
    const auto border = images.begin() + static_cast<std::ptrdiff_t>(test);
    if (split == Split::Test) {
        images.erase(border, images.end());
    } else {
        images.erase(images.begin(), border);
    }
    std::ranges::sort(images);
}

}  // namespace

Result<std::unique_ptr<Dataset>> openImageFolder(const fs::path& folder, Split split, int size) {
    std::error_code ignored;
    const bool hasTrain = fs::is_directory(folder / "train", ignored);
    const bool hasTest = fs::is_directory(folder / "test", ignored);
    if (hasTrain != hasTest) {
        return fail(
            "{}: has a folder '{}' but no '{}'; add it, or put the class folders straight into {} to have a "
            "tenth of the images taken for testing",
            folder.string(), hasTrain ? "train" : "test", hasTrain ? "test" : "train", folder.string());
    }
    const fs::path root = !hasTrain ? folder : folder / (split == Split::Train ? "train" : "test");
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<fs::path> folders, listClasses(root));
    std::vector<std::string> names = namesOf(folders);
    if (hasTrain && split == Split::Test) {
        BITLOOM_ASSIGN_OR_RETURN(const std::vector<fs::path> trained, listClasses(folder / "train"));
        if (namesOf(trained) != names) {
            return fail("{}: its classes ({}) are not those of train ({}); give both the same class folders",
                        root.string(), joinNames(names), joinNames(namesOf(trained)));
        }
    }
    std::vector<Labelled> images;
    for (std::size_t label = 0; label < folders.size(); ++label) {
        BITLOOM_ASSIGN_OR_RETURN(std::vector<fs::path> files, listImages(folders[label]));
        if (!hasTrain) keepSplit(files, split, label);
        for (fs::path& file : files)
            images.push_back({std::move(file), static_cast<int>(label)});
    }
    if (images.empty()) {
        return fail("{}: no image is left for the {} set; two images a class are needed", folder.string(),
                    split == Split::Train ? "training" : "test");
    }
    std::unique_ptr<Dataset> dataset =
        std::make_unique<ImageFolder>(std::move(images), std::move(names), size);
    return dataset;
}

}  // namespace bitloom::data
