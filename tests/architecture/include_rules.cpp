#include "tests/architecture/include_rules.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <string_view>

#include <fmt/format.h>

namespace bitloom::testing {
namespace {

namespace fs = std::filesystem;

using Folders = std::set<std::string, std::less<>>;

/// Folder of the engine -> those it may use beside itself and base.
const std::map<std::string, Folders, std::less<>>& engineArrows() {
    static const std::map<std::string, Folders, std::less<>> arrows = {
        {"base", {}},
        {"report", {}},
        {"stats", {"report"}},
        {"graph", {}},
        {"checkpoint", {"graph"}},
        {"data", {}},
        {"quant", {"stats", "graph", "report"}},
        {"train", {"quant", "data", "stats", "graph", "report"}},
        {"record", {"report"}},
        {"qsimd", {"graph", "report"}},
        {"device", {"report"}},
        {"export", {"graph", "quant", "checkpoint"}},
        {"jobs",
         {"report", "stats", "graph", "checkpoint", "data", "quant", "train", "record", "qsimd", "device",
          "export"}},
    };
    return arrows;
}

const Folders& appArrows() {
    static const Folders folders = {"widgets", "engine/jobs", "engine/report", "engine/base"};
    return folders;
}

/// A library whose headers only some files may include. Entries that end in '/' stand for everything below.
struct Library {
    const char* name;
    std::regex header;
    std::vector<std::string> barredFolders;
    std::vector<std::string> headersThatMay;  ///< .cpp files may anyway
};

const std::vector<Library>& libraries() {
    static const std::vector<Library> all = {
        {"Qt",
         std::regex("Q[A-Z]\\w*|Qt\\w+/.*"),
         {"engine/"},
         {"app/", "widgets/", "tests/app/", "tests/widgets/"}},
        {"libtorch",
         std::regex("(torch|ATen|c10|caffe2)/.*|engine/quant/torch\\.h"),
         {"app/", "widgets/"},
         {"engine/quant/torch.h", "engine/quant/quantizer.h", "engine/quant/dgms/", "engine/quant/search/",
          "engine/quant/uniform/", "engine/quant/sdq/", "engine/quant/mixed/", "engine/quant/activation/",
          "engine/quant/fixed_set", "engine/quant/saved_state", "engine/quant/weight_blocks.h",
          "engine/train/", "tests/quant/", "tests/train/"}},
        {"HDF5",
         std::regex("hdf5\\.h|hdf5/.*|H5\\w*\\.h"),
         {"app/", "widgets/"},
         {"engine/record/h5.h", "engine/record/append_driver.h", "engine/export/hdf5_image.h"}},
        {"QCustomPlot",
         std::regex(".*qcustomplot.*", std::regex::icase),
         {"app/", "engine/"},
         {"widgets/plots/"}},
    };
    return all;
}

struct Include {
    std::string file;
    int line = 0;
    std::string target;
    bool quoted = false;
};

bool isSource(const fs::path& path) {
    constexpr std::array<std::string_view, 7> kExtensions = {".h",   ".hpp", ".hxx", ".inl",
                                                             ".cpp", ".cc",  ".cxx"};
    return std::ranges::find(kExtensions, path.extension().string()) != kExtensions.end();
}

bool isHeader(std::string_view file) {
    return !file.ends_with(".cpp") && !file.ends_with(".cc") && !file.ends_with(".cxx");
}

std::vector<Include> readIncludes(const fs::path& root) {
    static const std::regex pattern(R"(^\s*#\s*include\s*(["<])([^">]+)[">])");
    std::vector<Include> includes;
    for (const char* top : {"app", "engine", "tests", "widgets"}) {
        if (!fs::is_directory(root / top)) continue;
        for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / top)) {
            if (!entry.is_regular_file() || !isSource(entry.path())) continue;
            std::ifstream stream(entry.path());
            std::string line;
            std::smatch match;
            for (int number = 1; std::getline(stream, line); ++number) {
                if (!std::regex_search(line, match, pattern)) continue;
                includes.push_back(
                    {fs::relative(entry.path(), root).generic_string(), number, match[2], match[1] == "\""});
            }
        }
    }
    std::ranges::sort(includes, {},
                      [](const Include& include) { return std::pair(include.file, include.line); });
    return includes;
}

/// "engine/quant" of "engine/quant/dgms/dgms_kernel.h"; "widgets" of anything in widgets; "tests/record".
std::string folderOf(const std::string& file) {
    const auto first = file.find('/');
    std::string top = file.substr(0, first);
    if (top != "engine" && top != "tests") return top;
    const auto second = file.find('/', first + 1);
    return second == std::string::npos ? top : file.substr(0, second);
}

bool startsWithAny(const std::string& file, const std::vector<std::string>& prefixes) {
    return std::ranges::any_of(prefixes, [&](const std::string& prefix) { return file.starts_with(prefix); });
}

/// Why files of `from` may not include one of `to`; nothing when they may.
std::optional<std::string> objection(const std::string& from, const std::string& to) {
    if (from == to) return std::nullopt;
    const std::string arrow = fmt::format("{} may not use {}", from, to);
    if (from.starts_with("tests")) {
        const bool another = to.starts_with("tests") && to != "tests/support" && from != "tests/bench";
        return another ? std::optional(arrow) : std::nullopt;
    }
    if (from == "app") return appArrows().contains(to) ? std::nullopt : std::optional(arrow);
    if (from == "widgets") return to == "engine/report" ? std::nullopt : std::optional(arrow);
    if (!from.starts_with("engine/")) return arrow;
    const auto arrows = engineArrows().find(from.substr(7));
    if (arrows == engineArrows().end()) return from + " is no folder of the architecture";
    if (!to.starts_with("engine/")) return arrow;
    const std::string folder = to.substr(7);
    return folder == "base" || arrows->second.contains(folder) ? std::nullopt : std::optional(arrow);
}

/// Where a quoted include leads, from the root; nothing when it names no file of the project.
std::optional<std::string> resolve(const fs::path& root, const Include& include) {
    if (fs::is_regular_file(root / include.target)) return include.target;
    const fs::path beside = fs::path(include.file).parent_path() / include.target;
    if (fs::is_regular_file(root / beside)) return beside.lexically_normal().generic_string();
    return std::nullopt;
}

std::optional<std::string> objectionToLibrary(const Include& include) {
    for (const Library& library : libraries()) {
        if (!std::regex_match(include.target, library.header)) continue;
        if (startsWithAny(include.file, library.barredFolders))
            return fmt::format("{} stays out of this folder", library.name);
        if (isHeader(include.file) && !startsWithAny(include.file, library.headersThatMay)) {
            return fmt::format("{} belongs into .cpp files; the headers that may include it are listed",
                               library.name);
        }
    }
    return std::nullopt;
}

std::optional<std::string> objectionTo(const fs::path& root, const Include& include) {
    if (!include.quoted || std::regex_match(include.target, std::regex(".*\\.moc")))
        return objectionToLibrary(include);
    const std::optional<std::string> target = resolve(root, include);
    if (!target) return "names no file of the project; libraries stand in <>";
    if (auto reason = objectionToLibrary(include)) return reason;
    return objection(folderOf(include.file), folderOf(*target));
}

/// QCustomPlot takes seconds to parse and ends where it enters: one header.
void requireOneDoor(const std::vector<Include>& includes, std::vector<Violation>& violations) {
    const std::regex header(".*qcustomplot.*", std::regex::icase);
    std::string door;
    for (const Include& include : includes) {
        if (include.quoted || include.file.starts_with("tests/") || !std::regex_match(include.target, header))
            continue;
        if (door.empty() && isHeader(include.file) && include.file.starts_with("widgets/plots/")) {
            door = include.file;
        } else if (include.file.starts_with("widgets/")) {
            violations.push_back({include.file, include.line, "<" + include.target + ">",
                                  "QCustomPlot enters through one header of widgets/plots" +
                                      (door.empty() ? std::string() : ", which is " + door)});
        }
    }
}

}  // namespace

std::string Violation::text() const {
    return fmt::format("{}:{}: {}: {}", file, line, include, reason);
}

std::vector<Violation> findViolations(const fs::path& root) {
    const std::vector<Include> includes = readIncludes(root);
    std::vector<Violation> violations;
    for (const Include& include : includes) {
        const std::optional<std::string> reason = objectionTo(root, include);
        if (!reason) continue;
        const std::string shown = include.quoted ? "\"" + include.target + "\"" : "<" + include.target + ">";
        violations.push_back({include.file, include.line, shown, *reason});
    }
    requireOneDoor(includes, violations);
    std::ranges::sort(violations, {},
                      [](const Violation& violation) { return std::pair(violation.file, violation.line); });
    return violations;
}

std::size_t countIncludes(const fs::path& root) {
    return readIncludes(root).size();
}

}  // namespace bitloom::testing
